//! The labels of `/metrics` and the words they may hold.

use prometheus_client::encoding::EncodeLabelSet;

use collector::Kind;

/// How an OTLP request came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Transport {
    /// gRPC with protobuf.
    Grpc,
    /// HTTP with protobuf.
    HttpProtobuf,
    /// HTTP with JSON.
    HttpJson,
}

/// How an OTLP request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Acknowledged whole.
    Accepted,
    /// Acknowledged, with some of it rejected by name.
    Partial,
    /// Refused for good: not what it claims to be.
    Malformed,
    /// Refused for good: beyond a size limit.
    TooLarge,
    /// Refused for good: content type or compression unknown.
    Unsupported,
    /// Refused for good: wrong path or method.
    Misdirected,
    /// Refused for now: its body was too slow.
    Slow,
    /// Refused for now: no room in memory or in the queue.
    Busy,
    /// Refused for now: the store could not commit.
    Unavailable,
    /// Refused for now: the server was stopping.
    Stopping,
    /// Refused for now: our own fault.
    Panicked,
    /// Unanswered: the sender hung up before.
    Abandoned,
}

impl Transport {
    fn as_str(self) -> &'static str {
        match self {
            Transport::Grpc => "grpc",
            Transport::HttpProtobuf => "http_protobuf",
            Transport::HttpJson => "http_json",
        }
    }
}

impl Outcome {
    /// Whether the sender was told that its request is kept.
    pub(super) fn is_acknowledged(self) -> bool {
        matches!(self, Outcome::Accepted | Outcome::Partial)
    }

    fn as_str(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Partial => "partial",
            Outcome::Malformed => "malformed",
            Outcome::TooLarge => "too_large",
            Outcome::Unsupported => "unsupported",
            Outcome::Misdirected => "misdirected",
            Outcome::Slow => "slow",
            Outcome::Busy => "busy",
            Outcome::Unavailable => "unavailable",
            Outcome::Stopping => "stopping",
            Outcome::Panicked => "panicked",
            Outcome::Abandoned => "abandoned",
        }
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct SignalLabels {
    signal: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct DedupLabels {
    by: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct RequestLabels {
    signal: &'static str,
    transport: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ItemLabels {
    signal: &'static str,
    class: &'static str,
    bad: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct RemarkLabels {
    signal: &'static str,
    remark: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct ReceiverLabels {
    receiver: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct TableLabels {
    table: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct DeliveryLabels {
    receiver: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct SloLabels {
    slo: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
pub(super) struct WindowLabels {
    slo: String,
    window: String,
}

impl SignalLabels {
    pub(super) fn new(kind: Kind) -> SignalLabels {
        let signal = signal(kind);
        SignalLabels { signal }
    }
}

impl RequestLabels {
    pub(super) fn new(kind: Kind, transport: Transport, outcome: Outcome) -> RequestLabels {
        RequestLabels {
            signal: signal(kind),
            transport: transport.as_str(),
            outcome: outcome.as_str(),
        }
    }
}

impl DedupLabels {
    pub(super) fn new(by: &'static str) -> DedupLabels {
        DedupLabels { by }
    }
}

impl ItemLabels {
    pub(super) fn new(kind: Kind, class: &'static str, bad: bool) -> ItemLabels {
        ItemLabels {
            signal: signal(kind),
            class,
            bad: if bad { "true" } else { "false" },
        }
    }
}

impl RemarkLabels {
    pub(super) fn new(kind: Kind, remark: &'static str) -> RemarkLabels {
        let signal = signal(kind);
        RemarkLabels { signal, remark }
    }
}

impl ReceiverLabels {
    pub(super) fn new(receiver: &str) -> ReceiverLabels {
        ReceiverLabels {
            receiver: receiver.to_owned(),
        }
    }
}

impl TableLabels {
    pub(super) fn new(table: &str) -> TableLabels {
        TableLabels {
            table: table.to_owned(),
        }
    }
}

impl DeliveryLabels {
    pub(super) fn new(receiver: &str, outcome: &'static str) -> DeliveryLabels {
        DeliveryLabels {
            receiver: receiver.to_owned(),
            outcome,
        }
    }
}

impl SloLabels {
    pub(super) fn new(slo: &str) -> SloLabels {
        SloLabels {
            slo: slo.to_owned(),
        }
    }
}

impl WindowLabels {
    pub(super) fn new(slo: &str, window: &str) -> WindowLabels {
        WindowLabels {
            slo: slo.to_owned(),
            window: window.to_owned(),
        }
    }
}

fn signal(kind: Kind) -> &'static str {
    match kind {
        Kind::Traces => "traces",
        Kind::Metrics => "metrics",
        Kind::Logs => "logs",
    }
}
