//! Conditions and readings in words, for pages, views and histories alike.

use std::time::Duration;

use super::{Burn, BurnSeen, Condition, Reading, Seen};
use crate::window::window_words;
use crate::{BurnRate, Exhaustion, Ratio, Tally};

impl Condition {
    /// When it holds: `less than 25% of the error budget is left`.
    pub fn when(&self) -> String {
        match self {
            Self::Burn(burn) => burn.when(),
            Self::BudgetLeft { below: None, .. } => "the error budget is spent".to_owned(),
            Self::BudgetLeft {
                below: Some(below), ..
            } => format!("less than {} of the error budget is left", percent(*below)),
            Self::BudgetDrop { share, within, .. } => format!(
                "more than {} of the error budget was spent within {}",
                percent(*share),
                window_words(*within)
            ),
            Self::TimeToEmpty {
                within, look_back, ..
            } => format!(
                "the error budget is empty within {} at the rate of the last {}",
                window_words(*within),
                window_words(*look_back)
            ),
            Self::NoData { lasting } => format!("no data for {}", window_words(*lasting)),
            Self::All(parts) => joined(parts, " and "),
            Self::Any(parts) => joined(parts, " or "),
        }
    }
}

impl Burn {
    /// `4 bad of 11, P(burn > 6×) = 0.98`, if the rule asks for it and the long window is over.
    pub fn says_how_sure(&self, seen: &BurnSeen) -> Option<String> {
        let sure = seen.confidence?;
        let Tally { bad, total, .. } = sure.of();
        let threshold = plain(self.threshold.as_f64());
        Some(format!(
            "{bad} bad of {total}, P(burn > {threshold}×) = {sure}"
        ))
    }

    fn when(&self) -> String {
        let sure = self.confidence.map_or(String::new(), |asked| {
            format!(" with confidence {}", asked.as_f64())
        });
        let over = if self.long == self.short {
            window_words(self.long)
        } else {
            format!(
                "{} and {}",
                window_words(self.long),
                window_words(self.short)
            )
        };
        format!("burn rate above {} over {over}{sure}", self.threshold)
    }
}

impl Reading {
    /// What it sees, beside what it is held against; of several conditions those that hold, or all
    /// if none does: `burn rate 20.0 over 1 h and 24.1 over 5 min, threshold 14.4`.
    pub fn says(&self, condition: &Condition) -> String {
        match (condition, &self.seen) {
            (Condition::Burn(burn), Seen::Burn(seen)) => seen.says(burn),
            (Condition::BudgetLeft { below, .. }, Seen::BudgetLeft { left, .. }) => {
                let mark = below.map_or("0%".to_owned(), percent);
                format!("{}, mark {mark}", budget_left(*left))
            }
            (Condition::BudgetDrop { share, within, .. }, Seen::BudgetDrop { spent, .. }) => {
                format!(
                    "{}, mark {}",
                    spent_within(*spent, *within),
                    percent(*share)
                )
            }
            (
                Condition::TimeToEmpty {
                    within, look_back, ..
                },
                Seen::TimeToEmpty { outlook, .. },
            ) => format!(
                "{} at the rate of the last {}, mark {}",
                empty_in(*outlook),
                window_words(*look_back),
                window_words(*within)
            ),
            (Condition::NoData { lasting }, Seen::NoData { silent }) => match silent {
                None => "no data yet".to_owned(),
                Some(silent) if silent < lasting => {
                    format!("last data {} ago", about(*silent))
                }
                Some(silent) => format!("no data for {}", about(*silent)),
            },
            (
                Condition::All(conditions) | Condition::Any(conditions),
                Seen::All(readings) | Seen::Any(readings),
            ) => {
                let pairs = || conditions.iter().zip(readings);
                let holding = pairs().filter(|(_, reading)| reading.breached);
                let mut said: Vec<String> = holding.map(say).collect();
                if said.is_empty() {
                    said = pairs().map(say).collect();
                }
                said.join("; ")
            }
            // A reading is always of its own condition.
            _ => condition.when(),
        }
    }

