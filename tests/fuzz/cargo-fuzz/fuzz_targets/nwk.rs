#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipdect_dect::nwk::fuzz_nwk(data));
