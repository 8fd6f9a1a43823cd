//! The number rules, by table and by property.

use proptest::prelude::*;

use super::*;
use crate::number::{real, whole};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn budgets_are_cut_toward_bad() {
    let cases = [
        (Some(0.41), "41%"),
        (Some(0.419_9), "41%"),
        (Some(1.0), "100%"),
        (Some(0.999_9), "99%"),
        (Some(0.0), "0%"),
        (Some(-0.0), "0%"),
        (Some(-1e-15), "0%"),
        (Some(-0.000_1), "−1%"),
        (Some(-0.082), "−9%"),
        (Some(-9.5), "−950%"),
        (Some(-12.0), "under −999%"),
        (Some(7.0), "100%"),
        (Some(f64::NAN), "—"),
        (Some(f64::NEG_INFINITY), "—"),
        (None, "—"),
    ];
    for (left, shown) in cases {
        assert_eq!(budget(left), shown, "{left:?}");
    }
    assert_eq!(budget_fine(Some(0.031)), "3.1%");
    assert_eq!(budget_fine(Some(-0.004)), "−0.4%");
    assert_eq!(budget_fine(Some(-4.69e-14)), "0.0%");
}

#[test]
fn good_shares_never_reach_a_target_they_miss() {
    let counts = |total, bad| Counts { total, bad };
    assert_eq!(good(counts(1_000_000, 1_001), 0.999), "99.899%");
    assert_eq!(good(counts(1_000_000, 590), 0.999), "99.941%");
    assert_eq!(good(counts(1_000_000_000_000_000, 1), 0.999), "99.999%");
    assert_eq!(good(counts(10, 0), 0.99), "100.00%");
    assert_eq!(good(counts(3, 1), 0.9), "66.6%");
    assert_eq!(good(counts(0, 0), 0.9), "—");
    assert_eq!(failing(counts(1_000, 62)), "6.2%");
    assert_eq!(failing(counts(1_000_000, 61_301)), "6.2%");
    assert_eq!(failing(counts(1_000_000, 1)), "under 0.1%");
    assert_eq!(failing(counts(1_000, 1)), "0.1%");
    assert_eq!(failing(counts(4, 4)), "100%");
    assert_eq!(failing(counts(4, 0)), "0%");
    assert_eq!(failing(counts(0, 0)), "—");
}

#[test]
fn burn_rates_have_the_digits_that_matter() {
    let cases = [
        (Some(62.04), "62×"),
        (Some(9.96), "10×"),
        (Some(6.84), "6.8×"),
        (Some(0.1), "0.1×"),
        (Some(0.099), "under 0.1×"),
        (Some(0.0), "0×"),
        (Some(-0.0), "0×"),
        (Some(1_000_000.0), "1\u{202f}000\u{202f}000×"),
        (Some(f64::INFINITY), "—"),
        (Some(f64::NAN), "—"),
        (Some(-1.0), "—"),
        (None, "—"),
    ];
    for (rate, shown) in cases {
        assert_eq!(burn(rate), shown, "{rate:?}");
    }
    assert_eq!(threshold(14.4), "14.4×");
    assert_eq!(threshold(6.0), "6×");
    assert_eq!(target(0.999), "99.9%");
    assert_eq!(target(0.9995), "99.95%");
    assert_eq!(one_in(0.251).as_deref(), Some("1 in 4"));
    assert_eq!(one_in(0.062).as_deref(), Some("1 in 16"));
    assert_eq!(one_in(0.4), None);
    assert_eq!(one_in(0.0), None);
    assert_eq!(one_in(1.0), None);
}

#[test]
fn counts_have_three_figures() {
    let cases = [
        (0, "0"),
        (999, "999"),
        (1_234, "1.23k"),
        (58_655, "58.6k"),
        (999_999, "999k"),
        (1_320_000, "1.32 M"),
        (3_210_000_000, "3.21 bn"),
        (1_000_000_000_000_000, "1\u{202f}000 tn"),
    ];
    for (value, shown) in cases {
        assert_eq!(count(value), shown);
    }
    assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
    assert_eq!(per_second(73.2), "73");
    assert_eq!(per_second(0.42), "0.4");
}

