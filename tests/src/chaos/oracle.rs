//! What was sent, what became of it as far as its sender knows, and whether the counts can be true.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use crate::api::Slos;
use crate::chaos::store::Slices;

/// Unknown requests of one service that are tried out in every combination.
const COMBINED: usize = 12;

/// What some events add to the counts of their service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events.
    pub total: u64,
    /// Events with an error.
    pub bad: u64,
    /// Events above the threshold of the service's latency objective.
    pub slow: u64,
}

/// What the sender of a request knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Answered with success: it must be counted.
    Acknowledged,
    /// Refused for good, or rejected by name: it must not be counted.
    Refused,
    /// Asked to send again, no answer, half an answer: it may be counted.
    Unknown,
}

/// One request of spans.
#[derive(Debug, Clone)]
pub struct Request {
    /// `service.name` of all its spans.
    pub service: String,
    /// OTLP protobuf.
    pub body: Vec<u8>,
    /// What it adds.
    pub counts: Counts,
    /// Events and errors by end of their slice, Unix seconds.
    pub slices: BTreeMap<i64, (u64, u64)>,
    /// What its sender knows.
    pub fate: Fate,
}

/// A sender of running totals: what it had acknowledged, and what it sent at most.
#[derive(Debug, Clone, Copy, Default)]
pub struct Running {
    /// Sum of the last acknowledged totals of all its lives.
    pub acknowledged: Counts,
    /// Sum of the last sent totals of all its lives.
    pub sent: Counts,
}

/// Everything that was sent to one sloburn.
#[derive(Debug, Default)]
pub struct Oracle {
    /// Requests of spans by service, in the order they were sent.
    pub requests: BTreeMap<String, Vec<Request>>,
    /// Senders of running totals by service.
    pub running: BTreeMap<String, Running>,
    /// Services whose events may have been taken as of now: which slice has them is not known.
    pub anywhen: Vec<String>,
}

/// What sloburn says of one service.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    counts: Counts,
    slices: Option<BTreeMap<i64, (u64, u64)>>,
}

impl Counts {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            total: self.total + other.total,
            bad: self.bad + other.bad,
            slow: self.slow + other.slow,
        }
    }

    fn at_most(self, other: Counts) -> bool {
        self.total <= other.total && self.bad <= other.bad && self.slow <= other.slow
    }
}

impl Running {
    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Running) -> Running {
        Running {
            acknowledged: self.acknowledged.plus(other.acknowledged),
            sent: self.sent.plus(other.sent),
        }
    }
}

impl Oracle {
    /// Remembers requests.
    pub fn remember(&mut self, requests: impl IntoIterator<Item = Request>) {
        for request in requests {
            let of_service = self.requests.entry(request.service.clone()).or_default();
            of_service.push(request);
        }
    }

    /// Every request whose fate is not known.
    pub fn unknown(&mut self) -> impl Iterator<Item = &mut Request> {
        let all = self.requests.values_mut().flatten();
        all.filter(|request| request.fate == Fate::Unknown)
    }

    /// Requests, and those among them of unknown fate.
    pub fn sizes(&self) -> (usize, usize) {
        let all = || self.requests.values().flatten();
        let unknown = all().filter(|request| request.fate == Fate::Unknown);
        (all().count(), unknown.count())
    }

    /// Acknowledged ⊆ counted ⊆ acknowledged ∪ unknown. When nothing is unknown, this is equality.
    pub fn check(&self, slos: &Slos, slices: Option<&Slices>) -> Result<()> {
        for (service, requests) in &self.requests {
            let anywhen = self.anywhen.contains(service);
            let slices = slices.filter(|_| !anywhen).map(|all| of(all, service));
            let counts = counts(slos, service)?;
            explain(requests, &Counted { counts, slices })
                .with_context(|| format!("service `{service}`"))?;
        }
        for (service, running) in &self.running {
            let counted = counts(slos, service)?;
            ensure!(
                running.acknowledged.at_most(counted) && counted.at_most(running.sent),
                "`{service}` counted {counted:?}, and should between {running:?}"
            );
        }
        Ok(())
    }
}

fn of(slices: &Slices, service: &str) -> BTreeMap<i64, (u64, u64)> {
    let of_service = slices.iter().filter(|((of, _), _)| of == service);
    of_service
        .map(|((_, end), counts)| (*end, *counts))
        .collect()
}

