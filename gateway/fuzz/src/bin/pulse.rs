#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tuoan_fuzz::fuzz::pulse(data));
