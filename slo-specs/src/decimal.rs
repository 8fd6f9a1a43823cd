//! Exact decimal ratios and burn rates, so that "exactly at the threshold" is decided, not rounded.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::Tally;

/// Most decimal places a written number may have: 99.999 999 99 % is a target of ten.
const MAX_PLACES: u32 = 12;
/// Largest whole part of a written number.
const MAX_WHOLE: u64 = 1_000_000;

/// Why a written number is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not a plain decimal: write digits with at most one point, no exponent.
    #[error("not a plain decimal number")]
    NotDecimal,
    /// More than twelve digits after the point: round it.
    #[error("more than 12 digits after the point")]
    TooPrecise,
    /// Above a million: no target or burn rate is.
    #[error("larger than 1000000")]
    TooLarge,
    /// A target is above 0 and below 1.
    #[error("not between 0 and 1")]
    OutOfRange,
}

/// A share of events, 0 < r < 1, held exactly as the decimal fraction that was written.
///
/// ```
/// let target: slo_specs::Ratio = "0.999".parse()?;
/// assert_eq!((target.numerator(), target.denominator()), (999, 1000));
/// assert_eq!(target.complement().to_string(), "0.001");
/// # Ok::<(), slo_specs::NumberError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    numerator: u64,
    denominator: u64,
}

/// How many times faster than the budget allows: error ratio ÷ budget ratio. 1 spends exactly the
/// budget over the SLO's window. Never negative; exact, compared without rounding.
#[derive(Clone, Copy, Debug)]
pub struct BurnRate {
    numerator: u128,
    denominator: u128,
}

impl Ratio {
    /// 2 %: what the fastest rule of the SRE workbook lets an hour spend.
    pub const FIFTIETH: Self = Self {
        numerator: 1,
        denominator: 50,
    };

    /// The ratio `numerator / denominator`, if it lies strictly between 0 and 1.
    pub fn new(numerator: u64, denominator: u64) -> Result<Self, NumberError> {
        if numerator == 0 || numerator >= denominator {
            return Err(NumberError::OutOfRange);
        }
        let divisor = gcd(numerator.into(), denominator.into());
        let divisor = u64::try_from(divisor).unwrap_or(1);
        Ok(Self {
            numerator: numerator / divisor,
            denominator: denominator / divisor,
        })
    }

    /// A ratio written in percent: `99.9` is 0.999.
    pub fn from_percent(text: &str) -> Result<Self, NumberError> {
        let (digits, scale) = decimal(text)?;
        let scale = scale.checked_mul(100).ok_or(NumberError::TooPrecise)?;
        Self::new(digits, scale)
    }

    /// Numerator of the reduced fraction.
    pub fn numerator(self) -> u64 {
        self.numerator
    }

    /// Denominator of the reduced fraction.
    pub fn denominator(self) -> u64 {
        self.denominator
    }

    /// `1 − r`: of a target, the share of events that may be bad.
    #[must_use]
    pub fn complement(self) -> Self {
        Self {
            numerator: self.denominator - self.numerator,
            ..self
        }
    }

    /// The nearest float, for display and charts.
    pub fn as_f64(self) -> f64 {
        quotient(self.numerator.into(), self.denominator.into())
    }
}

impl FromStr for Ratio {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let (digits, scale) = decimal(text)?;
        Self::new(digits, scale)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

impl BurnRate {
    /// Exactly the budget over the SLO's window.
    pub const ONE: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    /// The burn rate `numerator / denominator`; `None` when the denominator is 0.
    pub fn new(numerator: u64, denominator: u64) -> Option<Self> {
        Self::reduced(numerator.into(), denominator.into())
    }

    /// Burn rate of what was tallied: `(bad / total) / (1 − target)`. `None` without events.
    ///
    /// 100 of 1 000 bad against a target of 99 % burns at `0.1 / 0.01 = 10`.
    ///
    /// ```
    /// use slo_specs::{BurnRate, Tally};
    /// let burn = BurnRate::of(Tally::new(1_000, 100), "0.99".parse()?);
    /// assert_eq!(burn.map(BurnRate::as_f64), Some(10.0));
    /// assert!(BurnRate::of(Tally::new(0, 0), "0.99".parse()?).is_none());
    /// # Ok::<(), slo_specs::NumberError>(())
    /// ```
    pub fn of(tally: Tally, target: Ratio) -> Option<Self> {
        let budget = target.complement();
        let numerator = u128::from(tally.bad) * u128::from(budget.denominator);
        let denominator = u128::from(tally.total) * u128::from(budget.numerator);
        Self::reduced(numerator, denominator)
    }

