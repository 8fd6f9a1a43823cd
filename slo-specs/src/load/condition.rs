//! What a rule watches for, as policies write it; the SLO's window makes a [`Condition`] of it.

use std::time::Duration;

use super::burn::{check_short, count, decimal_share, spend, twelfth};
use super::report::{Fields, Known, Report};
use super::yaml::Node;
use crate::{Bound, Budgeting, Burn, BurnRate, Condition, Ratio};

/// How deep `all` and `any` may stand in one another.
const DEEPEST: u32 = 4;
/// How long after the end of a slice its events may be under way: exporters send once a minute.
pub(super) const UNDER_WAY: Duration = Duration::from_mins(2);

/// Fields of a condition within `all` or `any`; a rule has them beside its own.
const PART: Known = Known {
    fields: &[
        "budgetShare",
        "burnRate",
        "long",
        "short",
        "confidence",
        "minimumBadEvents",
        "budgetLeft",
        "budgetDrop",
        "timeToEmpty",
        "noData",
        "all",
        "any",
    ],
};
const BUDGET_LEFT: Known = Known { fields: &["below"] };
const BUDGET_DROP: Known = Known {
    fields: &["share", "within"],
};
const TIME_TO_EMPTY: Known = Known {
    fields: &["within", "lookBack"],
};
const NO_DATA: Known = Known { fields: &["for"] };

/// What a burn condition is made of.
const OF_BURN: [&str; 4] = ["budgetShare", "burnRate", "long", "short"];
/// What makes another condition.
const OTHERS: [&str; 6] = [
    "budgetLeft",
    "budgetDrop",
    "timeToEmpty",
    "noData",
    "all",
    "any",
];

/// A condition before it knows the window of its SLO.
#[derive(Clone, Debug)]
pub(super) enum Draft {
    Burn(BurnDraft),
    /// One that the window changes nothing of, and that is made of no others.
    Whole(Condition),
    /// Silence that lasts so long, or as long as slices make it.
    Silence(Duration),
    All(Vec<Draft>),
    Any(Vec<Draft>),
}

/// A burn condition before it knows the window of its SLO.
#[derive(Clone, Debug)]
pub(super) struct BurnDraft {
    pub(super) spend: Spend,
    pub(super) bound: Bound,
    pub(super) long: Duration,
    pub(super) short: Duration,
    pub(super) minimum_bad: u64,
    pub(super) confidence: Option<Ratio>,
}

/// What a burn condition holds spending against.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spend {
    /// Share of the SLO window's budget within the long window.
    Share(Ratio),
    /// A burn rate, whatever the SLO's window.
    Rate(BurnRate),
}

/// What of an SLO its conditions depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Length of the window.
    pub(super) window: Duration,
    pub(super) budgeting: Budgeting,
}

/// What a condition has unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inherited {
    /// Of the rule's severity.
    pub(super) default_minimum_bad: u64,
    /// Of the conditions around it.
    pub(super) minimum_bad: Option<u64>,
    pub(super) confidence: Option<Ratio>,
}

impl Inherited {
    /// Bad events that are asked for. Where confidence is, it decides how many are enough.
    pub(super) fn needed(self) -> u64 {
        let unless_told = if self.confidence.is_some() {
            1
        } else {
            self.default_minimum_bad
        };
        self.minimum_bad.unwrap_or(unless_told)
    }
}

impl Frame {
    /// Length of a slice; zero where events are counted.
    fn slice(self) -> Duration {
        let slicing = self.budgeting.slicing();
        slicing.map_or(Duration::ZERO, |slicing| slicing.length)
    }

    /// How long after one slice the next is known at the latest, if slices are counted.
    pub(super) fn next_known(self) -> Option<Duration> {
        let slicing = self.budgeting.slicing()?;
        Some(slicing.length + UNDER_WAY)
    }

    /// So many events or slices, as tallies count them.
    fn amount(self, count: u64) -> u64 {
        count.saturating_mul(self.budgeting.units())
    }

    fn fit(self, mut condition: Condition) -> Condition {
        let (look, least) = match &mut condition {
            Condition::BudgetLeft { minimum_bad, .. } => (None, Some(minimum_bad)),
            Condition::BudgetDrop {
                within,
                minimum_bad,
                ..
            } => (Some(within), Some(minimum_bad)),
            Condition::TimeToEmpty {
                look_back,
                minimum_bad,
                ..
            } => (Some(look_back), Some(minimum_bad)),
            // Refused if it is too short, not made longer.
            Condition::NoData { .. }
            | Condition::Burn(_)
            | Condition::All(_)
            | Condition::Any(_) => (None, None),
        };
        if let Some(look) = look {
            *look = self.slice().max(*look);
        }
        if let Some(least) = least {
            *least = self.amount(*least);
        }
        condition
    }
}