/// The counts of a service: its objective of the same name, and that of its latencies.
fn counts(slos: &Slos, service: &str) -> Result<Counts> {
    let (answered, fast) = (
        slos.named(service)?,
        slos.named(&format!("{service}-fast"))?,
    );
    ensure!(
        answered.total == fast.total,
        "two objectives over the events of `{service}` count {} and {}",
        answered.total,
        fast.total
    );
    Ok(Counts {
        total: answered.total,
        bad: answered.bad,
        slow: fast.bad,
    })
}

/// Looks for a set of unknown requests that, with all acknowledged ones, makes exactly these counts.
fn explain(requests: &[Request], counted: &Counted) -> Result<()> {
    let sum = |chosen: &dyn Fn(&Request) -> bool| -> Counted {
        let mut sum = Counted::default();
        let slices = sum.slices.get_or_insert_default();
        for request in requests.iter().filter(|request| chosen(request)) {
            sum.counts = sum.counts.plus(request.counts);
            for (end, (total, bad)) in &request.slices {
                let slice = slices.entry(*end).or_default();
                *slice = (slice.0 + total, slice.1 + bad);
            }
        }
        if counted.slices.is_none() {
            sum.slices = None;
        }
        sum
    };
    let acknowledged = sum(&|request| request.fate == Fate::Acknowledged);
    let possible = sum(&|request| request.fate != Fate::Refused);
    if !acknowledged.counts.at_most(counted.counts) {
        bail!("acknowledged and not counted: {counted:?}, acknowledged {acknowledged:?}");
    }
    if !counted.counts.at_most(possible.counts) {
        bail!("counted and never sent, or twice: {counted:?}, possible {possible:?}");
    }
    let unknown: Vec<*const Request> = requests
        .iter()
        .filter(|request| request.fate == Fate::Unknown)
        .map(std::ptr::from_ref)
        .collect();
    if unknown.len() > COMBINED {
        return Ok(());
    }
    let explained = (0_u32..1 << unknown.len()).any(|set| {
        let in_set = |request: &Request| {
            let at = unknown
                .iter()
                .position(|other| std::ptr::eq(*other, request));
            at.is_some_and(|at| set & (1 << at) != 0)
        };
        sum(&|request| request.fate == Fate::Acknowledged || in_set(request)) == *counted
    });
    ensure!(
        explained,
        "no whole requests make {counted:?}: acknowledged {acknowledged:?}, {} unknown make {possible:?}",
        unknown.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(total: u64, end: i64, fate: Fate) -> Request {
        Request {
            service: "s".to_owned(),
            body: Vec::new(),
            counts: Counts {
                total,
                bad: 1,
                slow: 2,
            },
            slices: [(end, (total, 1))].into(),
            fate,
        }
    }

    fn verdict(total: u64, bad: u64, slices: &[(i64, (u64, u64))]) -> bool {
        let sent = [
            request(10, 20, Fate::Acknowledged),
            request(7, 30, Fate::Unknown),
            request(5, 30, Fate::Unknown),
            request(3, 40, Fate::Refused),
        ];
        let counts = Counts {
            total,
            bad,
            slow: 2 * bad,
        };
        let slices = Some(slices.iter().copied().collect());
        explain(&sent, &Counted { counts, slices }).is_ok()
    }

    #[test]
    fn only_whole_requests_that_may_be_counted_explain_the_counts() {
        let ten = (20, (10, 1));
        assert!(verdict(10, 1, &[ten]), "no unknown one");
        assert!(verdict(17, 2, &[ten, (30, (7, 1))]), "one of them");
        assert!(verdict(22, 3, &[ten, (30, (12, 2))]), "both");
        for (case, refuted) in [
            (
                "an acknowledged one is missing",
                verdict(7, 1, &[(30, (7, 1))]),
            ),
            ("counted twice", verdict(20, 2, &[(20, (20, 2))])),
            ("half a request", verdict(13, 2, &[ten, (30, (3, 1))])),
            ("in another slice", verdict(17, 2, &[ten, (40, (7, 1))])),
            ("a refused one", verdict(13, 2, &[ten, (40, (3, 1))])),
        ] {
            assert!(!refuted, "{case}");
        }
    }
}
