//! Everything that kilter takes from its surroundings, read in one place: the clock, environment variables, cores,
//! the cancel flag. Other modules are handed what they need.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Says that work is to stop: because the run was interrupted, or because its time is up. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Cancel {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same flag, which also counts as set when so much time has passed from now.
    #[must_use]
    pub fn within(&self, time: Option<Duration>) -> Self {
        Self { flag: Arc::clone(&self.flag), deadline: time.and_then(|time| Instant::now().checked_add(time)) }
    }

    /// Sets the flag.
    pub fn set(&self) {
        self.flag.store(true, Ordering::SeqCst);
    }

    /// Whether the flag is set, or the time is up.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.flag.load(Ordering::SeqCst) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The shared flag, for a signal handler.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }
}

/// An environment variable's text; unset and not-Unicode are both `None`.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where environment variables are read")]
pub fn var(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// How many cores this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The GPUs that this process may use, by the names that `CUDA_VISIBLE_DEVICES` takes.
#[must_use]
pub fn gpus() -> Vec<String> {
    if let Some(listed) = var("CUDA_VISIBLE_DEVICES") {
        let listed = listed.split(',').map(str::trim).take_while(|name| !name.is_empty() && *name != "-1");
        return listed.map(str::to_owned).collect();
    }
    let devices = std::fs::read_dir("/dev").into_iter().flatten().filter_map(Result::ok);
    let number =
        |entry: std::fs::DirEntry| -> Option<u32> { entry.file_name().to_str()?.strip_prefix("nvidia")?.parse().ok() };
    let mut numbers: Vec<u32> = devices.filter_map(number).collect();
    numbers.sort_unstable();
    // Under WSL the one device file says nothing of how many there are.
    if numbers.is_empty() && std::path::Path::new("/dev/dxg").exists() {
        numbers.push(0);
    }
    numbers.iter().map(ToString::to_string).collect()
}

/// The widest vector instructions of this processor that numeric libraries choose by.
#[must_use]
pub fn cpu() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") {
            return "avx512";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    std::env::consts::ARCH
}

/// Confines this process and what it starts to one core, where the system can do that. Must come before any work.
pub fn use_one_core() {
    #[cfg(target_os = "linux")]
    // SAFETY: all-zero bytes are an empty set of cores; the calls keep no pointer to it. Where they fail, nothing changes.
    unsafe {
        let size = size_of::<libc::cpu_set_t>();
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size, &raw mut cores) != 0 {
            return;
        }
        let most = libc::CPU_SETSIZE.cast_unsigned() as usize;
        if let Some(first) = (0..most).find(|core| libc::CPU_ISSET(*core, &cores)) {
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(first, &mut one);
            libc::sched_setaffinity(0, size, &raw const one);
        }
    }
}

/// Seconds since 1970. For records that people read; never for keys.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

/// A time as people write it, in the local time zone: `2026-05-04 10:12`.
#[must_use]
pub fn local_time(unix_seconds: u64) -> String {
    let Ok(time) = libc::time_t::try_from(unix_seconds) else { return "?".to_owned() };
    // SAFETY: all-zero bytes are a valid `tm`; `localtime_r` fills it and keeps no pointer to it.
    let broken_down = unsafe {
        let mut parts: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&raw const time, &raw mut parts).is_null() { None } else { Some(parts) }
    };
    broken_down.map_or_else(
        || "?".to_owned(),
        |at| {
            let (year, month) = (at.tm_year + 1900, at.tm_mon + 1);
            format!("{year:04}-{month:02}-{:02} {:02}:{:02}", at.tm_mday, at.tm_hour, at.tm_min)
        },
    )
}

/// Limits the thread pools of the libraries to `threads`, unless the environment says otherwise. Pools are made when
/// they are first needed, so this must come before any work, and before the program has a second thread.
pub fn limit_threads(threads: usize) {
    for name in ["POLARS_MAX_THREADS", "RAYON_NUM_THREADS"] {
        if var(name).is_none() {
            set_at_start(name, &threads.to_string());
        }
    }
}

/// Whether the C library's allocator keeps large blocks that were freed, up to 256 MiB an arena, for the next ones. Otherwise every column
/// of some millions of rows is new memory, which the kernel must clear page by page: a fifth of the time of some queries. Where a stage
/// says how much memory it may use, hardly anything is kept.
pub fn keep_freed_memory(keep: bool) {
    #[cfg(target_env = "gnu")]
    {
        const MIB: libc::c_int = 1 << 20;
        // By itself it comes to 32 and 64 MiB.
        let (mapped, trimmed) = if keep { (64 * MIB, 256 * MIB) } else { (2 * MIB, 4 * MIB) };
        // SAFETY: changes two numbers of the allocator, under its lock.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, mapped);
            libc::mallopt(libc::M_TRIM_THRESHOLD, trimmed);
        }
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = keep;
}

