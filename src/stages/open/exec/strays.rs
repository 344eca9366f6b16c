//! Processes that a stopped program started and that left its process group (`setsid`, daemons): no signal to the group reaches
//! them. They are known by the attempt's scratch folder, whose name no other attempt has: it is in the environment that they
//! inherited, or they are in it.

use std::path::Path;

/// How often is looked for what was started while others were ended.
#[cfg(target_os = "linux")]
const ROUNDS: usize = 3;

/// Ends them.
#[cfg(target_os = "linux")]
pub(super) fn end(scratch: &Path) {
    for _ in 0..ROUNDS {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        if ids.filter(|id| *id != std::process::id() && kill_if(*id, scratch)).count() == 0 {
            return;
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn end(_: &Path) {}

/// Kills a process if it is one of them.
#[cfg(target_os = "linux")]
fn kill_if(id: u32, scratch: &Path) -> bool {
    use std::os::fd::AsRawFd;
    if !belongs(id, scratch) {
        return false;
    }
    // The descriptor is of one process for good. Asked again, as the id may have been given to another between the two.
    let Some(process) = super::exit::descriptor(id).filter(|_| belongs(id, scratch)) else { return false };
    // SAFETY: sends a signal to the process of an open descriptor, without further information.
    unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, std::ptr::null::<u8>(), 0) == 0
    }
}

/// Whether a process has the folder as its `HOME` or `TMPDIR`, or is in it. What may not be looked at does not.
#[cfg(target_os = "linux")]
fn belongs(id: u32, scratch: &Path) -> bool {
    let folder = scratch.as_os_str().as_encoded_bytes();
    let names_it = |variable: &[u8]| {
        let value = variable.strip_prefix(b"HOME=").or_else(|| variable.strip_prefix(b"TMPDIR="));
        value == Some(folder)
    };
    let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(names_it)
        || std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|place| place.starts_with(scratch))
}