#[test]
fn durations_have_two_units() {
    let cases = [
        (0, "0 s"),
        (95, "95 s"),
        (23 * 60 + 59, "23 min"),
        (5 * HOUR, "5 h 00 min"),
        (13 * HOUR + 59 * 60, "13 h"),
        (2 * DAY + 4 * HOUR, "2 d 4 h"),
        (3 * DAY, "3 d"),
        (15 * DAY + 7 * HOUR, "15 d"),
        (u64::MAX, "over 10 years"),
    ];
    for (length, shown) in cases {
        assert_eq!(duration(seconds(length)), shown);
    }
    assert_eq!(window(seconds(90 * 60)), "1 h 30 min");
    assert_eq!(window(seconds(30 * DAY)), "30 d");
    let cases = [
        (850, "850 µs"),
        (2_449, "2.4 ms"),
        (256_400, "256 ms"),
        (2_030_000, "2.03 s"),
        (400_000, "400 ms"),
    ];
    for (us, shown) in cases {
        assert_eq!(latency(us), shown);
    }
}

#[test]
fn times_carry_the_day_when_it_is_another() {
    let now = at("2026-03-10T03:14:06Z");
    assert_eq!(time(at("2026-03-10T02:51:00Z"), now), "02:51");
    assert_eq!(time(at("2026-03-03T02:51:00Z"), now), "3 Mar 02:51");
    assert_eq!(time(at("2025-12-31T23:59:59Z"), now), "31 Dec 2025 23:59");
    assert_eq!(moment(at("2026-03-03T02:51:00Z"), now), "3 Mar");
    assert_eq!(stamp(now), "10 Mar 2026 03:14 UTC");
    assert_eq!(between(now, at("2026-03-10T03:13:06Z")), Duration::ZERO);
    assert_eq!(capitalised("eleven of twelve"), "Eleven of twelve");
}

proptest! {
    #[test]
    fn no_float_escapes_the_rules(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        let shown = [
            budget(Some(value)), budget_fine(Some(value)), burn(Some(value)), target(value),
            share(value), threshold(value), per_second(value),
        ];
        for figure in &shown[..3] {
            prop_assert!(!figure.contains('-') && !figure.contains('e') || figure.starts_with("under"));
            prop_assert!(!figure.starts_with("−0%") && figure != "−0.0%");
        }
        for figure in shown {
            prop_assert!(!figure.contains("NaN") && !figure.contains("inf"), "{figure}");
        }
    }

    #[test]
    fn a_missed_target_is_never_shown_as_kept(total in 1_u64..=1_000_000_000_000_000, share in 0.0_f64..1.0) {
        let bad = whole(real(total) * share * 0.01);
        let counts = Counts { total, bad };
        for promised in [0.9, 0.99, 0.995, 0.999, 0.9995, 0.9999] {
            let shown: f64 = good(counts, promised).trim_end_matches('%').parse().unwrap();
            let kept = u128::from(total - bad) * 10_000
                >= u128::from(total) * u128::from(scaled(promised));
            prop_assert!(kept || shown < promised * 100.0, "{shown} for {counts:?}");
            prop_assert!(shown <= 100.0);
        }
    }

    #[test]
    fn durations_are_never_more_than_two_units(length in any::<u64>()) {
        let shown = duration(seconds(length));
        prop_assert!(shown.split(' ').count() <= 4, "{shown}");
        prop_assert!(!shown.contains('-'));
    }
}

#[test]
fn what_is_divided_by_can_be_divided_by_again() {
    for (value, shown) in [
        (0.0, "0"),
        (-3.0, "0"),
        (0.004, "0.004"),
        ((1.0 - 0.99) * 54.0, "0.54"),
        (12.5, "12.5"),
        (100.0, "100"),
        ((1.0 - 0.999) * 10_000_000.0, "10\u{202f}000"),
    ] {
        assert_eq!(amount(value), shown);
    }
}

/// A ratio in units of 1/10 000.
fn scaled(ratio: f64) -> u32 {
    u32::try_from(whole((ratio * 10_000.0).round())).unwrap()
}
