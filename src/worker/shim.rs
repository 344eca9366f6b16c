//! The safe face of `shim.cpp`: each function here says what the C++ one does, with its errors as [`Failure`]s.

use crate::failure::Failure;
use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use tch::Tensor;

/// The constants of an optimizer's rule, as `shim.cpp` lays them out.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    pub momentum: f64,
    pub dampening: f64,
    pub weight_decay: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub nesterov: i32,
}

/// The rules that the shim knows, with its numbers.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub enum Rule {
    Sgd = 0,
    Adam = 1,
    AdamW = 2,
}

#[repr(C)]
struct RawOptimizer {
    _private: [u8; 0],
}

type RawTensor = torch_sys::C_tensor;

unsafe extern "C" {
    fn kilter_free(text: *mut c_char);
    fn kilter_set_up(threads: i32) -> *mut c_char;
    fn kilter_cpu_capability() -> *mut c_char;
    fn kilter_load_library(path: *const c_char) -> *mut c_char;
    fn kilter_channels_last(tensor: *mut RawTensor) -> *mut c_char;
    fn kilter_optimizer_new(
        rule: i32,
        rates: *const Rates,
        params: *const *mut RawTensor,
        count: usize,
        out: *mut *mut RawOptimizer,
    ) -> *mut c_char;
    fn kilter_optimizer_step(optimizer: *mut RawOptimizer, lr: f64, clip: i32, bound: f64) -> *mut c_char;
    fn kilter_optimizer_norm(optimizer: *mut RawOptimizer, out: *mut *mut RawTensor) -> *mut c_char;
    fn kilter_optimizer_free(optimizer: *mut RawOptimizer);
}

/// Takes a string that the shim allocated.
fn take(text: *mut c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the shim gives null or a string from strdup, which is freed exactly once, here.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        kilter_free(text);
        Some(owned)
    }
}

fn check(answer: *mut c_char) -> Result<(), Failure> {
    take(answer).map_or(Ok(()), |message| Err(Failure::libtorch(&message)))
}

/// Sets threads, deterministic algorithms, no TF32, flushed denormals, for the whole process.
pub fn set_up(threads: usize) -> Result<(), Failure> {
    let threads = i32::try_from(threads).map_err(|_| Failure::new(format!("{threads} threads are too many")))?;
    // SAFETY: takes a number, catches what it throws.
    check(unsafe { kilter_set_up(threads) })
}

/// The instruction set that libtorch chose: `avx2`, `avx512`, `default`.
pub fn cpu_capability() -> String {
    // SAFETY: takes nothing, gives an owned string.
    take(unsafe { kilter_cpu_capability() }).unwrap_or_default().to_lowercase()
}

/// Loads a shared library for everything in the process to see.
pub fn load_library(path: &Path) -> Result<(), Failure> {
    let text = CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(|_| Failure::new(format!("`{}` is not a path", path.display())))?;
    // SAFETY: the string outlives the call.
    check(unsafe { kilter_load_library(text.as_ptr()) })
}

/// Lays a four-dimensional parameter out with its channels last; leaves others alone.
pub fn channels_last(tensor: &Tensor) -> Result<(), Failure> {
    // SAFETY: the pointer is a live tensor's; the shim changes its data, not the handle.
    check(unsafe { kilter_channels_last(tensor.as_ptr().cast_mut()) })
}

/// An optimizer and its state, in C++: a step is one call.
pub struct Optimizer(*mut RawOptimizer);

impl Optimizer {
    /// An optimizer over these parameters, whose storage it shares.
    pub fn new(rule: Rule, rates: Rates, params: &[Tensor]) -> Result<Self, Failure> {
        let raw: Vec<*mut RawTensor> = params.iter().map(|param| param.as_ptr().cast_mut()).collect();
        let mut out = std::ptr::null_mut();
        // SAFETY: the pointers are live tensors'; the shim copies the handles before it returns.
        check(unsafe { kilter_optimizer_new(rule as i32, &raw const rates, raw.as_ptr(), raw.len(), &raw mut out) })?;
        Ok(Self(out))
    }

    /// One step; the gradients are bounded first if wanted, and forgotten afterwards.
    pub fn step(&mut self, lr: f64, clip: Option<kilter::job::Clip>) -> Result<(), Failure> {
        let (kind, bound) = match clip {
            None => (0, 0.0),
            Some(kilter::job::Clip::Norm(bound)) => (1, bound),
            Some(kilter::job::Clip::Value(bound)) => (2, bound),
        };
        // SAFETY: the optimizer lives until drop.
        check(unsafe { kilter_optimizer_step(self.0, lr, kind, bound) })
    }

    /// The norm of all gradients together, before a step bounds and forgets them: a tensor of one float, on the device.
    pub fn gradient_norm(&self) -> Result<Tensor, Failure> {
        let mut out = std::ptr::null_mut();
        // SAFETY: the optimizer lives until drop; what comes back is a new tensor that nobody else owns.
        unsafe {
            check(kilter_optimizer_norm(self.0, &raw mut out))?;
            Ok(Tensor::from_ptr(out))
        }
    }
}

impl Drop for Optimizer {
    fn drop(&mut self) {
        // SAFETY: made by kilter_optimizer_new, freed once.
        unsafe { kilter_optimizer_free(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn a_kernel_of_one_channel_is_laid_out_too_and_keeps_its_values() {
        let kernel = Tensor::arange(18, (Kind::Float, Device::Cpu)).view([2, 1, 3, 3]).set_requires_grad(true);
        let before = kernel.detach().copy();
        channels_last(&kernel).expect("laid out");
        assert_eq!(kernel.stride(), [9, 1, 3, 1]);
        assert!(kernel.requires_grad());
        assert_eq!(kernel.detach(), before);
        let bias = Tensor::arange(3, (Kind::Float, Device::Cpu));
        channels_last(&bias).expect("left alone");
        assert_eq!(bias.stride(), [1]);
    }

    #[test]
    fn what_libtorch_throws_comes_back_as_words() {
        let failure = load_library(Path::new("/no/such/library.so")).expect_err("fails");
        assert!(failure.message.contains("/no/such/library.so"), "{failure}");
    }
}
