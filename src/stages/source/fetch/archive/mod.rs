//! Takes members out of archives. An archive is hostile until shown otherwise: nothing is written that was not asked
//! for, nothing outside of the output folder, no links or devices, and never more than the archive could honestly hold.

mod deb;
mod formats;
mod reading;

pub(super) use formats::Format;

use super::member::Member;
use crate::diag::{did_you_mean, list};
use crate::numbers;
use crate::stage::{RunCx, StageError};
use reading::{Entry, What, walk};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// How many archives may lie in each other.
const DEPTH: usize = 3;

/// Names that are kept to suggest from.
const KEPT_NAMES: usize = 200_000;

/// The archive to take from.
pub(super) struct Source<'a> {
    /// Where it lies.
    pub(super) path: &'a Path,
    /// What it is called.
    pub(super) name: &'a str,
}

/// What was taken.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Extracted {
    /// Files.
    pub(super) files: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

/// Takes what `member` selects out of an archive into the folder `out`.
///
/// # Errors
/// When it is no archive, is damaged or hostile, or has no such member.
pub(super) fn extract(
    source: &Source<'_>,
    member: &Member,
    out: &Path,
    cx: &RunCx<'_>,
) -> Result<Extracted, StageError> {
    let size = std::fs::metadata(source.path).map_err(|error| StageError::io("read", source.path, &error))?.len();
    // More than data compresses to in earnest: 4 GiB and a hundred times the archive.
    let limit = (4_u64 << 30).saturating_add(size.saturating_mul(100));
    extract_limited(source, member, out, cx, limit, DEPTH)
}

fn extract_limited(
    source: &Source<'_>,
    member: &Member,
    out: &Path,
    cx: &RunCx<'_>,
    limit: u64,
    depth: usize,
) -> Result<Extracted, StageError> {
    let format = Format::of(source.path, source.name).map_err(|error| StageError::io("read", source.path, &error))?;
    let Some(format) = format else {
        return Err(StageError::data(format!("`{}` is not an archive, so it has no member", source.name))
            .note("zip, tar, gzip, xz, zstandard and Debian packages are archives")
            .hint("leave `member` out to take the file as it is"));
    };
    let mut taking = Taking::new(source, member, out, cx);
    if !walk(source, &format, limit, &mut |entry| taking.entry(entry))? {
        let name = source.name;
        cx.services.warn(format!("`{name}` has no end mark: if it broke off, files are missing; compare its sha256"));
    }
    taking.links()?;
    if taking.done.files > 0 {
        return Ok(taking.done);
    }
    let Some((inner, name, rest)) = taking.inner.take() else { return Err(taking.no_member()) };
    let Ok(member) = Member::parse(&rest) else { return Err(taking.no_member()) };
    if depth == 0 {
        return Err(StageError::data(format!("`{}` lies in more than {DEPTH} archives", taking.member.text)));
    }
    extract_limited(&Source { path: &inner, name: &name }, &member, out, cx, limit, depth - 1)
}

/// The state of one pass over an archive.
struct Taking<'a> {
    source: &'a Source<'a>,
    member: &'a Member,
    out: &'a Path,
    cx: &'a RunCx<'a>,
    done: Extracted,
    /// Names of files, to suggest from.
    names: Vec<String>,
    /// Selected links: the name in the output, the name in the archive, the archived name they lead to.
    links: Vec<(String, String, String)>,
    /// Archived names of what was taken, and where it lies.
    taken: BTreeMap<String, PathBuf>,
    /// An archive in the archive that the path goes on in: where it was put, its name, the rest of the path.
    inner: Option<(PathBuf, String, String)>,
}

