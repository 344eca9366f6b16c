//! Runs a program under ptrace and makes one of its system calls go wrong: the process is killed right before it, or the
//! call fails. Counted are the calls by which a program changes files below a folder; programs that it starts are not
//! traced. x86-64 Linux.

use crate::command::Failure;
use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};

/// What happens to the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The whole process is killed right before it.
    Kill,
    /// It fails with this error number.
    Fail(i32),
}

/// How a traced program ended.
pub struct Traced {
    pub status: ExitStatus,
    /// The name of the chosen call, where it came to that.
    pub hit: Option<&'static str>,
}

/// How a call names the file that it changes.
#[derive(Clone, Copy)]
enum Names {
    /// By the descriptor in the first argument.
    Fd,
    /// By paths; that the program works below the folder is known.
    Path,
    /// By a path, and only where the flags (this argument) say that a file is made.
    Creating(usize),
    /// By a descriptor, and only where it is a request to clone a file.
    Clone,
}

const CALLS: &[(i64, &str, Names)] = &[
    (libc::SYS_write, "write", Names::Fd),
    (libc::SYS_pwrite64, "pwrite64", Names::Fd),
    (libc::SYS_writev, "writev", Names::Fd),
    (libc::SYS_copy_file_range, "copy_file_range", Names::Fd),
    (libc::SYS_sendfile, "sendfile", Names::Fd),
    (libc::SYS_ioctl, "ioctl(FICLONE)", Names::Clone),
    (libc::SYS_ftruncate, "ftruncate", Names::Fd),
    (libc::SYS_fsync, "fsync", Names::Fd),
    (libc::SYS_fdatasync, "fdatasync", Names::Fd),
    (libc::SYS_fchmod, "fchmod", Names::Fd),
    (libc::SYS_flock, "flock", Names::Fd),
    (libc::SYS_open, "open", Names::Creating(1)),
    (libc::SYS_openat, "openat", Names::Creating(2)),
    (libc::SYS_rename, "rename", Names::Path),
    (libc::SYS_renameat, "renameat", Names::Path),
    (libc::SYS_renameat2, "renameat2", Names::Path),
    (libc::SYS_link, "link", Names::Path),
    (libc::SYS_linkat, "linkat", Names::Path),
    (libc::SYS_unlink, "unlink", Names::Path),
    (libc::SYS_unlinkat, "unlinkat", Names::Path),
    (libc::SYS_rmdir, "rmdir", Names::Path),
    (libc::SYS_mkdir, "mkdir", Names::Path),
    (libc::SYS_mkdirat, "mkdirat", Names::Path),
    (libc::SYS_chmod, "chmod", Names::Path),
    (libc::SYS_fchmodat, "fchmodat", Names::Path),
    (libc::SYS_utimensat, "utimensat", Names::Path),
];

const FICLONE: u64 = 0x4004_9409;

/// A traced thread between two of its stops.
#[derive(Default)]
struct Thread {
    inside: bool,
    /// The error that the call it is in is to end with.
    failing: Option<i32>,
}

struct Tracer<'a> {
    below: &'a Path,
    fault: Fault,
    at: u64,
    calls: u64,
    hit: Option<&'static str>,
    threads: BTreeMap<libc::pid_t, Thread>,
}

/// Runs `command` to its end with `fault` at the call number `at`, counted from 1.
pub fn run(mut command: Command, below: &Path, fault: Fault, at: u64) -> Result<Traced, Failure> {
    // SAFETY: between fork and exec only one system call is made.
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    let child = command.spawn().map_err(|error| Failure::new(format!("cannot trace {command:?}: {error}")))?;
    let main = libc::pid_t::try_from(child.id()).map_err(|_| Failure::new("a process id out of range"))?;
    let mut tracer = Tracer { below, fault, at, calls: 0, hit: None, threads: BTreeMap::new() };
    let status = tracer.follow(main)?;
    Ok(Traced { status, hit: tracer.hit })
}

