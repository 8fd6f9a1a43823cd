//! How sure few events make one of the true burn rate.
//!
//! Of `n` events `k` were bad. The share `p` of bad ones behind that is not known; before anything was
//! counted, Jeffreys' prior says, it is distributed as Beta(½, ½), and after the count as
//! Beta(k + ½, n − k + ½). The true burn rate is beyond a threshold `F` when `p > F · B` (`B` the
//! budget's share of events), which then has the probability `1 − I(F · B; k + ½, n − k + ½)`, with
//! `I` the regularised incomplete beta function. A rule with `confidence: 0.95` asks for 0.95 of it:
//! just when the lower end of Jeffreys' interval passes the threshold (Brown, Cai and Das Gupta,
//! "Interval Estimation for a Binomial Proportion", Statistical Science 16, 2001, section 3.1).
//!
//! `I` is computed by the continued fraction 8.17.22 of the NIST Digital Library of Mathematical
//! Functions, and what stands before it in Loader's form ("Fast and Accurate Computation of Binomial
//! Probabilities", 2000), which loses no digits to large counts. Sums, products, quotients and square
//! roots are the same on every machine; logarithms and exponentials come from `libm`, not from the
//! machine. The probability is kept in whole millionths, rounded down, and compared as such.

use libm::{exp, lgamma, log, sqrt};

use crate::{BurnRate, Ratio, Tally};

/// A probability in whole millionths.
const WHOLE: u32 = 1_000_000;
/// Bad events beyond which more make nobody surer: all are scaled down to so many.
const ENOUGH: u64 = 1_000_000;
/// Terms of the continued fraction; about the root of the bad events are needed.
const MAX_TERMS: u32 = 20_000;
/// Where the continued fraction has come to rest.
const REST: f64 = 1e-15;
/// Stands for a denominator of nothing.
const TINY: f64 = 1e-300;
/// `½ ln 2π`
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// How sure it is that a true burn rate is beyond a threshold: whole millionths, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confidence {
    millionths: u32,
    of: Tally,
}

impl Confidence {
    /// How sure a tally makes one that the true burn rate is beyond `threshold`; without events not
    /// at all.
    ///
    /// ```
    /// use slo_specs::{Confidence, Tally};
    /// // 4 of 11 requests failed: is that really more than 6 times what 98 % allow?
    /// let sure = Confidence::that(Tally::new(11, 4), "0.98".parse()?, "6".parse()?);
    /// assert_eq!(sure.to_string(), "0.98");
    /// # Ok::<(), slo_specs::NumberError>(())
    /// ```
    pub fn that(tally: Tally, target: Ratio, threshold: BurnRate) -> Self {
        let bad = tally.bad.min(ENOUGH);
        let total = if tally.bad > ENOUGH {
            let scaled = u128::from(tally.total) * u128::from(ENOUGH);
            u64::try_from(scaled.div_ceil(tally.bad.into())).unwrap_or(u64::MAX)
        } else {
            tally.total
        };
        let share = threshold.as_f64() * target.complement().as_f64();
        let good = total.saturating_sub(bad);
        let sure = if tally.is_empty() || share >= 1.0 {
            0.0
        } else {
            upper_tail(share, real(bad) + 0.5, real(good) + 0.5)
        };
        Self {
            millionths: millionths(sure),
            of: tally,
        }
    }

    /// Whether it is as much as a rule asks for.
    pub fn is_at_least(self, asked: Ratio) -> bool {
        let here = u128::from(self.millionths) * u128::from(asked.denominator());
        here >= u128::from(asked.numerator()) * u128::from(WHOLE)
    }

    /// The events that make one so sure.
    pub fn of(self) -> Tally {
        self.of
    }

    /// The nearest float, for display.
    pub fn as_f64(self) -> f64 {
        f64::from(self.millionths) / f64::from(WHOLE)
    }
}

/// Two digits, rounded down; four of what is nearly sure, and never 1.
impl std::fmt::Display for Confidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millionths = self.millionths.min(WHOLE - 1);
        if millionths < 995_000 {
            write!(f, "0.{:02}", millionths / 10_000)
        } else {
            let text = format!("{:04}", millionths / 100);
            write!(f, "0.{}", text.trim_end_matches('0'))
        }
    }
}

/// `1 − I(x; a, b)`, for 0 < x < 1.
fn upper_tail(x: f64, a: f64, b: f64) -> f64 {
    // Each tail by the fraction that converges there.
    if x < (a + 1.0) / (a + b + 2.0) {
        1.0 - before(x, a, b) * fraction(x, a, b) / a
    } else {
        before(x, a, b) * fraction(1.0 - x, b, a) / b
    }
}

/// `xᵃ (1 − x)ᵇ / B(a, b)`
fn before(x: f64, a: f64, b: f64) -> f64 {
    let sum = a + b;
    let off = stirling_error(sum)
        - stirling_error(a)
        - stirling_error(b)
        - deviance(a, sum * x)
        - deviance(b, sum * (1.0 - x));
    a * b / sum * sqrt(sum / (2.0 * std::f64::consts::PI * a * b)) * exp(off)
}

