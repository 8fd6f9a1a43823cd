//! One view of each page for each state.

use std::time::Duration;

use super::charts::{days, demand, endpoints, hour, latency, minutes, past};
use super::objectives::{alerts, all, definition, looks, rules};
use super::{HOSTILE, State, ago, now};
use crate::Text;
use crate::view::{
    Allowance, Banner, Correction, Counts, DebugView, ExecutiveView, Failure, Ingest, LatencyGrid,
    Objective, OncallView, OpenPage, Outlook, Range, Segment, Sender, Served, ServiceLatency,
    ServiceRow, Shell, Signal, SloView, SlosView, SlowVerdict, Status, Trace, TraceWhy, WentWell,
};

pub(super) fn shell(state: State, url: &str) -> Shell {
    let objectives = all(state);
    let paging = objectives
        .iter()
        .filter(|o| o.status == Status::Paging)
        .map(|o| OpenPage {
            objective: o.id.clone(),
            title: o.title.clone(),
            service: o.service.clone(),
            since: ago(23 * 60),
        });
    let empty = state == State::Empty;
    let problem = "checkout.yaml:14:11: target must be below 1";
    Shell {
        evaluation: 918_273,
        at: now(),
        url: url.to_owned(),
        live: true,
        theme: None,
        paging: paging.collect(),
        debug_service: (!empty).then(|| "checkout".to_owned()),
        last_event: (!empty).then(|| ago(if state == State::NoData { 33 * 60 } else { 4 })),
        received: if state == State::Paging {
            (4_464_000, 893)
        } else {
            (4_464_000, 0)
        },
        services: if empty { 0 } else { 8 },
        objectives: objectives.len(),
        catalog_problems: match state {
            State::Missed => vec![Text::new(problem)],
            State::Hostile => vec![Text::new(HOSTILE)],
            _ => Vec::new(),
        },
        catalog_warnings: match state {
            State::Missed | State::Young => vec![Text::new(
                "slo-specs/catalog/checkout.yaml:9:11: warning: rule `page-fast` pages, and no receiver takes pages",
            )],
            State::Hostile => vec![Text::new(HOSTILE)],
            _ => Vec::new(),
        },
        storage: match state {
            State::Missed => vec![Text::new(
                "New telemetry is refused, and senders are asked to try again: the disk is full.",
            )],
            State::Hostile => vec![Text::new(HOSTILE)],
            _ => Vec::new(),
        },
        version: "0.1.0",
    }
}

fn named(state: State, name: &str) -> String {
    if state == State::Hostile {
        HOSTILE.to_owned()
    } else {
        name.to_owned()
    }
}

/// `/executive`
pub fn executive(state: State) -> ExecutiveView {
    let mut objectives = all(state);
    let (steps, before) = demand(state);
    let mut services: Vec<ServiceRow> = Vec::new();
    for (index, objective) in objectives.iter().enumerate() {
        if let Some(row) = services
            .iter_mut()
            .find(|row| row.service == objective.service)
        {
            row.objectives += 1;
            row.paging += usize::from(objective.status == Status::Paging);
        } else {
            services.push(ServiceRow {
                service: objective.service.clone(),
                objectives: 1,
                paging: usize::from(objective.status == Status::Paging),
                worst: objective.clone(),
                days: days(state, index as u64),
            });
        }
    }
    if state == State::Missed {
        objectives.extend(objectives.first().cloned().map(|whole| Objective {
            id: format!("{}.eu-west", whole.id),
            title: Text::new(&format!("{}: cloud.region = eu-west", whole.title)),
            segment: Some(Segment {
                whole: whole.id,
                name: Text::new("cloud.region = eu-west"),
            }),
            ..whole
        }));
    }
    let measured = state != State::Empty;
    ExecutiveView {
        segments: if state == State::Missed { 12 } else { 0 },
        shell: shell(state, "/executive"),
        went_well: measured.then(|| WentWell {
            counts: Counts {
                total: 3_210_000_000,
                bad: 2_247_000,
            },
            promised: 0.999,
            objectives: 4,
            trend: days(state, 40),
        }),
        served: Served {
            total: if measured { 18_412_345_678 } else { 0 },
            before: (measured && state != State::Young).then_some(17_337_000_000),
            busiest: measured.then(|| (ago(86_400), 11_900.0)),
            measured_since: (state == State::Young).then(|| ago(6 * 86_400)),
        },
        demand: steps,
        demand_before: before,
        services,
        alerts: alerts(state),
        objectives,
    }
}

/// `/oncall`
pub fn oncall(state: State) -> OncallView {
    let objectives = all(state);
    let paging = objectives.iter().filter(|o| o.status == Status::Paging);
    OncallView {
        shell: shell(state, "/oncall"),
        banners: paging.map(|objective| banner(state, objective)).collect(),
        trouble: (state == State::NoData).then(|| Text::new("ref 7f3a")),
        endpoints: endpoints(state),
        endpoints_range: hour(),
        alerts: alerts(state),
        objectives,
    }
}

