//! Waiting for a program's end, without collecting it.

use std::fs::File;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// What tells that a child has ended.
pub(super) enum Exit {
    /// A descriptor of the process, which the system lets one wait for.
    Process(File),
    /// A thread that waits, where the system has no such descriptors.
    Thread(Receiver<()>),
}

impl Exit {
    /// Of a child that has not been collected.
    pub(super) fn of(pid: u32) -> std::io::Result<Self> {
        match descriptor(pid) {
            Some(process) => Ok(Self::Process(process)),
            None => Self::watched(pid),
        }
    }

    fn watched(pid: u32) -> std::io::Result<Self> {
        let (open, ended) = channel();
        // The end is that of the channel: a message could be taken once only, and the channel still be open for a moment.
        let watch = move || {
            await_exit(pid);
            drop(open);
        };
        std::thread::Builder::new().name(format!("wait {pid}")).spawn(watch)?;
        Ok(Self::Thread(ended))
    }

    /// Whether the child has ended, or does within such a time.
    pub(super) fn comes_within(&self, time: Duration) -> bool {
        match self {
            Self::Process(process) => is_ready(process, time),
            Self::Thread(ended) => !matches!(ended.recv_timeout(time), Err(RecvTimeoutError::Timeout)),
        }
    }
}

/// A descriptor of a process, where the system has those.
#[cfg(target_os = "linux")]
pub(super) fn descriptor(pid: u32) -> Option<File> {
    use std::os::fd::FromRawFd;
    // SAFETY: the call takes two numbers, and gives a new descriptor, which is nobody else's, or -1.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_pidfd_open, libc::pid_t::try_from(pid).ok()?, 0);
        let descriptor = i32::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)?;
        Some(File::from_raw_fd(descriptor))
    }
}

#[cfg(not(target_os = "linux"))]
fn descriptor(_: u32) -> Option<File> {
    None
}

/// Whether a descriptor can be read within such a time; `false` too where a signal broke the wait off.
fn is_ready(process: &File, time: Duration) -> bool {
    use std::os::fd::AsRawFd;
    let mut asked = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let milliseconds = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one entry, which lives through the call.
    unsafe { libc::poll(&raw mut asked, 1, milliseconds) == 1 }
}

/// Blocks until a child has ended, and leaves it to be collected.
fn await_exit(pid: u32) {
    loop {
        // SAFETY: `info` is plain data that the call fills; the call touches no other memory.
        let answer = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            libc::waitid(libc::P_PID, pid, &mut info, libc::WEXITED | libc::WNOWAIT)
        };
        if answer == 0 || std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn both_ways_tell_the_end_and_collect_nothing() {
        for of in [Exit::of, Exit::watched] {
            let mut child = Command::new("sleep").arg("30").spawn().unwrap();
            let exit = of(child.id()).unwrap();
            assert!(!exit.comes_within(Duration::from_millis(20)));
            child.kill().unwrap();
            assert!(exit.comes_within(Duration::from_secs(20)) && exit.comes_within(Duration::ZERO));
            assert!(!child.wait().unwrap().success(), "it was still there to be collected");
        }
    }
}
