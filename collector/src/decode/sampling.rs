//! Sampling: how many spans one stands for, as its `tracestate` says.
//!
//! `OpenTelemetry`'s consistent probability sampling puts the rejection threshold `T` of 2⁵⁶ into
//! the list member `ot`, as `th:` and up to 14 hexadecimal digits without trailing zeros. A span
//! that was kept stands for 2⁵⁶ ÷ (2⁵⁶ − T) spans.

/// The highest weight that is believed: beyond it one span could forge a budget.
const MAX_WEIGHT: u64 = 1 << 20;
const RANDOM_BITS: u32 = 56;
/// 2⁵⁶.
const ALL: u64 = 1 << RANDOM_BITS;
const MAX_DIGITS: usize = 14;

/// What is known of a span's sampling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// Nothing says that it was sampled: it stands for itself.
    #[default]
    Unsaid,
    /// Of 2⁵⁶ random values so many were kept; at least 2³⁶.
    Kept(u64),
    /// It was sampled, but by how much is not said, or not believable.
    Unknown,
}

impl Sampling {
    /// Reads a `tracestate`; one without the member `ot` says nothing.
    pub(crate) fn of_tracestate(state: &[u8]) -> Sampling {
        let mut members = state.split(|byte| *byte == b',');
        let ot = members.find_map(|member| member.trim_ascii().strip_prefix(b"ot="));
        let Some(ot) = ot else {
            return Sampling::Unsaid;
        };
        let mut fields = ot.split(|byte| *byte == b';');
        let threshold = fields.find_map(|field| field.strip_prefix(b"th:"));
        match threshold.and_then(threshold_of) {
            Some(threshold) if (ALL - threshold) >= ALL / MAX_WEIGHT => {
                Sampling::Kept(ALL - threshold)
            }
            _ => Sampling::Unknown,
        }
    }

    /// How many spans one with these ids stands for: a whole number, the same wherever and whenever
    /// it is counted.
    ///
    /// 2⁵⁶ ÷ kept is mostly not whole. Its fraction is rounded up for the share of the ids that it
    /// is, decided by a hash of the ids, so that sums are right on average: over `n` spans the error
    /// has a standard deviation of at most √n ÷ 2, and never more than the sampling itself adds.
    pub(crate) fn weight(self, trace: u128, id: u128) -> u64 {
        let Sampling::Kept(kept) = self else {
            return 1;
        };
        let (whole, rest) = (ALL / kept, ALL % kept);
        // A uniform 64-bit number scaled to 0..kept is below `rest` for rest ÷ kept of all ids.
        let scaled = (u128::from(mixed(trace, id)) * u128::from(kept)) >> 64;
        whole + u64::from(scaled < u128::from(rest))
    }
}

fn threshold_of(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return None;
    }
    let mut threshold = 0;
    for digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        threshold = threshold << 4 | u64::from(value);
    }
    Some(threshold << (4 * (MAX_DIGITS - digits.len())))
}

/// The ids in 64 bits that are independent of the 56 that decided the sampling.
fn mixed(trace: u128, id: u128) -> u64 {
    let low = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
    let halves = [low(trace >> 64), low(trace), low(id)];
    halves.into_iter().fold(0x9e37_79b9_7f4a_7c15, |mix, half| {
        // The finaliser of SplitMix64.
        let mix = (mix ^ half).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mix = (mix ^ (mix >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mix = (mix ^ (mix >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mix ^ (mix >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracestate_says_how_many_were_kept() {
        let kept = |kept: u64| Sampling::Kept(kept);
        for (case, state, sampling) in [
            ("nothing", "", Sampling::Unsaid),
            ("another vendor", "congo=t61;th:8,rojo=1", Sampling::Unsaid),
            ("all", "ot=th:0", kept(ALL)),
            ("one in two", "ot=th:8", kept(ALL / 2)),
            (
                "one in sixteen",
                "congo=x, ot=rv:0123456789abcd;th:f",
                kept(ALL / 16),
            ),
            ("trailing zeros", "ot=th:c0", kept(ALL / 4)),
            ("the highest weight", "ot=th:fffff", kept(ALL >> 20)),
            ("beyond it", "ot=th:fffff8", Sampling::Unknown),
            ("nearly none", "ot=th:ffffffffffffff", Sampling::Unknown),
            (
                "too many digits",
                "ot=th:800000000000000",
                Sampling::Unknown,
            ),
            ("no digits", "ot=th:", Sampling::Unknown),
            ("upper case", "ot=th:C", Sampling::Unknown),
            ("no hexadecimal", "ot=th:xyz", Sampling::Unknown),
            ("the older form", "ot=p:8;r:62", Sampling::Unknown),
            (
                "a random value alone",
                "ot=rv:0123456789abcd",
                Sampling::Unknown,
            ),
        ] {
            assert_eq!(
                Sampling::of_tracestate(state.as_bytes()),
                sampling,
                "{case}"
            );
        }
    }

    #[test]
    fn whole_weights_are_exact() {
        for (state, weight) in [
            ("th:0", 1),
            ("th:8", 2),
            ("th:f", 16),
            ("th:fffff", 1 << 20),
        ] {
            let sampling = Sampling::of_tracestate(format!("ot={state}").as_bytes());
            for id in 1..1_000 {
                assert_eq!(sampling.weight(7, id), weight, "{state}");
            }
        }
        assert_eq!(Sampling::Unknown.weight(7, 9), 1);
    }

    #[test]
    fn other_weights_are_right_on_average_and_the_same_each_time() {
        // 3, 1.6 and 1 000 with four digits of precision, and one in ten.
        for state in ["th:aaab", "th:6", "th:ffbe77", "th:e666"] {
            let sampling = Sampling::of_tracestate(format!("ot={state}").as_bytes());
            let Sampling::Kept(kept) = sampling else {
                panic!("{state}");
            };
            let n: u128 = 100_000;
            let sum: u64 = (1..=n).map(|id| sampling.weight(id << 64 | id, id)).sum();
            let exact = u128::from(ALL) * n / u128::from(kept);
            // Four standard deviations of at most √n ÷ 2.
            assert!(
                u128::from(sum).abs_diff(exact) < 640,
                "{state}: {sum}, {exact}"
            );
            assert_eq!(sampling.weight(5, 6), sampling.weight(5, 6));
        }
    }
}
