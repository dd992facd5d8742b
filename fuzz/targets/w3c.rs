#![no_main]
#[path = "../../tests/bodies/mod.rs"]
mod bodies;
libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::run("w3c", data));
