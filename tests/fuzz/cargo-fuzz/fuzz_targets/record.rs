#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipdect_handset::record::fuzz_record(data));
