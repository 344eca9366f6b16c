//! What is kept to save time: standings, last keys, digests of files.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| kilter::dev::fuzz::standing(bytes));
