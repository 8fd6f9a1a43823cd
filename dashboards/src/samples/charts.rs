//! Series to draw.

use std::time::Duration;

use super::{State, ago, wobble};
use crate::Text;
use crate::number::{real, whole};
use crate::view::{
    Counts, Endpoint, LatencyColumn, LatencyGrid, Range, SlowVerdict, Steps, Threshold,
};

/// The last hour.
pub(super) fn hour() -> Range {
    Range {
        from: ago(3_600),
        to: ago(0),
        live: true,
    }
}

/// Events of one step: `rate` a second, `ratio` of them bad.
fn step(rate: f64, seconds: u64, ratio: f64, seed: u64, index: u64) -> Counts {
    let total = whole(rate * real(seconds) * (1.0 + 0.05 * wobble(seed, index)));
    let bad = whole(real(total) * ratio * (1.0 + 0.3 * wobble(seed + 1, index)));
    Counts {
        total,
        bad: bad.min(total),
    }
}

/// `count` steps of `seconds`, ending now; `ratio` is asked with how many seconds ago the step ends, and
/// `None` is a gap.
pub(super) fn steps(
    count: u64,
    seconds: u64,
    rate: f64,
    seed: u64,
    ratio: impl Fn(u64) -> Option<f64>,
) -> Steps {
    let length = i64::try_from(count * seconds).unwrap_or(0);
    let counts = (0..count).map(|index| {
        let ends_ago = (count - 1 - index) * seconds;
        ratio(ends_ago).map_or_else(Counts::default, |ratio| {
            step(rate, seconds, ratio, seed, index)
        })
    });
    Steps {
        from: ago(length),
        step: Duration::from_secs(seconds),
        counts: counts.collect(),
    }
}

/// Failing per minute over the last hour.
pub(super) fn minutes(state: State) -> Steps {
    steps(60, 60, 1_240.0, 7, |ago| match state {
        State::Empty => None,
        State::NoData => (ago > 33 * 60).then_some(0.000_4),
        State::Young => (ago < 20 * 60).then_some(0.000_4),
        State::Paging => Some(if ago < 23 * 60 { 0.062 } else { 0.000_3 }),
        State::Hostile => Some(if ago % 300 == 0 { 1.0 } else { 0.0 }),
        State::Healthy | State::Missed => Some(0.000_3),
    })
}

/// Two windows of 30 days in steps of 6 hours; of the missed month nine days and a bit.
pub(super) fn past(state: State) -> Steps {
    let day = 86_400;
    let reach = if state == State::Missed { 37 } else { 240 };
    steps(reach, day / 4, 1_240.0, 11, |ago| {
        let base = 0.000_12;
        let spike = match (state, ago / (day / 4)) {
            (State::Empty, _) | (State::NoData, 0) => return None,
            (State::Young, step) if step > 24 => return None,
            (State::Missed, 24..30) => 0.006,
            (State::Paging | State::Missed | State::Hostile, 56) => 0.032,
            (State::Paging | State::Missed | State::Hostile, 78) => 0.017,
            (State::Paging, 0) => 0.004,
            (_, 150) => 0.03,
            _ => 0.0,
        };
        Some(base + spike)
    })
}

/// Spending a day, 90 days.
pub(super) fn days(state: State, seed: u64) -> Steps {
    steps(90, 86_400, 1_240.0, seed, |ago| {
        let day = ago / 86_400;
        match state {
            State::Empty => None,
            State::Young => (day < 6).then_some(0.000_2),
            State::NoData if day == 0 => None,
            State::Paging | State::Missed if [14, 20, 40].contains(&day) => Some(0.008),
            State::Hostile => Some(if day == 3 { 1.0 } else { 0.0 }),
            _ => Some(0.000_2 + 0.000_1 * wobble(seed, day)),
        }
    })
}

/// Requests a day, 30 days with weekends, and the same before.
pub(super) fn demand(state: State) -> (Steps, Vec<Counts>) {
    let day = 86_400;
    let of = |shift: u64, rate: f64| {
        steps(30, day, rate, 3, |ago| match state {
            State::Empty => None,
            State::Young if ago / day >= 6 => None,
            _ => Some(if (ago / day + shift) % 7 < 2 {
                0.000_1
            } else {
                0.000_3
            }),
        })
    };
    let weekend = |steps: &mut Steps| {
        let length = steps.counts.len();
        for (index, counts) in steps.counts.iter_mut().enumerate() {
            if (length - 1 - index) % 7 < 2 {
                counts.total = counts.total / 10 * 8;
            }
        }
    };
    let (mut now, mut before) = (of(0, 7_500.0), of(2, 7_000.0));
    weekend(&mut now);
    weekend(&mut before);
    let before = if state == State::Young {
        Vec::new()
    } else {
        before.counts
    };
    (now, before)
}

