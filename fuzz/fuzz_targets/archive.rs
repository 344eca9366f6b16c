//! Archives that `fetch` takes members out of.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kilter::dev::fuzz::archive(bytes));
