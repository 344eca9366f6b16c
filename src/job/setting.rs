//! What decides a worker process's numbers.

use super::Device;
use serde::{Deserialize, Serialize};

/// How far the numbers are to be the same elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Numerics {
    /// Fastest here; bit-identical on the same class of processor.
    #[default]
    Native,
    /// The instruction set is pinned to AVX2; bit-identical on any x86-64 that has it.
    Portable,
}

/// What decides a worker process's numbers; a warm worker is reused only for jobs of the same setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Intra-op threads. It decides the order of additions, so it is part of the numbers.
    pub threads: usize,
    /// See [`Numerics`].
    pub numerics: Numerics,
    /// See [`Device`].
    pub device: Device,
}

/// Environment variables that would change a worker's numbers and are not part of its setting: the engine removes
/// them before it starts one.
pub const CLEARED: &[&str] = &[
    "ATEN_CPU_CAPABILITY",
    "DNNL_DEFAULT_FPMATH_MODE",
    "DNNL_MAX_CPU_ISA",
    "GOMP_CPU_AFFINITY",
    "MKL_CBWR",
    "MKL_DEBUG_CPU_TYPE",
    "MKL_ENABLE_INSTRUCTIONS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_PROC_BIND",
    "OMP_SCHEDULE",
    "OMP_THREAD_LIMIT",
    "OMP_WAIT_POLICY",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
];

impl Setting {
    /// The environment that a worker for this setting is started with.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let threads = self.threads.max(1).to_string();
        let mut pairs = vec![
            ("OMP_NUM_THREADS", threads.clone()),
            ("MKL_NUM_THREADS", threads),
            // Fewer threads than asked for would add in another order.
            ("OMP_DYNAMIC", "FALSE".to_owned()),
            ("MKL_DYNAMIC", "FALSE".to_owned()),
            // A thread that waits looks for work for a tenth of a millisecond, then sleeps. Measured (docs/benchmarks.md):
            // with less a small network has a fifth of its speed, with more two jobs that share cores lose theirs.
            ("GOMP_SPINCOUNT", "3000".to_owned()),
            // Large pages for the heap: no number changes, and a step of a small CNN takes about 8 % less.
            ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1".to_owned()),
        ];
        if self.numerics == Numerics::Portable {
            pairs.extend([
                ("ATEN_CPU_CAPABILITY", "avx2".to_owned()),
                ("ONEDNN_MAX_CPU_ISA", "AVX2".to_owned()),
                ("MKL_CBWR", "AVX2".to_owned()),
            ]);
        }
        if self.device == Device::Cuda {
            // cuBLAS is deterministic only with a workspace of fixed size.
            pairs.extend([
                ("CUBLAS_WORKSPACE_CONFIG", ":4096:8".to_owned()),
                ("CUDA_MODULE_LOADING", "LAZY".to_owned()),
            ]);
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_pins_what_the_setting_says() {
        let setting = Setting { threads: 2, numerics: Numerics::Portable, device: Device::Cpu };
        let pairs = setting.environment();
        assert!(pairs.contains(&("OMP_NUM_THREADS", "2".to_owned())));
        assert!(pairs.contains(&("ATEN_CPU_CAPABILITY", "avx2".to_owned())));
        let native = Setting { numerics: Numerics::Native, ..setting }.environment();
        assert!(native.iter().all(|(name, _)| !CLEARED.contains(name)));
    }
}