/// Sets a variable. Only for the beginning of `main`, before the program has a second thread.
pub fn set_at_start(name: &str, value: &str) {
    // SAFETY: there is one thread, so nothing else reads the environment now.
    unsafe { std::env::set_var(name, value) };
}

/// Gives another value to a variable that [`set_at_start`] has set, also while there are threads.
pub fn set_again(name: &str, value: &str) {
    debug_assert!(var(name).is_some());
    // SAFETY: Rust code reads the environment under the lock that this takes. C code that reads another variable meanwhile
    // sees the environment's table as it was: where a variable is there, its entry is replaced by one store of a pointer.
    unsafe { std::env::set_var(name, value) };
}

/// A path as messages show it: relative to the current folder where it lies below it.
#[must_use]
pub fn shown(path: &std::path::Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    match below {
        Some(below) if below.as_os_str().is_empty() => ".".to_owned(),
        Some(below) => below.display().to_string(),
        None => path.display().to_string(),
    }
}

/// A stage of a manifest as a command line names it, whatever other manifests are beside it, with the values of `--set` that are
/// meant: `pipelines/digits.toml train --set lr=0.1`. A point on an axis is quoted, as a shell would take its brackets for a pattern.
#[must_use]
pub fn command_words(manifest: &std::path::Path, stage: &str, set: &[String]) -> String {
    let quote = if stage.contains('[') { "\"" } else { "" };
    let manifest = shown(manifest);
    format!("{} {quote}{stage}{quote}{}", shell_words::quote(&manifest), set_words(set))
}

/// The same of a whole manifest: `pipelines/digits.toml --set lr=0.1`.
#[must_use]
pub fn manifest_words(manifest: &std::path::Path, set: &[String]) -> String {
    format!("{}{}", shell_words::quote(&shown(manifest)), set_words(set))
}

fn set_words(set: &[String]) -> String {
    let set = set.iter().map(|set| match set.split_once('=') {
        Some((name, value)) => format!(" --set {name}={}", shell_words::quote(value)),
        None => format!(" --set {}", shell_words::quote(set)),
    });
    set.collect()
}

/// Nanoseconds since 1970, to compare with the times of files; never for keys.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
pub fn unix_nanos() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}

/// Whether a process of this number runs on this machine.
#[must_use]
pub fn process_lives(process: u32) -> bool {
    let Ok(process) = libc::pid_t::try_from(process) else { return false };
    // SAFETY: signal 0 is not sent; the call only says whether it could be.
    let answer = unsafe { libc::kill(process, 0) };
    answer == 0 || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// Whether a path lies on a file system that other machines share, where processes cannot share memory through a file.
/// `false` where the system does not tell.
#[must_use]
pub fn is_network_file_system(path: &std::path::Path) -> bool {
    #[cfg(target_os = "linux")]
    {
        // nfs, smb, smb2, cifs, 9p, fuse (sshfs and its like), afs, ceph, lustre
        const SHARED: [i64; 9] =
            [0x6969, 0x517b, 0xfe53_4d42, 0xff53_4d42, 0x0102_1997, 0x6573_5546, 0x5346_414f, 0x00c3_6400, 0x0bd0_0bd0];
        use std::os::unix::ffi::OsStrExt;
        let existing = path.ancestors().find(|above| above.exists()).unwrap_or(path);
        let Ok(name) = std::ffi::CString::new(existing.as_os_str().as_bytes()) else { return false };
        // SAFETY: `name` is a C string for the length of the call, and `found` is plain data that the call fills.
        unsafe {
            let mut found: libc::statfs = std::mem::zeroed();
            libc::statfs(name.as_ptr(), &raw mut found) == 0 && SHARED.contains(&found.f_type)
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        false
    }
}

/// Makes `to`, which is not there yet, a clone of `from`: a file of its own that shares what lies on the disk. `false` where
/// the file system cannot do that, and nothing lies at `to` then. Of files on `device`, where `from` lies, it is asked only until
/// it said that it has no clones: a try costs as much as a small copy.
///
/// # Errors
/// When something lies at `to`: it was there (`AlreadyExists`), or a try left an empty file that cannot be removed, which must not
/// be taken for the copy.
pub fn clone_file(from: &std::path::Path, to: &std::path::Path, device: u64) -> std::io::Result<bool> {
    static WITHOUT: RwLock<BTreeSet<u64>> = RwLock::new(BTreeSet::new());
    if WITHOUT.read().unwrap_or_else(PoisonError::into_inner).contains(&device) {
        return Ok(false);
    }
    let Err(error) = reflink_copy::reflink(from, to) else { return Ok(true) };
    if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOTTY | libc::ENOSYS)) {
        WITHOUT.write().unwrap_or_else(PoisonError::into_inner).insert(device);
    }
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => Err(error),
        _ if to.symlink_metadata().is_ok() => Err(std::io::Error::other(format!(
            "a try to clone it left an empty file at {}, which cannot be removed",
            to.display()
        ))),
        _ => Ok(false),
    }
}

