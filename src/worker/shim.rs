//! The safe face of `shim.cpp`: each function here says what the C++ one does, with its errors as [`Failure`]s.

use crate::failure::Failure;
use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use tch::{Device, Tensor};

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
    pub centered: i32,
    pub ns_steps: i32,
}

/// The rules that the shim knows, with its numbers.
#[derive(Clone, Copy, Debug)]
#[repr(i32)]
pub enum Rule {
    Sgd = 0,
    Adam = 1,
    AdamW = 2,
    /// Its `alpha` is `beta2`.
    RmsProp = 3,
    Muon = 4,
}

/// A parameter, and what it is to its optimizer.
pub struct Parameter {
    pub tensor: Tensor,
    /// Whether the weight decay acts on it.
    pub decays: bool,
    /// Whether Muon steps with it as a matrix.
    pub is_matrix: bool,
}

#[cfg(test)]
impl Parameter {
    /// One that decays and is a matrix where it has the dimensions.
    pub fn plain(tensor: &Tensor) -> Self {
        Self { tensor: tensor.shallow_clone(), decays: true, is_matrix: tensor.dim() > 1 }
    }
}

#[repr(C)]
struct RawOptimizer {
    _private: [u8; 0],
}

#[repr(C)]
struct RawGraph {
    _private: [u8; 0],
}

type RawTensor = torch_sys::C_tensor;

unsafe extern "C" {
    fn kilter_free(text: *mut c_char);
    fn kilter_set_up(threads: i32, deterministic: i32, tf32: i32) -> *mut c_char;
    fn kilter_autocast(cuda: i32, bits: i32) -> *mut c_char;
    fn kilter_lerp(
        tensors: *const *mut RawTensor,
        towards: *const *mut RawTensor,
        count: usize,
        weight: f64,
    ) -> *mut c_char;
    fn kilter_cpu_capability() -> *mut c_char;
    fn kilter_load_library(path: *const c_char) -> *mut c_char;
    fn kilter_channels_last(tensor: *mut RawTensor) -> *mut c_char;
    fn kilter_optimizer_new(
        rule: i32,
        rates: *const Rates,
        params: *const *mut RawTensor,
        roles: *const u8,
        count: usize,
        out: *mut *mut RawOptimizer,
    ) -> *mut c_char;
    fn kilter_optimizer_step(optimizer: *mut RawOptimizer, lr: f64, clip: i32, bound: f64) -> *mut c_char;
    fn kilter_optimizer_norm(optimizer: *mut RawOptimizer, out: *mut *mut RawTensor) -> *mut c_char;
    fn kilter_optimizer_state(
        optimizer: *mut RawOptimizer,
        slot: usize,
        param: usize,
        out: *mut *mut RawTensor,
    ) -> *mut c_char;
    fn kilter_optimizer_slots(optimizer: *mut RawOptimizer) -> usize;
    fn kilter_optimizer_started(optimizer: *mut RawOptimizer, set: i32) -> i32;
    fn kilter_optimizer_unscale(
        optimizer: *mut RawOptimizer,
        scale: *mut RawTensor,
        overflow: *mut *mut RawTensor,
    ) -> *mut c_char;
    fn kilter_optimizer_guard(optimizer: *mut RawOptimizer, loss: *mut RawTensor) -> *mut c_char;
    fn kilter_optimizer_forget(optimizer: *mut RawOptimizer);
    fn kilter_optimizer_norms(optimizer: *mut RawOptimizer, out: *mut *mut RawTensor) -> *mut c_char;
    fn kilter_optimizer_free(optimizer: *mut RawOptimizer);
    fn kilter_generator_state(cuda: i32, out: *mut *mut RawTensor) -> *mut c_char;
    fn kilter_set_generator_state(cuda: i32, state: *mut RawTensor) -> *mut c_char;
    fn kilter_optimizer_rate(optimizer: *mut RawOptimizer) -> *mut c_char;
    fn kilter_optimizer_set_rate(optimizer: *mut RawOptimizer, lr: f64) -> *mut c_char;
    fn kilter_cuda_free(index: i32, bytes: *mut u64) -> *mut c_char;
    fn kilter_cuda_give_back() -> *mut c_char;
    fn kilter_graph_new(index: i32, out: *mut *mut RawGraph) -> *mut c_char;
    fn kilter_graph_begin(graph: *mut RawGraph) -> *mut c_char;
    fn kilter_graph_end(graph: *mut RawGraph) -> *mut c_char;
    fn kilter_graph_replay(graph: *mut RawGraph) -> *mut c_char;
    fn kilter_graph_free(graph: *mut RawGraph);
}

