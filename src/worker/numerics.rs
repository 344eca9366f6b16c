//! What numbers depend on besides the job: threads, deterministic algorithms, the instruction set, the device, seeds.

use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use crate::{driver, shim};
use kilter::job::{Numerics, Precision, Setting};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tch::Device;

/// Puts the process into a setting, and gives its device.
///
/// # Errors
/// When the instruction set is not the one that the setting pins, or there is no CUDA device.
pub fn apply(setting: Setting) -> Result<Device, Failure> {
    apply_to(setting, true, Precision::F32)
}

/// The same for a training, which may ask for less than reproducible numbers and fewer bits.
///
/// # Errors
/// Those of [`apply`].
pub fn apply_to(setting: Setting, deterministic: bool, precision: Precision) -> Result<Device, Failure> {
    shim::set_up(setting.threads, deterministic, precision == Precision::Tf32)?;
    if setting.numerics == Numerics::Portable && shim::cpu_capability() != "avx2" {
        return Err(Failure::new(format!(
            "numerics = \"portable\" needs the AVX2 instruction set, but libtorch runs with {}",
            shim::cpu_capability()
        ))
        .hint("this processor may lack AVX2; with numerics = \"native\" the job runs here, with this processor's own numbers"));
    }
    match setting.device {
        kilter::job::Device::Cpu => Ok(Device::Cpu),
        kilter::job::Device::Cuda => cuda(),
    }
}

/// Keeps memory that was freed, instead of giving it to the system and taking it back in every step: the kernel would
/// clear each page again. Measured: docs/benchmarks.md.
pub fn keep_freed_memory() {
    // SAFETY: called before any thread is started; the values are plain numbers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
    }
}

/// What a worker may go on holding between two jobs: taking back what was given away takes time too.
const HELD: u64 = 256 << 20;

/// Gives what a job left to the system, and to the GPU. Until its next job a worker waits, and other stages need the memory.
pub fn give_freed_memory_back(device: kilter::job::Device) {
    if own_memory() > HELD {
        // SAFETY: what is in use stays as it is.
        unsafe { libc::malloc_trim(0) };
    }
    if device == kilter::job::Device::Cuda {
        // Where CUDA could not be loaded there is nothing to give.
        let _ = shim::cuda_give_back();
    }
}

/// The bytes of memory that are this process's own, and no file's; 0 where the system does not say.
fn own_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) << 10
}

/// Seeds libtorch's generators, for weights and dropout.
pub fn seed(number: u64) {
    tch::manual_seed(number.cast_signed());
}

/// libtorch's own generators, as a part of checkpoints.
pub struct Generators {
    device: Device,
}

impl Generators {
    /// Those that a job on this device draws from.
    pub fn of(device: Device) -> Self {
        Self { device }
    }

    fn devices(&self) -> impl Iterator<Item = (String, Device)> {
        let own = (self.device != Device::Cpu).then_some(("device".to_owned(), self.device));
        std::iter::once(("cpu".to_owned(), Device::Cpu)).chain(own)
    }
}

impl Stateful for Generators {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        self.devices().try_for_each(|(name, device)| into.fixed_tensor(name, &shim::generator_state(device)?))
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.devices().try_for_each(|(name, device)| shim::set_generator_state(device, from.get_tensor(&name)?))
    }
}

/// Facts about the environment of a job, for the record.
pub fn environment(setting: Setting) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::from([
        ("libtorch".to_owned(), kilter::job::LIBTORCH.to_owned()),
        ("cpu_capability".to_owned(), shim::cpu_capability()),
        ("threads".to_owned(), setting.threads.to_string()),
        ("device".to_owned(), "cpu".to_owned()),
    ]);
    if setting.device == kilter::job::Device::Cuda {
        // The one that [`cuda`] takes. The first that the kernel knows may be another stage's.
        let name = driver::gpu(0).unwrap_or_else(|| "cuda".to_owned());
        facts.insert("device".to_owned(), name);
    }
    facts
}

