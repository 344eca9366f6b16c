//! Manifests: loaded and checked.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kilter::dev::fuzz::manifest(bytes));