/// Takes a string that the shim allocated.
pub fn take(text: *mut c_char) -> Option<String> {
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

/// Sets threads, deterministic algorithms and TF32 as wanted, flushed denormals, for the whole process.
pub fn set_up(threads: usize, deterministic: bool, tf32: bool) -> Result<(), Failure> {
    let threads = i32::try_from(threads).map_err(|_| Failure::new(format!("{threads} threads are too many")))?;
    // SAFETY: takes numbers, catches what it throws.
    check(unsafe { kilter_set_up(threads, i32::from(deterministic), i32::from(tf32)) })
}

/// In how many bits this thread computes what it can in fewer than 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Bits {
    All = 0,
    Bf16 = 1,
    F16 = 2,
}

/// Sets that for a device.
pub fn autocast(device: Device, bits: Bits) -> Result<(), Failure> {
    // SAFETY: takes numbers, catches what it throws.
    check(unsafe { kilter_autocast(i32::from(device != Device::Cpu), bits as i32) })
}

/// Moves each tensor by this part of the way towards the one at its place in `towards`.
pub fn lerp(tensors: &[&Tensor], towards: &[&Tensor], weight: f64) -> Result<(), Failure> {
    let raw = |list: &[&Tensor]| list.iter().map(|tensor| tensor.as_ptr().cast_mut()).collect::<Vec<_>>();
    let (from, to) = (raw(tensors), raw(towards));
    let count = from.len().min(to.len());
    // SAFETY: the pointers are live tensors'; both lists are at least so long.
    check(unsafe { kilter_lerp(from.as_ptr(), to.as_ptr(), count, weight) })
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

/// The index of a CUDA device; -1 for the CPU.
fn cuda_index(device: Device) -> i32 {
    match device {
        Device::Cuda(index) => i32::try_from(index).unwrap_or(i32::MAX),
        _ => -1,
    }
}

/// The state of libtorch's generator for a device: bytes.
pub fn generator_state(device: Device) -> Result<Tensor, Failure> {
    let mut out = std::ptr::null_mut();
    // SAFETY: what comes back is a new tensor that nobody else owns.
    unsafe {
        check(kilter_generator_state(cuda_index(device), &raw mut out))?;
        Ok(Tensor::from_ptr(out))
    }
}

/// Sets the state of libtorch's generator for a device.
pub fn set_generator_state(device: Device, state: &Tensor) -> Result<(), Failure> {
    // SAFETY: the pointer is a live tensor's; the shim copies its bytes.
    check(unsafe { kilter_set_generator_state(cuda_index(device), state.as_ptr().cast_mut()) })
}

/// An optimizer and its state, in C++: a step is one call.
pub struct Optimizer(*mut RawOptimizer);

impl Optimizer {
    /// An optimizer over these parameters, whose storage it shares.
    pub fn new(rule: Rule, rates: Rates, params: &[Parameter]) -> Result<Self, Failure> {
        let raw: Vec<*mut RawTensor> = params.iter().map(|param| param.tensor.as_ptr().cast_mut()).collect();
        let roles: Vec<u8> =
            params.iter().map(|param| u8::from(param.decays) | (u8::from(param.is_matrix) << 1)).collect();
        let mut out = std::ptr::null_mut();
        let (tensors, roles) = (raw.as_ptr(), roles.as_ptr());
        // SAFETY: the pointers are live tensors', one for each role; the shim copies the handles before it returns.
        check(unsafe { kilter_optimizer_new(rule as i32, &raw const rates, tensors, roles, raw.len(), &raw mut out) })?;
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

    /// What is kept for each parameter from step to step, by the number of the slot and of the parameter: tensors that share the
    /// optimizer's memory. `None` where the rule does not use the slot, or there is no such slot.
    pub fn state(&self, slot: usize, param: usize) -> Result<Option<Tensor>, Failure> {
        let mut out = std::ptr::null_mut();
        // SAFETY: the optimizer lives until drop; what comes back is null or a new handle.
        unsafe {
            check(kilter_optimizer_state(self.0, slot, param, &raw mut out))?;
            Ok((!out.is_null()).then(|| Tensor::from_ptr(out)))
        }
    }

    /// How many slots of state there are, used or not.
    pub fn slots(&self) -> usize {
        // SAFETY: the optimizer lives until drop.
        unsafe { kilter_optimizer_slots(self.0) }
    }

    /// Whether it has made a step.
    pub fn is_started(&self) -> bool {
        // SAFETY: the optimizer lives until drop.
        unsafe { kilter_optimizer_started(self.0, -1) != 0 }
    }

    /// Says whether it has made a step.
    pub fn set_started(&mut self, started: bool) {
        // SAFETY: the optimizer lives until drop.
        unsafe { kilter_optimizer_started(self.0, i32::from(started)) };
    }

    /// Divides all gradients by a scale that lies where they do. Where one of them is not finite the next step is not made, and what is
    /// given is 1 instead of 0: a tensor of one float. Nobody waits for it, but by a step of `rmsprop` or `muon`, or before the first.
    pub fn unscale(&mut self, scale: &Tensor) -> Result<Tensor, Failure> {
        let mut out = std::ptr::null_mut();
        // SAFETY: the optimizer lives until drop, the scale is alive; what comes back is a new handle.
        unsafe {
            check(kilter_optimizer_unscale(self.0, scale.as_ptr().cast_mut(), &raw mut out))?;
            Ok(Tensor::from_ptr(out))
        }
    }

    /// On a GPU the next step is not made where this loss is no finite number, by the rules that can do so; nobody waits for it.
    pub fn guard(&mut self, loss: &Tensor) -> Result<(), Failure> {
        // SAFETY: the optimizer lives until drop, the tensor is alive.
        check(unsafe { kilter_optimizer_guard(self.0, loss.as_ptr().cast_mut()) })
    }

    /// From now on steps of `sgd`, `adam` and `adamw` read the rate from the device, and not from their argument.
    pub fn keep_rate_on_device(&mut self) -> Result<(), Failure> {
        // SAFETY: the optimizer lives until drop.
        check(unsafe { kilter_optimizer_rate(self.0) })
    }

    /// Sets that rate.
    pub fn set_rate(&mut self, lr: f64) -> Result<(), Failure> {
        // SAFETY: the optimizer lives until drop.
        check(unsafe { kilter_optimizer_set_rate(self.0, lr) })
    }

    /// Forgets the gradients, without a step.
    pub fn forget(&mut self) {
        // SAFETY: the optimizer lives until drop.
        unsafe { kilter_optimizer_forget(self.0) }
    }

    /// The norm of the gradients of each parameter, in their order: a tensor of floats, on the device.
    pub fn gradient_norms(&self) -> Result<Tensor, Failure> {
        let mut out = std::ptr::null_mut();
        // SAFETY: the optimizer lives until drop; what comes back is a new tensor that nobody else owns.
        unsafe {
            check(kilter_optimizer_norms(self.0, &raw mut out))?;
            Ok(Tensor::from_ptr(out))
        }
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

/// How many bytes of a CUDA device are free.
pub fn cuda_free(device: Device) -> Result<u64, Failure> {
    let mut bytes = 0;
    // SAFETY: the number outlives the call.
    check(unsafe { kilter_cuda_free(cuda_index(device), &raw mut bytes) })?;
    Ok(bytes)
}

/// Gives the memory of GPUs that libtorch keeps for later back to the driver.
pub fn cuda_give_back() -> Result<(), Failure> {
    // SAFETY: takes nothing.
    check(unsafe { kilter_cuda_give_back() })
}

/// What a CUDA device was asked to do, to be asked for again at once.
pub struct Graph(*mut RawGraph);

impl Graph {
    /// Records what `ask` asks of a device, without its being done. What it gives is there after the first [`Graph::replay`]; it and
    /// all tensors that it uses must live as long as the graph.
    pub fn record<T>(device: Device, ask: impl FnOnce() -> Result<T, Failure>) -> Result<(Self, T), Failure> {
        let mut out = std::ptr::null_mut();
        // SAFETY: what comes back is owned by nobody else.
        let graph = unsafe {
            check(kilter_graph_new(cuda_index(device), &raw mut out))?;
            Self(out)
        };
        // SAFETY: the graph lives until drop.
        check(unsafe { kilter_graph_begin(graph.0) })?;
        let asked = ask();
        // SAFETY: as above.
        let ended = check(unsafe { kilter_graph_end(graph.0) });
        let given = asked?;
        ended?;
        Ok((graph, given))
    }

    /// Asks for it again. Nobody waits for it.
    pub fn replay(&self) -> Result<(), Failure> {
        // SAFETY: the graph lives until drop.
        check(unsafe { kilter_graph_replay(self.0) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: made by kilter_graph_new, freed once.
        unsafe { kilter_graph_free(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

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
    fn without_cuda_a_graph_is_an_error_and_no_crash() {
        if !tch::Cuda::is_available() {
            let failure = Graph::record(Device::Cuda(0), || Ok(())).map(drop).expect_err("no CUDA");
            assert!(!failure.message.is_empty());
            assert!(cuda_free(Device::Cuda(0)).is_err() && cuda_give_back().is_err());
        }
    }

    #[test]
    fn what_libtorch_throws_comes_back_as_words() {
        let failure = load_library(Path::new("/no/such/library.so")).expect_err("fails");
        assert!(failure.message.contains("/no/such/library.so"), "{failure}");
    }
}
