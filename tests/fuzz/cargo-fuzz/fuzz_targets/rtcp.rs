#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ipdect_media::fuzz::fuzz_rtcp(data));