    /// Threshold of a rule that may spend `share` of the budget of `window_s` within `long_s`:
    /// `share · window / long`, never below 1, as below 1 the SLO is being met.
    ///
    /// 2 % of 30 days' budget within an hour is `0.02 · 720 = 14.4`.
    ///
    /// ```
    /// let threshold = slo_specs::BurnRate::from_share("0.02".parse()?, 30 * 86_400, 3_600);
    /// assert_eq!(threshold.to_string(), "14.4");
    /// # Ok::<(), slo_specs::NumberError>(())
    /// ```
    pub fn from_share(share: Ratio, window_s: u64, long_s: u64) -> Self {
        let numerator = u128::from(share.numerator) * u128::from(window_s);
        let denominator = u128::from(share.denominator) * u128::from(long_s);
        Self::reduced(numerator, denominator).map_or(Self::ONE, |rate| rate.max(Self::ONE))
    }

    /// The fastest burn there is against `target`, `1 / (1 − target)`: everything is bad.
    pub fn ceiling(target: Ratio) -> Self {
        let budget = target.complement();
        Self {
            numerator: budget.denominator.into(),
            denominator: budget.numerator.into(),
        }
    }

    /// The nearest float, for display and charts.
    pub fn as_f64(self) -> f64 {
        quotient(self.numerator, self.denominator)
    }

    /// The same of wider numbers.
    pub(crate) fn fraction(numerator: u128, denominator: u128) -> Option<Self> {
        Self::reduced(numerator, denominator)
    }

    fn reduced(numerator: u128, denominator: u128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let divisor = gcd(numerator, denominator);
        Some(Self {
            numerator: numerator / divisor,
            denominator: denominator / divisor,
        })
    }
}

impl FromStr for BurnRate {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        let (digits, scale) = decimal(text)?;
        Self::new(digits, scale).ok_or(NumberError::NotDecimal)
    }
}

/// One digit after the point: `14.4`, `20.0`.
impl fmt::Display for BurnRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.as_f64())
    }
}

impl PartialEq for BurnRate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for BurnRate {}

impl PartialOrd for BurnRate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for BurnRate {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(
            (self.numerator, self.denominator),
            (other.numerator, other.denominator),
        )
    }
}

/// Compares two fractions by their continued fractions: exact, and no product can overflow.
fn compare(mut left: (u128, u128), mut right: (u128, u128)) -> Ordering {
    let mut flipped = false;
    loop {
        let whole = (left.0 / left.1).cmp(&(right.0 / right.1));
        let (left_rest, right_rest) = (left.0 % left.1, right.0 % right.1);
        let ordering = match (left_rest, right_rest) {
            _ if whole.is_ne() => whole,
            (0, 0) => Ordering::Equal,
            (0, _) => Ordering::Less,
            (_, 0) => Ordering::Greater,
            _ => {
                left = (left.1, left_rest);
                right = (right.1, right_rest);
                flipped = !flipped;
                continue;
            }
        };
        return if flipped {
            ordering.reverse()
        } else {
            ordering
        };
    }
}

/// Digits and power of ten of a plain decimal: `0.999` is (999, 1000).
pub(crate) fn decimal(text: &str) -> Result<(u64, u64), NumberError> {
    let text = text.trim().trim_start_matches('+');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return Err(NumberError::NotDecimal);
    }
    let fraction = fraction.trim_end_matches('0');
    let places = u32::try_from(fraction.len()).unwrap_or(u32::MAX);
    if places > MAX_PLACES {
        return Err(NumberError::TooPrecise);
    }
    let number = |part: &str| {
        if part.is_empty() {
            Ok(0)
        } else {
            part.parse::<u64>()
        }
    };
    let whole = number(whole).map_err(|_| NumberError::TooLarge)?;
    let fraction = number(fraction).map_err(|_| NumberError::TooPrecise)?;
    if whole > MAX_WHOLE {
        return Err(NumberError::TooLarge);
    }
    let scale = 10_u64.pow(places);
    Ok((whole * scale + fraction, scale))
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the nearest float is what is asked for"
)]
fn quotient(numerator: u128, denominator: u128) -> f64 {
    numerator as f64 / denominator as f64
}
