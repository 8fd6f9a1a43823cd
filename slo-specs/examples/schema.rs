//! Writes the JSON schema of spec files: `cargo run -p slo-specs --example schema`.

fn main() -> std::io::Result<()> {
    std::fs::write(
        concat!(env!("CARGO_MANIFEST_DIR"), "/schema/spec.json"),
        slo_specs::schema(),
    )
}