impl Draft {
    /// Reads the condition that the fields of a rule or of a part make.
    pub(super) fn read(fields: &Fields<'_>, around: Inherited) -> Option<Self> {
        Self::read_within(fields, around, 1)
    }

    fn read_within(fields: &Fields<'_>, around: Inherited, depth: u32) -> Option<Self> {
        let report = fields.report;
        let own = Inherited {
            minimum_bad: fields
                .get("minimumBadEvents")
                .and_then(|node| count(report, node))
                .or(around.minimum_bad),
            confidence: fields
                .get("confidence")
                .and_then(|node| confidence(report, node))
                .or(around.confidence),
            ..around
        };
        let mut kinds = OTHERS.into_iter().filter(|name| fields.has(name));
        let Some(kind) = kinds.next() else {
            return BurnDraft::read(fields, own).map(Draft::Burn);
        };
        if let Some(second) = kinds.next() {
            let message = format!("{} has both `{kind}` and `{second}`", fields.what);
            let help = "keep one of them, or list both under `all` or `any`";
            report.error_with(fields.place(second), message, help);
            return None;
        }
        check_alone(fields, kind);
        let node = fields.require(kind, "say what it is about")?;
        match kind {
            "all" => Self::parts(report, node, kind, own, depth).map(Draft::All),
            "any" => Self::parts(report, node, kind, own, depth).map(Draft::Any),
            _ => whole(report, node, kind, own.needed()).map(Draft::Whole),
        }
    }

    fn parts(
        report: Report<'_>,
        node: &Node,
        kind: &str,
        around: Inherited,
        depth: u32,
    ) -> Option<Vec<Self>> {
        if depth > DEEPEST {
            let message = format!("`{kind}` stands in more than {DEEPEST} others");
            report.error_with(
                node.at,
                message,
                "make it flatter: two levels say everything",
            );
            return None;
        }
        let items = report.list(node, kind);
        if items.is_empty() {
            let help = "list conditions, such as `{ burnRate: 6, long: 1h }`";
            report.error_with(node.at, format!("`{kind}` has no conditions"), help);
            return None;
        }
        let read = |item| {
            let fields = Fields::of(report, item, "condition", PART)?;
            Self::read_within(&fields, around, depth + 1)
        };
        let parts: Vec<Option<Self>> = items.iter().map(read).collect();
        parts.into_iter().collect()
    }

    /// How many single conditions it has.
    pub(super) fn leaves(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::leaves).sum(),
            Self::Burn(_) | Self::Whole(_) | Self::Silence(_) => 1,
        }
    }

    /// The condition for an SLO. Nothing is known of a part of a slice, so no window is shorter.
    pub(super) fn resolve(&self, frame: Frame) -> Condition {
        let all = |parts: &[Self]| parts.iter().map(|part| part.resolve(frame)).collect();
        match self {
            Self::Burn(burn) => Condition::Burn(burn.resolve(frame)),
            Self::Whole(condition) => frame.fit(condition.clone()),
            Self::Silence(least) => Condition::NoData {
                lasting: frame.next_known().unwrap_or_default().max(*least),
            },
            Self::All(parts) => Condition::All(all(parts)),
            Self::Any(parts) => Condition::Any(all(parts)),
        }
    }

    /// Asks every condition in it for so many bad events.
    pub(super) fn ask_for_bad(&mut self, count: u64) {
        match self {
            Self::Burn(burn) => burn.minimum_bad = count,
            Self::Whole(
                Condition::BudgetLeft { minimum_bad, .. }
                | Condition::BudgetDrop { minimum_bad, .. }
                | Condition::TimeToEmpty { minimum_bad, .. },
            ) => *minimum_bad = count,
            Self::Whole(_) | Self::Silence(_) => {}
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.ask_for_bad(count);
                }
            }
        }
    }

    /// Asks every burn condition in it to be so sure.
    pub(super) fn ask_for_confidence(&mut self, asked: Ratio) {
        match self {
            Self::Burn(burn) => burn.confidence = Some(asked),
            Self::Whole(_) | Self::Silence(_) => {}
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.ask_for_confidence(asked);
                }
            }
        }
    }
}

