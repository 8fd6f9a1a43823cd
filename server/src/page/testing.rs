//! Pages for tests.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use slo_specs::{
    Bound, Burn, BurnRate, BurnSeen, Change, Condition, Ending, ErrorBudget, Evaluation,
    Exhaustion, Indicator, Objective, Part, Ratio, Reading, Rule, Seen, Selector, Severity, Signal,
    Source, Tally, Transition,
};

use super::notice::{Notice, NoticeInput};
use crate::judge::{AlertKey, Cause, Event};

pub(crate) const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

/// Where the secrets of tests are kept.
pub(crate) fn environment(name: &str) -> Option<String> {
    match name {
        "WEBHOOK" => Some(WEBHOOK_SECRET.to_owned()),
        "ROUTING_KEY" => Some(ROUTING_KEY.to_owned()),
        _ => None,
    }
}

pub(crate) fn fired() -> Notice {
    notice(|_, _| {})
}

pub(crate) fn resolved() -> Notice {
    notice(|_, event| event.transition.change = Change::Resolved)
}

/// A resolve because the objective left the catalog.
pub(crate) fn removed() -> Notice {
    notice(|_, event| {
        event.transition.change = Change::Resolved;
        event.transition.reason = "the objective was removed".to_owned();
        event.cause = None;
    })
}

/// The usual page, with something changed.
pub(crate) fn notice(change: impl FnOnce(&mut Objective, &mut Event)) -> Notice {
    let mut event = Event {
        transition: Transition {
            change: Change::Fired,
            incident: 482,
            reason: "burn rate 30.0 over 1 h and 250.0 over 5 min, threshold 14.4".to_owned(),
        },
        fired_at: at("2026-03-10T02:54:00Z"),
        late: false,
        cause: Some(cause()),
    };
    let mut objective = objective();
    change(&mut objective, &mut event);
    if let Some(cause) = &mut event.cause {
        cause.objective = Arc::new(objective);
    }
    let now = if event.fired() {
        event.fired_at
    } else {
        at("2026-03-10T03:17:00Z")
    };
    Notice::new(&NoticeInput {
        key: &AlertKey {
            objective: "checkout-availability".to_owned(),
            rule: "page-fast".to_owned(),
        },
        event: &event,
        now,
        base_url: "https://slo.example.com/team/",
    })
}

pub(crate) fn selector(signal: Signal) -> Selector {
    Selector {
        signal,
        span_kind: (signal == Signal::Traces).then(|| "server".to_owned()),
        span_name: Vec::new(),
        status: None,
        metric: None,
        root: false,
        read_as: slo_specs::ReadAs::AsSent,
        matchers: Vec::new(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cause() -> Cause {
    let target: Ratio = "0.999".parse().unwrap();
    let (long, short) = (Tally::new(4_000, 120), Tally::new(400, 100));
    let window = Tally::new(1_000_000, 590);
    let at = at("2026-03-10T02:54:00Z");
    Cause {
        objective: Arc::new(objective()),
        rule: rule(),
        reading: Reading {
            at,
            seen: Seen::Burn(BurnSeen {
                long,
                short,
                long_burn: BurnRate::of(long, target),
                short_burn: BurnRate::of(short, target),
                long_over: true,
                short_over: true,
                confidence: None,
            }),
            breached: true,
            clear: false,
        },
        evaluation: Evaluation {
            uncorrected: None,
            at,
            window,
            budget: ErrorBudget {
                target,
                tally: window,
            },
            readings: Vec::new(),
            exhaustion: Exhaustion::In(Duration::from_mins(320)),
            exhaustion_window: Duration::from_mins(5),
            measured_since: None,
            last_event: None,
        },
    }
}

fn objective() -> Objective {
    Objective {
        id: "checkout-availability".to_owned(),
        slo: "checkout-availability".to_owned(),
        title: "Checkout requests succeed".to_owned(),
        description: String::new(),
        service: "checkout".to_owned(),
        tier: None,
        target: "0.999".parse().unwrap(),
        window: Duration::from_hours(30 * 24).into(),
        budgeting: slo_specs::Budgeting::Occurrences,
        indicator: Indicator::Ratio {
            part: Part::Bad(selector(Signal::Traces)),
            total: selector(Signal::Traces),
        },
        rules: vec![rule()],
        allowances: Vec::new(),
        runbook: Some("https://runbooks.example/checkout".to_owned()),
        segments: Vec::new(),
        segmentation: slo_specs::Segmentation::default(),
        segment: None,
        labels: std::collections::BTreeMap::new(),
        corrections: Vec::new(),
        source: Source::default(),
    }
}

fn rule() -> Rule {
    Rule {
        name: "page-fast".to_owned(),
        severity: Severity::Page,
        condition: Condition::Burn(Burn {
            long: Duration::from_hours(1),
            short: Duration::from_mins(5),
            threshold: "14.4".parse().unwrap(),
            bound: Bound::Above,
            minimum_bad: 3,
            confidence: None,
        }),
        hold: Duration::ZERO,
        receivers: Vec::new(),
        ending: Ending::Told,
        note: None,
    }
}
