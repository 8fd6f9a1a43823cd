//! What goes wrong in the shop, and when: a pure function of the time since the demo's start.
//!
//! The faults follow each other in a cycle of ten minutes, so that each objective has time to recover before its
//! own fault comes back.

use std::time::Duration;

use super::shop::{Operation, Region, Service};

/// After this time everything starts over.
pub(crate) const CYCLE: Duration = Duration::from_mins(10);

/// One thing that breaks in one service and region for a while.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    /// What a person would call it, to follow a time: "checkout 4.21.3 is rolled out in eu-west and fails".
    pub(crate) title: &'static str,
    pub(crate) service: Service,
    pub(crate) region: Region,
    /// The one route it is about, or all of the service's.
    pub(crate) route: Option<&'static str>,
    /// Since the cycle's start.
    pub(crate) begins: Duration,
    pub(crate) lasts: Duration,
    pub(crate) effect: Effect,
}

/// How a fault shows in the requests of its service and region.
#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    /// A new version takes a share of the requests, and most of them wait for something and then fail.
    BadRelease {
        version: &'static str,
        takes: f64,
        fails: f64,
        failure: Failure,
    },
    /// Everything takes longer by this factor.
    Slow { factor: f64 },
    /// A share of the requests waits for something and then fails.
    Failing { fails: f64, failure: Failure },
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    /// The span that waits for what does not come.
    pub(crate) waits_in: &'static str,
    pub(crate) waits: Duration,
    /// `exception.type` and `exception.message`.
    pub(crate) error: (&'static str, &'static str),
}

impl Fault {
    /// Whether the fault touches this operation in this region.
    pub(crate) fn touches(&self, operation: &Operation, region: Region) -> bool {
        self.runs_in(operation.service, region)
            && self.route.is_none_or(|route| route == operation.route)
    }

    /// Whether the fault is in this service and region.
    pub(crate) fn runs_in(&self, service: Service, region: Region) -> bool {
        self.service == service && self.region == region
    }
}

/// A time as a clock shows it.
const fn clock(minutes: u64, seconds: u64) -> Duration {
    Duration::from_secs(minutes * 60 + seconds)
}

/// The cycle's faults in order; they never overlap.
pub(crate) static FAULTS: [Fault; 4] = [
    Fault {
        title: "checkout 4.21.3 is rolled out in eu-west and fails",
        service: Service::Checkout,
        region: Region::EuWest,
        route: None,
        begins: clock(0, 40),
        lasts: clock(1, 20),
        effect: Effect::BadRelease {
            version: "4.21.3",
            takes: 0.5,
            fails: 0.6,
            failure: Failure {
                status: 503,
                waits_in: "append to ledger",
                waits: Duration::from_secs(2),
                error: ("LedgerTimeout", "no answer from ledger within 2 s"),
            },
        },
    },
    Fault {
        title: "search in us-east loses its cache and is slow",
        service: Service::Search,
        region: Region::UsEast,
        route: None,
        begins: clock(3, 20),
        lasts: clock(1, 5),
        effect: Effect::Slow { factor: 9.0 },
    },
    Fault {
        title: "sign-in in ap-south cannot reach its token store",
        service: Service::Identity,
        region: Region::ApSouth,
        route: Some("/sign-in"),
        begins: clock(5, 50),
        lasts: clock(1, 0),
        effect: Effect::Failing {
            fails: 0.6,
            failure: Failure {
                status: 500,
                waits_in: "read token",
                waits: Duration::from_millis(300),
                error: ("TokenStoreUnreachable", "connection refused by token store"),
            },
        },
    },
    Fault {
        title: "the card processor of payments in us-east drops a few charges",
        service: Service::Payments,
        region: Region::UsEast,
        route: Some("/charges"),
        begins: clock(8, 0),
        lasts: clock(1, 20),
        effect: Effect::Failing {
            fails: 0.02,
            failure: Failure {
                status: 502,
                waits_in: "authorize card",
                waits: Duration::from_millis(900),
                error: ("ProcessorClosed", "card processor closed the connection"),
            },
        },
    },
];

/// The fault that is active this long after the demo's start, if one is.
///
/// A fault begins with its first moment and ends before its last: `[begins, begins + lasts)`.
pub(crate) fn active(since_start: Duration) -> Option<&'static Fault> {
    let in_cycle = in_cycle(since_start);
    FAULTS
        .iter()
        .find(|fault| fault.begins <= in_cycle && in_cycle < fault.begins + fault.lasts)
}

fn in_cycle(since_start: Duration) -> Duration {
    let whole = since_start.as_secs() / CYCLE.as_secs();
    since_start.saturating_sub(Duration::from_secs(whole * CYCLE.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::{CYCLE, FAULTS, Service, active, clock};
    use std::time::Duration;

    const MOMENT: Duration = Duration::from_nanos(1);

    #[test]
    fn the_first_fault_begins_within_40_s_and_is_over_after_two_minutes() {
        assert_eq!(active(clock(0, 40).saturating_sub(MOMENT)), None);
        let fault = active(clock(0, 40)).unwrap();
        assert_eq!(fault.service, Service::Checkout);
        assert_eq!(active(clock(2, 0).saturating_sub(MOMENT)), Some(fault));
        assert_eq!(active(clock(2, 0)), None);
    }

    #[test]
    fn faults_repeat_every_cycle() {
        for second in 0..CYCLE.as_secs() {
            let first = Duration::from_secs(second);
            assert_eq!(active(first), active(first + CYCLE));
            assert_eq!(active(first), active(first + 7 * CYCLE));
        }
    }

    #[test]
    fn faults_never_overlap_and_fit_the_cycle() {
        for pair in FAULTS.windows(2) {
            assert!(pair[0].begins + pair[0].lasts < pair[1].begins);
        }
        let last = &FAULTS[FAULTS.len() - 1];
        assert!(last.begins + last.lasts < CYCLE);
    }
}
