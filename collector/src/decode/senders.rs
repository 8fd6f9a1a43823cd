//! Who sent a request's spans, and how their clocks compare with ours.

use crate::decode::admission::Timing;
use crate::decode::fold::Fold;

/// Senders told apart in one request; the spans of further ones are told together.
const MAX_SENDERS: usize = 64;

/// A resource's spans in one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// `service.name`; empty for all senders of a request beyond the first 64.
    pub service: String,
    /// `service.instance.id`, or `host.name` without one; empty if neither is known.
    pub instance: String,
    /// The least time from a span's end by the sender's clock to its arrival by ours, in
    /// nanoseconds: below 0 its clock is ahead.
    pub least_nanos: i64,
    /// Spans with usable times, rejected ones included.
    pub spans: u64,
    /// Those of them that were ahead and taken as now.
    pub clamped: u64,
    /// Those of them that were rejected as future.
    pub future: u64,
}

/// The clock of the resource under way, as its spans show it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Skew {
    least_nanos: i64,
    spans: u64,
    clamped: u64,
    future: u64,
}

impl Default for Skew {
    fn default() -> Skew {
        Skew {
            least_nanos: i64::MAX,
            spans: 0,
            clamped: 0,
            future: 0,
        }
    }
}

impl Skew {
    pub(crate) fn note(&mut self, now: u64, end: u64, timing: Timing) {
        self.least_nanos = self.least_nanos.min(now.wrapping_sub(end).cast_signed());
        self.spans += 1;
        match timing {
            Timing::Due | Timing::Late => {}
            Timing::Ahead => self.clamped += 1,
            Timing::Future => self.future += 1,
        }
    }
}

impl Sender {
    fn add(&mut self, skew: Skew) {
        self.least_nanos = self.least_nanos.min(skew.least_nanos);
        self.spans += skew.spans;
        self.clamped += skew.clamped;
        self.future += skew.future;
    }
}

impl Fold<'_> {
    /// The resource under way ends: its clock is noted.
    pub(crate) fn end_resource(&mut self) {
        let skew = std::mem::take(&mut self.resource.skew);
        if skew.spans == 0 {
            return;
        }
        let (service, instance) = (&*self.resource.service, self.resource.instance());
        let same = |sender: &&mut Sender| sender.service == service && sender.instance == instance;
        if let Some(known) = self.senders.iter_mut().find(same) {
            return known.add(skew);
        }
        let told = self.senders.len() < MAX_SENDERS;
        if !told && let Some(rest) = self.senders.get_mut(MAX_SENDERS) {
            return rest.add(skew);
        }
        let text = |text: &str| {
            if told { text.to_owned() } else { String::new() }
        };
        self.senders.push(Sender {
            service: text(service),
            instance: text(instance),
            least_nanos: skew.least_nanos,
            spans: skew.spans,
            clamped: skew.clamped,
            future: skew.future,
        });
    }
}
