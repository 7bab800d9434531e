#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipdect_dect::dlc::fuzz_dlc(data, std::time::Instant::now()));
