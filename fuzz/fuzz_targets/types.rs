//! What checking found of tables, kept to save time.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kilter::dev::fuzz::types(bytes));