fn banner(state: State, objective: &Objective) -> Banner {
    let slow = objective.target < 0.999;
    Banner {
        objective: objective.id.clone(),
        title: objective.title.clone(),
        service: named(state, "checkout"),
        failure: if slow {
            Failure::TooSlow
        } else {
            Failure::Fails
        },
        counted: slo_specs::Noun::Request,
        service_known: true,
        rule: Text::new(&named(state, "page-fast")),
        because: None,
        long: (
            Duration::from_hours(1),
            Counts {
                total: 4_464_000,
                bad: 106_243,
            },
        ),
        short: (
            Duration::from_mins(5),
            Counts {
                total: 372_000,
                bad: if slow { 63_000 } else { 23_064 },
            },
        ),
        allowed: 1.0 - objective.target,
        burn: (objective.burn_1h, objective.burn_5m),
        since: ago(540),
        left: objective.budget.left,
        used: Some(0.031),
        outlook: objective.outlook,
        outlook_long: Outlook::EmptyIn(Duration::from_hours(13)),
        minutes: minutes(state),
        runbook: (!slow).then(|| "https://runbooks.example/checkout".to_owned()),
        range: Range {
            from: ago(3_600),
            to: ago(0),
            live: true,
        },
    }
}

/// `/slos`
pub fn slos(state: State) -> SlosView {
    SlosView {
        shell: shell(state, "/slos"),
        objectives: all(state),
    }
}

/// `/slos/{id}`; there is none in the empty state, so that one is an objective nothing was ever received for.
pub fn slo(state: State) -> SloView {
    let mut objective = all(state).into_iter().next().unwrap_or_else(|| {
        let mut never = all(State::NoData).remove(0);
        never.last_event = None;
        never
    });
    objective.segment = (state == State::Missed).then(|| Segment {
        whole: "checkout".to_owned(),
        name: Text::new("cloud.region = eu-west"),
    });
    let lowest = policy(state).into_iter().rfind(|one| one.holds);
    objective.allows = lowest.map(|one| one.allows);
    if state == State::Healthy {
        objective.outlook = Outlook::NotAtThisRate;
    }
    SloView {
        shell: shell(state, "/slos/checkout-requests-succeed"),
        description: Text::new(&named(
            state,
            "99.9 % of checkout requests get a good answer.",
        )),
        unweighted: (state == State::Missed).then(|| ago(600)),
        service_known: state != State::Empty,
        runbook: Some(if state == State::Hostile {
            "javascript:alert(1)".to_owned()
        } else {
            "https://runbooks.example/checkout".to_owned()
        }),
        range: hour(),
        focus: (state == State::Paging).then(|| "rule:page-fast".to_owned()),
        looks: looks(state),
        quantiles_us: (state == State::Missed).then_some([80_000, 210_000, 2_030_000]),
        rules: rules(state),
        past: past(state),
        minutes: minutes(state),
        latency: slo_latency(state),
        days: days(state, 5),
        trouble: (state == State::NoData).then(|| Text::new("ref 7f3a")),
        // Of time slices and of segments endpoints say nothing.
        endpoints: (!matches!(state, State::Young | State::Missed)).then(|| endpoints(state)),
        alerts: alerts(state),
        segments: if state == State::Paging {
            segments(&objective)
        } else {
            Vec::new()
        },
        alerted_by: None,
        policy: policy(state),
        corrections: corrections(state),
        uncorrected: (state == State::Missed).then_some(-0.81),
        definition: definition(state),
        objective,
    }
}

/// A young objective is about slow time slices.
fn slo_latency(state: State) -> Option<LatencyGrid> {
    let mut grid = match state {
        State::Missed => return Some(latency(State::Paging, 0, 80_000.0)),
        State::Young => latency(state, 0, 80_000.0),
        _ => return None,
    };
    if let Some(threshold) = &mut grid.threshold {
        threshold.verdict = SlowVerdict::BadSlice(0.99);
    }
    Some(grid)
}

/// Three marks, agreed before they were reached.
fn policy(state: State) -> Vec<Allowance> {
    let marks = match state {
        State::Missed => [(0.5, true), (0.25, true), (0.0, true)],
        State::Paging | State::Hostile => [(0.5, true), (0.25, false), (0.0, false)],
        _ => return Vec::new(),
    };
    let says = [
        "releases with a second reviewer",
        "releases that make it more reliable",
        "only fixes",
    ];
    let allowance = |((below, holds), allows): ((f64, bool), &str)| Allowance {
        below,
        allows: Text::new(&named(state, allows)),
        owner: (below < 0.5).then(|| Text::new(&named(state, "Head of payments"))),
        holds,
    };
    marks.into_iter().zip(says).map(allowance).collect()
}

