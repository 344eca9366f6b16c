//! Job files and what workers answer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kilter::dev::fuzz::job(bytes));
