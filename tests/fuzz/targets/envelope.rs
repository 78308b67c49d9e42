#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| oort_fuzz::envelope(bytes));
