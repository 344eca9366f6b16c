//! Where tensors lie, and how they get elsewhere.

use crate::failure::Failure;
use crate::shim;
use std::path::Path;
use tch::{Device, Tensor};

/// A dataset lies on a GPU where it takes at most this part of what is free there; else batches of it go there.
const PART: u64 = 4;

/// Where a file's tensors are to lie whose batches are needed on a device. No number depends on it.
pub fn home(path: &Path, device: Device) -> Device {
    if device == Device::Cpu {
        return device;
    }
    let size = std::fs::metadata(path).map_or(0, |about| about.len());
    match shim::cuda_free(device) {
        Ok(free) if size > free / PART => Device::Cpu,
        _ => device,
    }
}

/// A tensor on a device. From the CPU to a GPU by way of memory that the GPU reads by itself, so that nobody waits.
///
/// # Errors
/// What libtorch says.
pub fn moved(tensor: Tensor, device: Device) -> Result<Tensor, Failure> {
    if tensor.device() == device {
        return Ok(tensor);
    }
    match (tensor.device(), device) {
        (Device::Cpu, Device::Cuda(_)) => {
            // `pin_memory` of tch always names a device, which libtorch warns of at every call.
            Ok(tensor.f_internal_pin_memory(device)?.f_to_device_(device, tensor.kind(), true, false)?)
        }
        _ => Ok(tensor.f_to_device(device)?),
    }
}