impl Tracer<'_> {
    /// Follows every thread of `main` until it has ended.
    fn follow(&mut self, main: libc::pid_t) -> Result<ExitStatus, Failure> {
        loop {
            let mut status = 0;
            // SAFETY: `status` outlives the call.
            let thread = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
            if thread < 0 {
                return Err(Failure::new(format!("waitpid: {}", std::io::Error::last_os_error())));
            }
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                self.threads.remove(&thread);
                if thread == main {
                    return Ok(ExitStatus::from_raw(status));
                }
                continue;
            }
            let first = !self.threads.contains_key(&thread);
            if first && thread == main {
                let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL;
                request(libc::PTRACE_SETOPTIONS, thread, i64::from(options));
            }
            self.threads.entry(thread).or_default();
            let signal = libc::WSTOPSIG(status);
            let deliver = match signal {
                _ if signal == libc::SIGTRAP | 0x80 => {
                    self.at_call(thread, main);
                    0
                }
                libc::SIGTRAP => 0,
                libc::SIGSTOP if first => 0,
                other => other,
            };
            request(libc::PTRACE_SYSCALL, thread, i64::from(deliver));
        }
    }

    /// A thread stands before or behind a call.
    fn at_call(&mut self, thread: libc::pid_t, main: libc::pid_t) {
        let Some(mut registers) = registers(thread) else { return };
        let Some(state) = self.threads.get_mut(&thread) else { return };
        state.inside = !state.inside;
        if !state.inside {
            if let Some(error) = state.failing.take() {
                registers.rax = (-i64::from(error)).cast_unsigned();
                set_registers(thread, &registers);
            }
            return;
        }
        let Some(name) = counted(&registers, main, self.below) else { return };
        self.calls += 1;
        if self.calls != self.at {
            return;
        }
        match self.fault {
            // SAFETY: a signal to a process that we started and have not waited for.
            Fault::Kill => drop(unsafe { libc::kill(main, libc::SIGKILL) }),
            Fault::Fail(error) => {
                state.failing = Some(error);
                // No call of this number: the system does nothing.
                registers.orig_rax = u64::MAX;
                set_registers(thread, &registers);
            }
        }
        self.hit = Some(name);
    }
}

/// The name of the call, if it is one that counts.
fn counted(registers: &libc::user_regs_struct, process: libc::pid_t, below: &Path) -> Option<&'static str> {
    let number = registers.orig_rax.cast_signed();
    let (_, name, names) = CALLS.iter().find(|(call, ..)| *call == number)?;
    let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
    let inside = || {
        let link = format!("/proc/{process}/fd/{}", registers.rdi);
        std::fs::read_link(link).is_ok_and(|path| path.starts_with(below))
    };
    let counts = match names {
        Names::Fd => inside(),
        Names::Clone => registers.rsi == FICLONE && inside(),
        Names::Path => true,
        Names::Creating(flags) => arguments[*flags] & libc::O_CREAT.unsigned_abs() as u64 != 0,
    };
    counts.then_some(*name)
}

fn request(request: libc::c_uint, thread: libc::pid_t, data: i64) {
    // A thread that was killed meanwhile is told of by the next wait.
    // SAFETY: these requests take plain numbers.
    unsafe { libc::ptrace(request, thread, 0, data) };
}

fn registers(thread: libc::pid_t) -> Option<libc::user_regs_struct> {
    // SAFETY: all-zero bytes are valid registers, and the call fills them.
    unsafe {
        let mut registers: libc::user_regs_struct = std::mem::zeroed();
        (libc::ptrace(libc::PTRACE_GETREGS, thread, 0, &raw mut registers) == 0).then_some(registers)
    }
}

fn set_registers(thread: libc::pid_t, registers: &libc::user_regs_struct) {
    // SAFETY: the registers outlive the call.
    unsafe { libc::ptrace(libc::PTRACE_SETREGS, thread, 0, std::ptr::from_ref(registers)) };
}
