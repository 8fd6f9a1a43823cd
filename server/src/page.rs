//! tmp
#![allow(missing_docs, dead_code, unused)]
use std::sync::Arc;
#[derive(Debug, Clone)]
pub struct Receiver;
#[derive(Debug, serde::Deserialize)]
pub struct ReceiverDocument {}
impl Receiver {
    pub fn resolve_all(d: Vec<ReceiverDocument>) -> Result<Vec<Receiver>, Vec<(usize, String)>> {
        Ok(vec![])
    }
    pub fn takes(&self, s: slo_specs::Severity, w: &[String]) -> bool {
        true
    }
    pub fn name(&self) -> &str {
        ""
    }
}
pub struct NoticeInput<'a> {
    pub key: &'a crate::judge::AlertKey,
    pub event: &'a crate::judge::Event,
    pub now: jiff::Timestamp,
    pub base_url: &'a str,
}
pub struct Notice;
impl Notice {
    pub fn new(i: &NoticeInput<'_>) -> Notice {
        Notice
    }
    pub fn to_json(&self) -> String {
        String::new()
    }
}
pub struct Workers;
impl Workers {
    pub fn new(
        s: crate::store::Store,
        r: Arc<Vec<Receiver>>,
        o: Arc<tokio::sync::Notify>,
        m: crate::metrics::Metrics,
        c: crate::clock::SystemClock,
    ) -> anyhow::Result<Workers> {
        Ok(Workers)
    }
    pub async fn run(self, t: tokio_util::sync::CancellationToken) {
        t.cancelled().await
    }
}