/// `ln Γ(n + 1) − (n + ½) ln n + n − ½ ln 2π`
fn stirling_error(n: f64) -> f64 {
    if n <= 16.0 {
        return lgamma(n + 1.0) - (n + 0.5) * log(n) + n - HALF_LOG_TAU;
    }
    let square = n * n;
    let rest = 1.0 / 1_680.0 - 1.0 / 1_188.0 / square;
    let rest = 1.0 / 1_260.0 - rest / square;
    let rest = 1.0 / 360.0 - rest / square;
    (1.0 / 12.0 - rest / square) / n
}

/// `x ln(x / m) + m − x`, without losing digits where x is near m.
fn deviance(x: f64, m: f64) -> f64 {
    let difference = x - m;
    if difference.abs() >= 0.1 * (x + m) {
        return x * log(x / m) - difference;
    }
    let v = difference / (x + m);
    let mut sum = difference * v;
    let mut term = 2.0 * x * v;
    let mut odd = 1.0;
    for _ in 0..1_000 {
        term *= v * v;
        odd += 2.0;
        let next = sum + term / odd;
        if next.total_cmp(&sum).is_eq() {
            break;
        }
        sum = next;
    }
    sum
}

/// DLMF 8.17.22 by Lentz's method.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let above_tiny = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut upper = 1.0;
    let mut lower = 1.0 / above_tiny(1.0 - (a + b) * x / (a + 1.0));
    let mut product = lower;
    for term in 1..MAX_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for numerator in [even, odd] {
            lower = 1.0 / above_tiny(1.0 + numerator * lower);
            upper = above_tiny(1.0 + numerator / upper);
            step = upper * lower;
            product *= step;
        }
        if (step - 1.0).abs() < REST {
            break;
        }
    }
    product
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is clamped to what fits"
)]
fn millionths(probability: f64) -> u32 {
    (probability.clamp(0.0, 1.0) * f64::from(WHOLE)) as u32
}

#[expect(clippy::cast_precision_loss, reason = "what is above 2⁵³ is as sure")]
fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with 30 digits by mpmath's hypergeometric series, a different method.
    #[test]
    fn probabilities_are_those_of_another_method() {
        for (bad, total, share, expected) in [
            (4, 11, 0.12, 0.984_933_855_669_298),
            (4, 11, 0.006, 0.999_999_960_375_74),
            (1, 500, 0.001, 0.801_251_997_270_006),
            (3, 100, 0.0144, 0.897_248_227_607_308),
            (0, 10, 0.01, 0.649_843_658_078_091),
            (10, 10, 0.9, 0.858_446_908_187_113),
            (12, 300, 0.01, 0.999_970_245_706_689),
            (1_000, 100_000, 0.0095, 0.947_534_126_805_764),
        ] {
            let came = upper_tail(share, real(bad) + 0.5, real(total - bad) + 0.5);
            assert!(
                (came - expected).abs() < 1e-12,
                "{bad} of {total}: {came}, not {expected}"
            );
        }
    }

    /// `I(x; ½, ½) = 2/π · arcsin √x`, and for whole a and b the function is a sum of binomial terms.
    #[test]
    fn closed_forms_are_met() {
        for x in [0.001_f64, 0.2, 0.5, 0.8, 0.999] {
            let lower = x.sqrt().asin() * std::f64::consts::FRAC_2_PI;
            assert!((upper_tail(x, 0.5, 0.5) - (1.0 - lower)).abs() < 1e-13);
            for (a, b) in [(1, 1), (3, 9), (20, 2), (7, 7)] {
                let n = a + b - 1;
                let terms = (0..a).map(|j| {
                    let ways =
                        (0..j).fold(1.0, |ways, i| ways * f64::from(n - i) / f64::from(i + 1));
                    ways * x.powi(j) * (1.0 - x).powi(n - j)
                });
                let came = upper_tail(x, f64::from(a), f64::from(b));
                let expected: f64 = terms.sum();
                assert!((came - expected).abs() < 1e-12, "{a} {b} {x}");
            }
        }
    }

    #[test]
    fn many_events_are_as_sure_as_their_spread_allows() {
        // A thousandth above the share of a million: one standard deviation, so about 0.84.
        let sure = |tally| Confidence::that(tally, ratio("0.99"), rate("0.999")).as_f64();
        for scale in [1, 1_000, 1_000_000] {
            let tally = Tally::new(100_000_000 * scale, 1_000_000 * scale);
            assert!((sure(tally) - 0.842).abs() < 0.001, "{}", sure(tally));
        }
    }

    #[test]
    fn it_is_rounded_down_and_compared_exactly() {
        let confidence = |millionths| Confidence {
            millionths,
            of: Tally::EMPTY,
        };
        assert!(confidence(950_000).is_at_least(ratio("0.95")));
        assert!(!confidence(949_999).is_at_least(ratio("0.95")));
        for (millionths, text) in [
            (0, "0.00"),
            (949_999, "0.94"),
            (994_999, "0.99"),
            (995_000, "0.995"),
            (999_949, "0.9999"),
            (WHOLE, "0.9999"),
        ] {
            assert_eq!(confidence(millionths).to_string(), text);
        }
        assert_eq!(millionths(0.949_999_9), 949_999);
        let nothing = Confidence::that(Tally::EMPTY, ratio("0.99"), rate("1"));
        assert_eq!(nothing, confidence(0), "without events nothing is sure");
    }

    fn ratio(text: &str) -> Ratio {
        text.parse().unwrap()
    }

    fn rate(text: &str) -> BurnRate {
        text.parse().unwrap()
    }
}