/// The last hour's latencies: a log-normal with a second peak when paging.
pub(super) fn latency(state: State, seed: u64, median_us: f64) -> LatencyGrid {
    let columns = (0..60_u64).map(|minute| {
        let ago = (59 - minute) * 60;
        let silent = match state {
            State::Empty => true,
            State::NoData => ago < 33 * 60,
            State::Young => ago >= 20 * 60,
            _ => false,
        };
        if silent {
            return LatencyColumn::default();
        }
        let slow = matches!(state, State::Paging | State::Hostile)
            && ago < 23 * 60
            && seed.is_multiple_of(3);
        column(seed, minute, median_us, if slow { 0.2 } else { 0.0 })
    });
    let columns: Vec<LatencyColumn> = columns.collect();
    let values = || columns.iter().flat_map(|column| &column.values);
    let total = values().map(|(_, count)| count).sum();
    let slow = values()
        .filter(|(us, _)| *us > 400_000)
        .map(|(_, count)| count)
        .sum();
    LatencyGrid {
        from: ago(3_600),
        step: Duration::from_mins(1),
        columns,
        counted: slo_specs::Noun::Request,
        threshold: Some(Threshold {
            bound_us: 400_000,
            slow: (slow, total),
            objective: "checkout-latency".to_owned(),
            verdict: SlowVerdict::Bad,
        }),
    }
}

fn column(seed: u64, minute: u64, median_us: f64, slow: f64) -> LatencyColumn {
    let mut values = Vec::new();
    for part in 0..48_u64 {
        let sigmas = f64::from(u32::try_from(part).unwrap_or(0)) / 8.0 - 3.0;
        let weight =
            (-sigmas * sigmas / 2.0).exp() * 800.0 * (1.0 + 0.25 * wobble(seed + part, minute));
        values.push((whole(median_us * (sigmas * 0.55).exp()), whole(weight)));
    }
    let total: u64 = values.iter().map(|(_, count)| count).sum();
    if slow > 0.0 {
        let stuck = whole(real(total) * slow);
        values.push((2_030_000, stuck));
    }
    values.retain(|(_, count)| *count > 0);
    values.sort_unstable();
    let (p50_us, p99_us) = (quantile(&values, 0.5), quantile(&values, 0.99));
    LatencyColumn {
        values,
        p50_us,
        p99_us,
    }
}

/// Nearest rank.
fn quantile(values: &[(u64, u64)], of: f64) -> Option<u64> {
    let total: u64 = values.iter().map(|(_, count)| count).sum();
    let rank = whole((real(total) * of).ceil());
    let mut seen = 0;
    values.iter().find_map(|(value, count)| {
        seen += count;
        (seen >= rank).then_some(*value)
    })
}

/// Endpoints that fail.
pub(super) fn endpoints(state: State) -> Vec<Endpoint> {
    let name = |name: &str| {
        Text::new(if state == State::Hostile {
            super::HOSTILE
        } else {
            name
        })
    };
    let endpoint = |path: &str, service: &str, total: u64, bad: u64, seed: u64| Endpoint {
        name: name(path),
        service: if state == State::Hostile {
            super::HOSTILE.to_owned()
        } else {
            service.to_owned()
        },
        counts: Counts { total, bad },
        before: (!seed.is_multiple_of(4)).then_some(Counts {
            total: 90_000,
            bad: 60 * (seed % 3),
        }),
        recent: minutes(state),
    };
    match state {
        State::Empty | State::Healthy | State::NoData => Vec::new(),
        _ => vec![
            endpoint("POST /v2/checkout/confirm", "checkout", 273_800, 58_600, 1),
            endpoint(
                "POST /v2/checkout/payment-intents",
                "checkout",
                209_000,
                31_200,
                2,
            ),
            endpoint("PUT /v2/carts/{id}/reserve", "cart", 221_000, 8_400, 3),
            endpoint("GET /v2/orders/{id}", "orders", 233_000, 2_100, 4),
            endpoint("POST /v1/sessions/refresh", "identity", 350_000, 700, 5),
        ],
    }
}
