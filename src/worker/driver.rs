//! What the driver of NVIDIA GPUs says of those that this process sees. It is in the process once libtorch's CUDA half is, and is
//! asked without CUDA's headers and without being linked, so that a machine without GPUs needs neither.

use std::ffi::{CStr, c_char, c_int, c_void};

/// The handle of a GPU by its number among those that the process sees; 0 is success, as of all of the driver's functions.
type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
/// The name of a GPU by its handle, into so many bytes.
type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;

/// The driver's functions.
struct Driver {
    get: Get,
    name: Name,
}

/// The name of a GPU by its number, which libtorch counts as the driver does: `CUDA_VISIBLE_DEVICES` leaves out those that the stage
/// was not granted. `None` where no driver is loaded.
pub fn gpu(number: c_int) -> Option<String> {
    Driver::loaded()?.gpu(number)
}

impl Driver {
    fn loaded() -> Option<Self> {
        // SAFETY: the texts end with a 0. The library is only looked for, not loaded; closing takes back what looking added, and who
        // loaded it keeps it. The types are those of CUDA's driver interface.
        unsafe {
            let library = libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
            if library.is_null() {
                return None;
            }
            let find = |name: &CStr| libc::dlsym(library, name.as_ptr());
            let (get, name) = (find(c"cuDeviceGet"), find(c"cuDeviceGetName"));
            libc::dlclose(library);
            if get.is_null() || name.is_null() {
                return None;
            }
            Some(Self {
                get: std::mem::transmute::<*mut c_void, Get>(get),
                name: std::mem::transmute::<*mut c_void, Name>(name),
            })
        }
    }

    fn gpu(&self, number: c_int) -> Option<String> {
        let mut handle = 0;
        let mut text = [0_u8; 256];
        // SAFETY: both places outlive the calls, and no more is written than there is room for.
        let told = unsafe {
            (self.get)(&raw mut handle, number) == 0 && (self.name)(text.as_mut_ptr().cast(), 256, handle) == 0
        };
        let name = CStr::from_bytes_until_nul(&text).ok().filter(|_| told)?;
        Some(name.to_string_lossy().trim().to_owned()).filter(|name| !name.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two GPUs, whose handles are not their numbers.
    unsafe extern "C" fn get(handle: *mut c_int, number: c_int) -> c_int {
        if !(0..2).contains(&number) {
            return 101;
        }
        // SAFETY: the caller gives a place for it.
        unsafe { *handle = 7 + number };
        0
    }

    unsafe extern "C" fn name(text: *mut c_char, room: c_int, handle: c_int) -> c_int {
        let name = if handle == 7 { c"NVIDIA A" } else { c"NVIDIA B " };
        let bytes = name.to_bytes_with_nul();
        assert!(bytes.len() <= usize::try_from(room).expect("room"));
        // SAFETY: there is room for it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), text.cast(), bytes.len()) };
        0
    }

    #[test]
    fn a_gpu_is_named_by_its_number_among_those_that_are_seen() {
        let driver = Driver { get, name };
        let names = [0, 1, 2].map(|number| driver.gpu(number));
        assert_eq!(names, [Some("NVIDIA A".to_owned()), Some("NVIDIA B".to_owned()), None]);
    }

    #[test]
    fn without_a_driver_there_is_no_name_and_no_crash() {
        if kilter::env::gpus().is_empty() {
            assert_eq!(gpu(0), None);
        }
    }
}
