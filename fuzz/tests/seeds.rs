//! Every seed through its decoder: what once broke something stays mended.

use std::fs;
use std::path::Path;

#[test]
fn every_seed_holds_what_its_decoder_promises() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (name, target) in fuzz::TARGETS {
        let mut held = 0;
        for entry in fs::read_dir(seeds.join(name)).expect("every target has seeds") {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&bytes));
            assert!(outcome.is_ok(), "{} breaks `{name}`", path.display());
            held += 1;
        }
        assert!(held > 0, "`{name}` has no seeds");
    }
}

#[test]
fn every_folder_of_seeds_has_its_target() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for entry in fs::read_dir(seeds).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            fuzz::target(&name).is_some(),
            "seeds/{name} is of no target"
        );
    }
}
