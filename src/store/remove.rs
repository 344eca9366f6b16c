//! Removing folders.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Removes a folder and everything in it, also where a stage made folders read-only. Absent is fine.
pub(super) fn remove_tree(folder: &Path) -> std::io::Result<()> {
    if quickly(folder) {
        return Ok(());
    }
    match std::fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let folders = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
            for entry in folders.filter(|entry| entry.file_type().is_dir()) {
                std::fs::set_permissions(entry.path(), Permissions::from_mode(0o755))?;
            }
            std::fs::remove_dir_all(folder)
        }
        Err(error) => Err(error),
    }
}

/// Removes a folder with half of the calls that the standard library makes, which asks each folder for its state and whether it
/// holds anything more. `false` where that does not go; then some of it may be gone.
#[cfg(target_os = "linux")]
fn quickly(folder: &Path) -> bool {
    use rustix::fs::CWD;
    matches!(folders::remove(CWD, folder, 0), Ok(()) | Err(rustix::io::Errno::NOENT))
}

#[cfg(not(target_os = "linux"))]
fn quickly(_: &Path) -> bool {
    false
}

#[cfg(target_os = "linux")]
mod folders {
    use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, unlinkat};
    use rustix::io::{Errno, Result};
    use rustix::path::Arg;
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd;

    /// Deeper folders are left to the standard library.
    const DEEPEST: usize = 100;

    /// Removes the folder that lies in another under this name; never follows a link.
    pub(super) fn remove(above: impl AsFd + Copy, name: impl Arg + Copy, depth: usize) -> Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = openat(above, name, flags, Mode::empty())?;
        let mut place = [MaybeUninit::uninit(); 4096];
        let mut entries = RawDir::new(folder.as_fd(), &mut place);
        loop {
            let mut any = false;
            while let Some(entry) = entries.next() {
                let entry = entry?;
                let found = entry.file_name();
                if !matches!(found.to_bytes(), b"." | b"..") {
                    any = true;
                    match entry.file_type() {
                        FileType::Directory if depth == DEEPEST => return Err(Errno::NAMETOOLONG),
                        FileType::Directory => remove(folder.as_fd(), found, depth + 1)?,
                        _ => unlinkat(folder.as_fd(), found, AtFlags::empty())?,
                    }
                }
                if entries.is_buffer_empty() {
                    break;
                }
            }
            // Mostly that was all that is in it, which this tells too.
            match unlinkat(above, name, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY | Errno::EXIST) if any => {}
                ended => return ended,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn everything_in_a_folder_goes_and_nothing_behind_its_links() {
        let all = tempfile::tempdir().unwrap();
        let (folder, kept) = (all.path().join("folder"), all.path().join("kept"));
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "").unwrap();
        let fill = || {
            fs::create_dir_all(folder.join("a/b/c")).unwrap();
            fs::create_dir_all(folder.join("deep/".repeat(150))).unwrap();
            std::os::unix::fs::symlink(&kept, folder.join("a/link")).unwrap();
            // More than one answer of the system holds.
            (0..500).for_each(|index| fs::write(folder.join(format!("a/b/a-file-{index}")), "x").unwrap());
            fs::set_permissions(folder.join("a/b"), Permissions::from_mode(0o555)).unwrap();
        };
        fill();
        remove_tree(&folder).unwrap();
        assert!(!folder.exists() && kept.join("file").exists());
        remove_tree(&folder).unwrap();
        std::os::unix::fs::symlink(&kept, &folder).unwrap();
        remove_tree(&folder).unwrap();
        assert!(folder.symlink_metadata().is_err() && kept.join("file").exists());
        fs::write(&folder, "a file").unwrap();
        assert!(remove_tree(&folder).is_err() && folder.exists());
    }
}
