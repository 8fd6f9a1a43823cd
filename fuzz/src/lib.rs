//! What every decoder of sloburn must hold to, whatever bytes it is given: one function a decoder, that panics
//! when it does not.
//!
//! `make fuzz` calls them with libFuzzer's inputs (`fuzz/libfuzzer`), `cargo test` with those kept in
//! `fuzz/seeds`: real payloads, and what once broke something.

mod bodies;
mod config;
#[path = "../../collector/tests/otlp/json_writer.rs"]
mod json_writer;
mod otlp;
mod specs;
#[path = "../../server/src/receive/inflate/steps.rs"]
mod steps;
mod stored;

/// A decoder under test. Panics when its promise is broken.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also the name of its folder of seeds.
pub const TARGETS: [(&str, Target); 14] = [
    ("traces-protobuf", otlp::traces_protobuf),
    ("traces-json", otlp::traces_json),
    ("metrics-protobuf", otlp::metrics_protobuf),
    ("metrics-json", otlp::metrics_json),
    ("logs-protobuf", otlp::logs_protobuf),
    ("logs-json", otlp::logs_json),
    ("delta", stored::delta),
    ("pack", stored::pack),
    ("series", stored::series),
    ("stream", stored::stream),
    ("chunk", stored::chunk),
    ("spec", specs::spec),
    ("inflate", bodies::inflate),
    ("config", config::config),
];

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, target)| *target)
}