/// The first CUDA device, after loading libtorch's CUDA half.
fn cuda() -> Result<Device, Failure> {
    let library = libtorch_folder().and_then(|folder| cuda_half(&folder));
    let hint = "`cargo xtask setup --cuda` fetches libtorch with CUDA; with device = \"cpu\" the job runs without";
    let Some(library) = library else {
        // What would be fetched would find nothing.
        if kilter::env::gpus().is_empty() {
            return Err(Failure::new("device = \"cuda\", but this machine has no GPU that CUDA could use")
                .hint("with device = \"auto\" the job runs on a GPU where there is one, and else on the processor"));
        }
        return Err(Failure::new("device = \"cuda\", but this libtorch has no CUDA half").hint(hint));
    };
    shim::load_library(&library).map_err(|failure| failure.hint(hint))?;
    if tch::Cuda::device_count() == 0 {
        return Err(Failure::new("device = \"cuda\", but there is no CUDA device here")
            .hint("`nvidia-smi` shows what the driver sees; with device = \"cpu\" the job runs without"));
    }
    Ok(Device::Cuda(0))
}

/// libtorch's CUDA half: beside the rest, as in PyTorch's own folder, or where `cargo xtask setup --cuda` puts it, out of the
/// build's sight.
fn cuda_half(libtorch: &Path) -> Option<PathBuf> {
    let folders = [libtorch.to_owned(), libtorch.join("../../cuda/lib")];
    folders.into_iter().map(|folder| folder.join("libtorch_cuda.so")).find(|path| path.is_file())
}

/// The folder that this process's libtorch was loaded from.
fn libtorch_folder() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.ends_with("/libtorch_cpu.so").then(|| Path::new(path))
    })?;
    path.parent().map(PathBuf::from)
}

/// The models of the NVIDIA devices that the kernel knows, without loading CUDA.
pub fn cuda_devices() -> Vec<String> {
    let Ok(folder) = std::fs::read_dir("/proc/driver/nvidia/gpus") else { return Vec::new() };
    let mut names: Vec<(PathBuf, String)> = folder
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let text = std::fs::read_to_string(path.join("information")).ok()?;
            let model = text.lines().find_map(|line| line.strip_prefix("Model:"))?.trim().to_owned();
            Some((path, model))
        })
        .collect();
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

/// libtorch has one generator for all threads, so tests that draw take turns.
#[cfg(test)]
pub fn seeded(number: i64) -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    tch::manual_seed(number);
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorchs_generator_goes_on_where_it_was() {
        let _turn = seeded(0);
        let draw = || tch::Tensor::rand([1001], (tch::Kind::Float, Device::Cpu));
        seed(7);
        drop(draw());
        let (mut generators, mut part) = (Generators::of(Device::Cpu), Part::default());
        generators.save(&mut part).expect("saved");
        let then = draw();
        seed(8);
        assert_ne!(draw(), then);
        generators.restore(&part).expect("restored");
        assert_eq!(draw(), then);
    }

    #[test]
    fn libtorch_is_found_where_it_was_loaded_from() {
        assert!(tch::get_num_threads() > 0);
        assert!(libtorch_folder().expect("loaded").join("libc10.so").is_file());
    }

    #[test]
    fn the_cuda_half_lies_beside_the_rest_or_where_setup_puts_it() {
        let home = tempfile::tempdir().expect("folder");
        let (torch, cuda) = (home.path().join("torch/lib"), home.path().join("cuda/lib"));
        for folder in [&torch, &cuda] {
            std::fs::create_dir_all(folder).expect("made");
        }
        assert_eq!(cuda_half(&torch), None);
        std::fs::write(cuda.join("libtorch_cuda.so"), b"").expect("written");
        assert_eq!(cuda_half(&torch), Some(torch.join("../../cuda/lib/libtorch_cuda.so")));
        std::fs::write(torch.join("libtorch_cuda.so"), b"").expect("written");
        assert_eq!(cuda_half(&torch), Some(torch.join("libtorch_cuda.so")));
    }

    #[test]
    fn cuda_without_its_library_says_what_to_do() {
        let setting = Setting { threads: 1, numerics: Numerics::Native, device: kilter::job::Device::Cuda };
        if cuda_devices().is_empty() {
            let failure = apply(setting).expect_err("no device");
            assert!(failure.message.starts_with("device = \"cuda\""), "{failure}");
            let has_half = libtorch_folder().and_then(|folder| cuda_half(&folder)).is_some();
            if !has_half && kilter::env::gpus().is_empty() {
                assert!(failure.message.ends_with("this machine has no GPU that CUDA could use"), "{failure}");
                assert!(failure.hints[0].starts_with("with device = \"auto\""), "{:?}", failure.hints);
            }
            assert!(!failure.hints.is_empty());
        }
    }
}
