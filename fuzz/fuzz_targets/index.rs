//! Records of the store's index.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kilter::dev::fuzz::index(bytes));
