#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipdect_sip::fuzzing::fuzz_stream(data));
