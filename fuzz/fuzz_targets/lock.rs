//! Locks, as they are and as merges left them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kilter::dev::fuzz::lock(bytes));
