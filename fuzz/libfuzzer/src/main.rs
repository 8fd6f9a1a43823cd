//! libFuzzer around the target that `FUZZ_TARGET` names. One binary for all: linking is most of what more would cost.
#![no_main]

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static TARGET: OnceLock<fuzz::Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names the target");
        fuzz::target(&name).unwrap_or_else(|| panic!("no target `{name}`"))
    });
    target(bytes);
});
