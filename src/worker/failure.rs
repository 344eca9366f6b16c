//! Why a job failed: one line, and what to do. Becomes [`kilter::job::WorkerEvent::Failed`].

use std::fmt;
use std::path::Path;

/// Why a job failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// One line, lower case, without a full stop.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without hints.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new() }
    }

    /// Adds something to do.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// The job was told to stop.
    pub fn cancelled() -> Self {
        Self::new("cancelled")
    }

    /// What libtorch says, without its stack trace, with a hint where the cause is a common one.
    pub fn libtorch(text: &str) -> Self {
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message").trim();
        if let Some((what, _)) = line.split_once(" does not have a deterministic implementation") {
            let operation = what.rsplit(' ').next().unwrap_or(what).trim_matches('`');
            return Self::new(format!("`{operation}` cannot be computed reproducibly on this device"))
                .hint("`deterministic = false` computes it anyway; the result is then another one each time")
                .hint("or choose another layer, or `device = \"cpu\"`");
        }
        if let Some(message) = too_little_memory(line) {
            return Self::new(message).hint("use a smaller `batch_size`, or a smaller network");
        }
        let failure = Self::new(format!("libtorch: {line}"));
        let lower = line.to_lowercase();
        if lower.contains("could not create a primitive") {
            failure
                .hint("this processor cannot compute a layer in so few bits: `precision = \"bf16\"`, or leave it out")
        } else if lower.contains("out of memory") || lower.contains("can't allocate memory") {
            failure.hint("use a smaller `batch_size`, or a smaller network")
        } else {
            failure
        }
    }

    /// Whether a device had too little memory.
    pub fn is_out_of_memory(&self) -> bool {
        self.message.to_lowercase().contains("out of memory")
    }

    /// With what to do where the disk was too full for all that was to be written: so many bytes.
    #[must_use]
    pub fn for_want_of_room(self, bytes: u64) -> Self {
        if !kilter::stage::tells_of_a_full_disk(&self.message) {
            return self;
        }
        let room = kilter::numbers::bytes(bytes);
        self.hint(format!("free {room}, which the result takes, or move the store with `store` in kilter.toml"))
    }

    /// A file that cannot be read or written.
    pub fn file(doing: &str, path: &Path, error: impl fmt::Display) -> Self {
        Self::new(format!("cannot {doing} `{}`: {error}", path.display()))
    }

    /// The same, for what the system says.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::file(doing, path, kilter::stage::io_words(error))
    }
}

/// What libtorch says of the machine's own memory, in our words: `DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096
/// bytes. …`.
pub fn too_little_memory(text: &str) -> Option<String> {
    let (_, asked) = text.split_once("can't allocate memory: you tried to allocate ")?;
    let bytes = asked.split(' ').next()?.parse().ok()?;
    Some(format!("too little memory: {} asked for at once", kilter::numbers::bytes(bytes)))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<tch::TchError> for Failure {
    fn from(error: tch::TchError) -> Self {
        match error {
            // What the layers say of shapes are their own words.
            tch::TchError::Shape(message) => Self::new(message),
            other => Self::libtorch(&other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorchs_stack_trace_is_left_out() {
        let text = "CUDA out of memory. Tried to allocate 2 GiB\nException raised from malloc at …\nframe #0: …";
        let failure = Failure::libtorch(text);
        assert_eq!(failure.message, "libtorch: CUDA out of memory. Tried to allocate 2 GiB");
        assert_eq!(failure.hints.len(), 1);
    }

    #[test]
    fn memory_that_is_not_there_is_told_in_our_words() {
        let text = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate \
                    48000000000 bytes. Error code 12 (Cannot allocate memory)";
        let failure = Failure::libtorch(text);
        assert_eq!(failure.message, "too little memory: 48.0 GB asked for at once");
        // It is not the GPU's, of which `is_out_of_memory` tells.
        assert!(!failure.is_out_of_memory() && failure.hints.len() == 1, "{failure:?}");
    }

    #[test]
    fn a_full_disk_is_told_with_the_room_that_is_wanted() {
        let failure = |kind: std::io::ErrorKind| {
            Failure::io("write", Path::new("/w/model"), &kind.into()).for_want_of_room(3_100_000)
        };
        let full = failure(std::io::ErrorKind::StorageFull);
        assert_eq!(full.message, "cannot write `/w/model`: the disk is full");
        let hint = "free 3.1 MB, which the result takes, or move the store with `store` in kilter.toml";
        assert_eq!(full.hints, [hint]);
        assert!(failure(std::io::ErrorKind::PermissionDenied).hints.is_empty());
    }

    #[test]
    fn what_is_not_reproducible_is_named_in_our_words() {
        let text = "adaptive_max_pool2d_backward_cuda does not have a deterministic implementation, but you set \
                    'torch.use_deterministic_algorithms(True)'. You can turn off determinism just for this operation";
        let failure = Failure::libtorch(text);
        assert_eq!(
            failure.message,
            "`adaptive_max_pool2d_backward_cuda` cannot be computed reproducibly on this device"
        );
        assert!(failure.hints[0].starts_with("`deterministic = false`"), "{failure:?}");
    }
}