/// How much memory programs here can still get, in bytes: what the machine has free, or what is left of the control group's
/// limit. `None` where the system does not tell.
#[must_use]
pub fn free_memory() -> Option<u64> {
    let number = |file: &str| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB"))?;
        line.trim().parse::<u64>().ok()?.checked_mul(1024)
    });
    let group = number("/sys/fs/cgroup/memory.max");
    let group = group.map(|limit| limit.saturating_sub(number("/sys/fs/cgroup/memory.current").unwrap_or(0)));
    [machine, group].into_iter().flatten().min()
}

/// The child is killed when the thread that starts it ends, also when this process is killed.
#[cfg(target_os = "linux")]
pub fn die_with_parent(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt;
    let parent = std::process::id();
    // SAFETY: between fork and exec only `prctl` and `getppid` are called, which are safe there.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            // The parent may have died before that.
            if u32::try_from(libc::getppid()) == Ok(parent) { Ok(()) } else { Err(std::io::ErrorKind::NotFound.into()) }
        });
    }
}

/// The child is killed when the thread that starts it ends, where the system can do that.
#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_: &mut std::process::Command) {}

/// The folder of the running program, where the worker lies too.
#[must_use]
pub fn program_folder() -> Option<PathBuf> {
    std::env::current_exe().ok()?.parent().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_typed_is_quoted_where_a_shell_would_take_it_apart() {
        let words = |manifest: &str, stage: &str, set: &[&str]| {
            command_words(manifest.as_ref(), stage, &set.iter().map(|set| (*set).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(words("a.toml", "train", &[]), "a.toml train");
        assert_eq!(words("a.toml", "train[lr=0.1]", &["n=4"]), "a.toml \"train[lr=0.1]\" --set n=4");
        assert_eq!(
            words("my data/a.toml", "m/s", &["w=a b", "l=[1, 2]"]),
            "'my data/a.toml' m/s --set w='a b' --set l='[1, 2]'"
        );
    }

    #[test]
    fn time_that_is_up_cancels_and_leaves_the_flag_alone() {
        let cancel = Cancel::new();
        let (soon, later) = (cancel.within(Some(Duration::ZERO)), cancel.within(Some(Duration::from_secs(3600))));
        assert!(soon.is_set() && !cancel.is_set() && !later.is_set());
        cancel.set();
        assert!(later.is_set(), "the flag is shared");
    }

    #[test]
    fn nothing_is_cloned_over_what_is_there() {
        let folder = tempfile::tempdir().expect("folder");
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&from, "new").expect("written");
        let cloned = clone_file(&from, &to, u64::MAX).expect("nothing is there");
        assert_eq!(to.exists(), cloned);
        std::fs::write(&to, "old").expect("written");
        // A file system without clones is not asked again.
        if let Err(error) = clone_file(&from, &to, u64::MAX - 1) {
            assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        }
        assert_eq!(std::fs::read(&to).expect("read"), b"old");
    }

    #[test]
    fn times_read_as_dates() {
        let text = local_time(1_777_888_999);
        assert!(text.starts_with("2026-05-0") && text.len() == 16, "{text}");
    }

    #[test]
    fn this_process_lives_and_its_folder_is_not_shared() {
        assert!(process_lives(std::process::id()));
        assert!(!process_lives(u32::MAX));
        assert!(!is_network_file_system(std::path::Path::new("/proc/self")));
    }

    #[test]
    fn paths_below_the_current_folder_are_relative() {
        let here = std::env::current_dir().expect("a current folder");
        assert_eq!(shown(&here.join("a/b")), "a/b");
        assert_eq!(shown(std::path::Path::new("/nowhere/x")), "/nowhere/x");
        assert_eq!(shown(&here), ".");
    }
}