/// Three regions of an objective.
fn segments(whole: &Objective) -> Vec<Objective> {
    let regions = ["eu-west", "us-east", "rest"].into_iter();
    let segment = |(region, kind): (&str, State)| {
        let mut segment = all(kind)
            .into_iter()
            .next()
            .unwrap_or_else(|| whole.clone());
        segment.id = format!("{}.{region}", whole.id);
        let name = match region {
            "rest" => "rest by cloud.region".to_owned(),
            region => format!("cloud.region = {region}"),
        };
        segment.title = Text::new(&format!("{}: {name}", whole.title));
        segment.segment = Some(Segment {
            whole: whole.id.clone(),
            name: Text::new(&name),
        });
        segment
    };
    regions
        .zip([State::Paging, State::Healthy, State::NoData])
        .map(segment)
        .collect()
}

fn corrections(state: State) -> Vec<Correction> {
    if !matches!(state, State::Missed | State::Hostile) {
        return Vec::new();
    }
    let weekly = Correction {
        title: Text::new(&named(state, "Weekly index rebuild")),
        kind: "maintenance",
        reason: Text::new(&named(
            state,
            "Search is read-only while the index is rebuilt",
        )),
        author: Text::new(&named(state, "ada@example.com")),
        times: 4,
        latest: (ago(600), ago(0)),
        until: Some(ago(-6_600)),
    };
    let outage = Correction {
        title: Text::new(&named(state, "Provider outage")),
        kind: "exclusion",
        times: 1,
        latest: (ago(300_000), ago(290_000)),
        until: None,
        ..weekly.clone()
    };
    vec![weekly, outage]
}

fn ingest(state: State) -> Ingest {
    if state == State::Empty {
        return Ingest::default();
    }
    let counts = |total, bad| Counts { total, bad };
    let lost = if state == State::Paging { 893 } else { 0 };
    let sender = |instance: &str, skew_ms, clamped, future| Sender {
        instance: Text::new(&named(state, instance)),
        skew_ms,
        spans: 1_420_338,
        clamped,
        future,
    };
    Ingest {
        signals: vec![Signal {
            name: "spans",
            received: counts(4_464_000 + lost, 106_243 + lost / 2),
            classes: vec![
                ("counted", counts(4_400_000, 106_000)),
                ("unmatched", counts(63_000, 243)),
                ("duplicate", counts(1_000, 0)),
                ("late", counts(lost, lost / 2)),
                ("shed", counts(0, 0)),
            ],
            notes: vec![("clamped", counts(120, 3))],
        }],
        unweighted: (state == State::Missed).then(|| ago(600)),
        senders: vec![
            sender("checkout-7d9f-2", Some(-12_400), 120, lost),
            sender("checkout-7d9f-1", Some(640), 0, 0),
            sender("", None, 0, 0),
        ],
        other_senders: (state == State::Missed).then(|| sender("", Some(3), 4, 0)),
    }
}

fn traces(state: State) -> Vec<Trace> {
    let trace = |id: u128, why, took_us, before| Trace {
        id: format!("{id:032x}"),
        why,
        took_us,
        at: ago(before),
    };
    match state {
        State::Empty => Vec::new(),
        _ => vec![
            trace(
                0x9f2c_0b6e_41d7_a380_5c11_7e0f_33aa_2041,
                TraceWhy::Failed,
                Some(2_003_114),
                40,
            ),
            trace(
                0x0b31_77ce_9a05_4d12_88f0_61c3_d2e4_5a76,
                TraceWhy::Slow,
                Some(412_907),
                310,
            ),
            trace(
                0x41f9_ad20_7c6b_4e83_b05d_19e8_6f72_c3a4,
                TraceWhy::Point,
                None,
                95,
            ),
        ],
    }
}

/// `/debug/{service}`
pub fn debug(state: State) -> DebugView {
    let services = [
        "checkout", "ledger", "cart", "pricing", "identity", "search", "orders", "edge",
    ];
    let neighbours = services.iter().enumerate().skip(1).map(|(index, service)| {
        let scale = f64::from(u32::try_from(index).unwrap_or(1));
        let mut grid = latency(state, index as u64, 12_000.0 * scale);
        if index % 2 == 0 {
            grid.threshold = None;
        }
        ServiceLatency {
            service: named(state, service),
            status: (index % 2 == 1).then_some(if index == 3 {
                Status::Ticket
            } else {
                Status::OnTrack
            }),
            p99_us: grid.columns.last().and_then(|column| column.p99_us),
            latency: grid,
        }
    });
    let ours = all(state)
        .into_iter()
        .filter(|o| o.service == Text::new("checkout"));
    DebugView {
        shell: shell(state, "/debug/checkout"),
        service: named(state, "checkout"),
        services: services
            .iter()
            .map(|service| named(state, service))
            .collect(),
        range: hour(),
        focus: None,
        requests: minutes(state),
        latency: (state != State::Empty).then(|| latency(state, 0, 80_000.0)),
        trouble: (state == State::NoData).then(|| Text::new("ref 7f3a")),
        endpoints: endpoints(state),
        objectives: ours.collect(),
        traces: (state != State::NoData).then(|| traces(state)),
        ingest: ingest(state),
        neighbours: if state == State::Empty {
            Vec::new()
        } else {
            neighbours.collect()
        },
    }
}