impl<'a> Taking<'a> {
    fn new(source: &'a Source<'a>, member: &'a Member, out: &'a Path, cx: &'a RunCx<'a>) -> Self {
        Self {
            source,
            member,
            out,
            cx,
            done: Extracted::default(),
            names: Vec::new(),
            links: Vec::new(),
            taken: BTreeMap::new(),
            inner: None,
        }
    }

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), StageError> {
        self.cx.check_cancelled()?;
        let Some(name) = self.safe(&entry.name)? else { return Ok(()) };
        match entry.what {
            What::Folder => {}
            What::File(data) => self.file(name, data)?,
            What::Link { target, hard } => {
                if let Some(to) = self.member.takes(&name).map(str::to_owned) {
                    let target = self.link_target(&name, &target, hard)?;
                    self.links.push((to, name, target));
                }
            }
            What::Other(kind) => {
                if self.member.takes(&name).is_some() {
                    return Err(self.refuse(&format!("`{name}` is a {kind}, not a file")));
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, name: String, data: &mut dyn Read) -> Result<(), StageError> {
        if let Some(to) = self.member.takes(&name).map(str::to_owned) {
            let path = self.out.join(to);
            self.write(&name, data, &path)?;
            self.taken.insert(name.clone(), path);
        } else if let Some(rest) = self.member.below(&name).map(str::to_owned) {
            let path = self.cx.scratch.join(format!("inner-{}", name.len()));
            drop(std::fs::remove_file(&path));
            let before = std::mem::take(&mut self.done);
            self.write(&name, data, &path)?;
            self.done = before;
            let inner = name.rsplit('/').next().unwrap_or(&name).to_owned();
            self.inner = Some((path, inner, rest));
        }
        if self.names.len() < KEPT_NAMES {
            self.names.push(name);
        }
        Ok(())
    }

    fn write(&mut self, name: &str, data: &mut dyn Read, to: &Path) -> Result<(), StageError> {
        if let Some(folder) = to.parent() {
            std::fs::create_dir_all(folder).map_err(|error| StageError::io("make the folder", folder, &error))?;
        }
        let mut file = match OpenOptions::new().write(true).create_new(true).open(to) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(self.refuse(&format!("it holds `{name}` more than once, so what that is is not clear")));
            }
            Err(error) => return Err(StageError::io("write", to, &error)),
        };
        let mut buffer = vec![0; 1 << 16];
        loop {
            self.cx.check_cancelled()?;
            let count = data.read(&mut buffer).map_err(|error| reading::damaged(self.source.name, &error))?;
            if count == 0 {
                break;
            }
            file.write_all(&buffer[..count]).map_err(|error| StageError::io("write", to, &error))?;
            self.done.bytes += count as u64;
        }
        self.done.files += 1;
        Ok(())
    }

    /// Copies what selected links lead to, where that was selected too.
    fn links(&mut self) -> Result<(), StageError> {
        for (to, name, target) in std::mem::take(&mut self.links) {
            let Some(from) = self.taken.get(&target) else {
                return Err(StageError::data(format!("`{name}` in `{}` is a link", self.source.name))
                    .note(format!("it leads to `{target}`"))
                    .hint(format!("select that: `member = \"{target}\"`")));
            };
            let path = self.out.join(to);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| StageError::io("make the folder", folder, &error))?;
            }
            if path.exists() {
                return Err(self.refuse(&format!("it holds `{name}` more than once, so what that is is not clear")));
            }
            self.done.bytes += std::fs::copy(from, &path).map_err(|error| StageError::io("write", &path, &error))?;
            self.done.files += 1;
        }
        Ok(())
    }

    /// The archived name that a link leads to.
    fn link_target(&self, name: &str, target: &str, hard: bool) -> Result<String, StageError> {
        let outside = || self.refuse(&format!("`{name}` is a link to `{target}`, outside of the archive"));
        if target.starts_with('/') {
            return Err(outside());
        }
        // A hard link names its target from the archive's top, a symbolic one from its own folder.
        let mut parts: Vec<&str> = if hard { Vec::new() } else { name.split('/').collect() };
        parts.pop();
        for part in target.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop().ok_or_else(outside)?),
                part => parts.push(part),
            }
        }
        Ok(parts.join("/"))
    }

    /// The name as a relative path, without `.` parts; `None` for the top folder itself.
    fn safe(&self, name: &str) -> Result<Option<String>, StageError> {
        if name.starts_with('/') || name.contains('\0') {
            return Err(self.refuse(&format!("`{}` is an absolute path", name.replace('\0', "␀"))));
        }
        let mut parts = Vec::new();
        for part in name.split('/') {
            match part {
                "" | "." => {}
                ".." => return Err(self.refuse(&format!("`{name}` leads out of the folder it is unpacked into"))),
                part => parts.push(part),
            }
        }
        Ok((!parts.is_empty()).then(|| parts.join("/")))
    }

    fn refuse(&self, why: &str) -> StageError {
        StageError::data(format!("the archive `{}` is refused", self.source.name))
            .note(why.to_owned())
            .hint("archives like this are broken or meant to do harm; ask whoever made it, or take another release")
    }

    fn no_member(&self) -> StageError {
        let error = StageError::data(format!("`{}` has no member `{}`", self.source.name, self.member.text));
        if self.names.is_empty() {
            return error.note("it holds no files");
        }
        let wanted = self.member.text.trim_end_matches('/');
        let last = wanted.rsplit('/').next().unwrap_or(wanted);
        let all = || self.names.iter().map(String::as_str);
        let same: Vec<&str> = all().filter(|name| name.rsplit('/').next() == Some(last)).collect();
        let hint = if same.is_empty() {
            did_you_mean(wanted, all())
        } else {
            Some(format!("did you mean {}?", list(same.into_iter().take(3), 3).replace(" and ", " or ")))
        };
        let error = error.note(format!(
            "it holds {} {}: {}",
            numbers::count(self.names.len() as u64),
            if self.names.len() == 1 { "file" } else { "files" },
            list(all(), 6)
        ));
        match hint {
            Some(hint) => error.hint(hint),
            None => error.hint("a folder is written with a slash at its end, a pattern with `*` or `**`"),
        }
    }
}

#[cfg(test)]
mod tests;