    /// Why an alert is over: `burn rate 2.0 over 5 min, no longer above the threshold 14.4`.
    pub(crate) fn resolved_reason(&self, condition: &Condition) -> String {
        match (condition, &self.seen) {
            (Condition::Burn(burn), Seen::Burn(seen)) => {
                let rate = seen
                    .short_burn
                    .map_or("unknown".to_owned(), |burn| burn.to_string());
                let over = window_words(burn.short);
                let threshold = burn.threshold;
                format!("burn rate {rate} over {over}, no longer above the threshold {threshold}")
            }
            (Condition::BudgetLeft { below, .. }, Seen::BudgetLeft { left, .. }) => {
                let left = budget_left(*left);
                match below {
                    Some(below) => format!("{left}, no longer below {}", percent(*below)),
                    None => format!("{left}, no longer spent"),
                }
            }
            (Condition::BudgetDrop { share, within, .. }, Seen::BudgetDrop { spent, .. }) => {
                let spent = spent_within(*spent, *within);
                format!("{spent}, no longer above {}", percent(*share))
            }
            (Condition::TimeToEmpty { within, .. }, Seen::TimeToEmpty { outlook, .. }) => format!(
                "{}, no longer within {}",
                empty_in(*outlook),
                window_words(*within)
            ),
            (Condition::NoData { .. }, _) => "data is back".to_owned(),
            (
                Condition::All(conditions) | Condition::Any(conditions),
                Seen::All(readings) | Seen::Any(readings),
            ) => {
                let over = conditions
                    .iter()
                    .zip(readings)
                    .filter(|(_, reading)| reading.clear)
                    .map(|(condition, reading)| reading.resolved_reason(condition));
                over.collect::<Vec<_>>().join("; ")
            }
            _ => condition.when(),
        }
    }
}

impl BurnSeen {
    fn says(&self, burn: &Burn) -> String {
        let Burn {
            long,
            short,
            threshold,
            ..
        } = burn;
        let rates = format!(
            "burn rate {} over {} and {} over {}, threshold {threshold}",
            beside(self.long_burn, *threshold),
            window_words(*long),
            beside(self.short_burn, *threshold),
            window_words(*short),
        );
        match burn.says_how_sure(self) {
            Some(sure) => format!("{rates}; {sure}"),
            None => rates,
        }
    }
}

fn say((condition, reading): (&Condition, &Reading)) -> String {
    reading.says(condition)
}

fn joined(parts: &[Condition], word: &str) -> String {
    let said = parts.iter().map(|part| match part {
        Condition::All(_) | Condition::Any(_) => format!("({})", part.when()),
        _ => part.when(),
    });
    said.collect::<Vec<_>>().join(word)
}

/// A burn rate to be read beside its threshold: with as many digits as tell the two apart.
fn beside(burn: Option<BurnRate>, threshold: BurnRate) -> String {
    let Some(burn) = burn else {
        return "unknown".to_owned();
    };
    let texts = [1, 2, 4].map(|digits| {
        let [burn, threshold] = [burn, threshold].map(|b| format!("{:.digits$}", b.as_f64()));
        (burn, threshold)
    });
    let apart = texts
        .into_iter()
        .find(|(burn, threshold)| burn != threshold);
    apart.map_or_else(|| burn.to_string(), |(burn, _)| burn)
}

/// Never rounded up.
fn budget_left(left: Option<f64>) -> String {
    left.map_or("error budget unknown".to_owned(), |left| {
        let tenths = (left * 1_000.0).floor();
        let sign = if tenths < 0.0 { "\u{2212}" } else { "" };
        format!(
            "{sign}{}% of the error budget left",
            plain(tenths.abs() / 10.0)
        )
    })
}

fn spent_within(spent: Option<f64>, within: Duration) -> String {
    let within = window_words(within);
    spent.map_or(
        format!("unknown how much of the error budget was spent within {within}"),
        |spent| {
            let tenths = (spent * 1_000.0).ceil();
            format!(
                "{}% of the error budget spent within {within}",
                plain(tenths / 10.0)
            )
        },
    )
}

fn empty_in(outlook: Exhaustion) -> String {
    match outlook {
        Exhaustion::Unknown => "unknown when the error budget is empty".to_owned(),
        Exhaustion::NotThisPeriod => "error budget lasts until its period ends".to_owned(),
        Exhaustion::Never => "error budget lasts".to_owned(),
        Exhaustion::In(time) => format!("error budget empty in {}", about(time)),
        Exhaustion::Spent => "error budget empty".to_owned(),
    }
}

/// At most two units: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
fn about(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A share that was written, in per cent.
fn percent(share: Ratio) -> String {
    format!("{}%", plain(share.as_f64() * 100.0))
}

/// At most four digits after the point, and none that say nothing.
fn plain(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