impl BurnDraft {
    fn read(fields: &Fields<'_>, own: Inherited) -> Option<Self> {
        let report = fields.report;
        let spend = spend(fields);
        let long = fields
            .require("long", "say how far to look back, such as `long: 1h`")
            .and_then(|node| report.window(node, "long"));
        let short = match fields.get("short") {
            Some(node) => report.window(node, "short").map(|short| (short, node.at)),
            None => long.map(|long| (twelfth(long), fields.at)),
        };
        let (long, (short, short_at)) = (long?, short?);
        check_short(report, short_at, short, long);
        Some(Self {
            spend: spend?,
            bound: Bound::Above,
            long,
            short,
            minimum_bad: own.needed(),
            confidence: own.confidence,
        })
    }

    fn resolve(&self, frame: Frame) -> Burn {
        let [long, short] = [self.long, self.short].map(|length| length.max(frame.slice()));
        let threshold = match self.spend {
            Spend::Rate(rate) => rate,
            Spend::Share(share) => {
                BurnRate::from_share(share, frame.window.as_secs(), long.as_secs())
            }
        };
        Burn {
            long,
            short,
            threshold,
            bound: self.bound,
            minimum_bad: frame.amount(self.minimum_bad),
            confidence: self.confidence,
        }
    }
}

/// Tells of fields that belong to another kind of condition.
fn check_alone(fields: &Fields<'_>, kind: &str) {
    let foreign = |name: &str| match name {
        "confidence" => !matches!(kind, "all" | "any"),
        "minimumBadEvents" => kind == "noData",
        _ => OF_BURN.contains(&name),
    };
    for name in PART.fields {
        if foreign(name) && fields.has(name) {
            let message = format!("`{name}` does not go with `{kind}`");
            let help = "remove it, or list two conditions under `all` or `any`";
            fields.report.error_with(fields.place(name), message, help);
        }
    }
}

/// A condition that is neither a burn nor made of others.
fn whole(report: Report<'_>, node: &Node, kind: &str, minimum_bad: u64) -> Option<Condition> {
    let what = format!("`{kind}`");
    let window = |fields: &Fields<'_>, name: &str, help: &str| {
        let node = fields.require(name, help)?;
        report.window(node, name)
    };
    match kind {
        "budgetLeft" => {
            let fields = Fields::of(report, node, &what, BUDGET_LEFT)?;
            let node = fields.require("below", "such as `below: 0.25`, or 0 for a spent budget")?;
            budget_left(report, node, minimum_bad)
        }
        "budgetDrop" => {
            let fields = Fields::of(report, node, &what, BUDGET_DROP)?;
            let share = fields
                .require("share", "a share of the budget, such as `share: 0.1`")
                .and_then(|node| decimal_share(report, node, "share"));
            let within = window(&fields, "within", "such as `within: 1d`");
            Some(Condition::BudgetDrop {
                share: share?,
                within: within?,
                minimum_bad,
            })
        }
        "timeToEmpty" => {
            let fields = Fields::of(report, node, &what, TIME_TO_EMPTY)?;
            let within = window(&fields, "within", "such as `within: 4h`");
            let look_back = window(&fields, "lookBack", "such as `lookBack: 1h`");
            Some(Condition::TimeToEmpty {
                within: within?,
                look_back: look_back?,
                minimum_bad,
            })
        }
        _ => {
            let fields = Fields::of(report, node, &what, NO_DATA)?;
            let lasting = window(&fields, "for", "such as `for: 10m`")?;
            Some(Condition::NoData { lasting })
        }
    }
}

/// Less budget left than a share, which may be 0 for none at all.
pub(super) fn budget_left(report: Report<'_>, node: &Node, minimum_bad: u64) -> Option<Condition> {
    let text = report.text(node, "below")?;
    let none = text.parse::<BurnRate>().ok() == BurnRate::new(0, 1);
    let below = if none {
        None
    } else {
        Some(decimal_share(report, node, "below")?)
    };
    Some(Condition::BudgetLeft { below, minimum_bad })
}

/// How sure a rule must be.
pub(super) fn confidence(report: Report<'_>, node: &Node) -> Option<Ratio> {
    let text = report.text(node, "confidence")?;
    let half = Ratio::new(1, 2).ok();
    match text.parse::<Ratio>() {
        Ok(asked) if half.is_some_and(|half| asked.as_f64() >= half.as_f64()) => Some(asked),
        _ => {
            let message = format!("`confidence` is {text}, not at least 0.5 and below 1");
            report.error_with(node.at, message, "95 % is `confidence: 0.95`");
            None
        }
    }
}
