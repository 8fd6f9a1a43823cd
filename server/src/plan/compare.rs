//! Which objectives two catalogs judge differently, and what differs.

use std::collections::BTreeSet;
use std::sync::Arc;

use slo_specs::{
    Allowance, Burn, Catalog, Correction, Ending, Objective, Rule, Verdict, When, window_name,
};

use super::result::{Change, Fate};
use crate::web::describe;

/// An objective that two catalogs judge differently; at least one side is there.
#[derive(Debug)]
pub(super) struct Difference {
    pub(super) old: Option<Arc<Objective>>,
    pub(super) new: Option<Arc<Objective>>,
}

/// The differences of two catalogs by the new id, and how many objectives are judged alike.
pub(super) fn differences(old: &Catalog, new: &Catalog) -> (Vec<Difference>, usize) {
    let mut found = Vec::new();
    let mut alike = 0;
    let gone = |one: &&Objective| new.objective(&one.id).is_none();
    let mut gone: Vec<&Objective> = old.objectives.iter().filter(gone).collect();
    let is_fresh = |one: &&Objective| old.objective(&one.id).is_none();
    let fresh: Vec<&Objective> = new.objectives.iter().filter(is_fresh).collect();
    for one in &new.objectives {
        let before = old.objective(&one.id);
        let before = before.or_else(|| take_renamed(one, &mut gone, &fresh));
        match before {
            Some(before) if before.id == one.id && judge_alike(before, one) => alike += 1,
            before => found.push(Difference {
                old: before.cloned().map(Arc::new),
                new: Some(Arc::new(one.clone())),
            }),
        }
    }
    found.extend(gone.into_iter().map(|one| Difference {
        old: Some(Arc::new(one.clone())),
        new: None,
    }));
    found.sort_by(|a, b| a.id().cmp(b.id()));
    (found, alike)
}

/// One difference in words.
#[derive(Debug)]
pub(crate) struct Told {
    /// The id, of the new catalog if it is there.
    pub(crate) id: String,
    /// The id in the old catalog, if it is another one.
    pub(crate) old_id: Option<String>,
    pub(crate) what: String,
}

/// The differences of two catalogs in words, by the new id.
pub(crate) fn told(old: &Catalog, new: &Catalog) -> Vec<Told> {
    let told = |difference: Difference| Told {
        id: difference.id().to_owned(),
        old_id: difference.old_id(),
        what: difference.words(),
    };
    differences(old, new).0.into_iter().map(told).collect()
}

/// The objective that `one` was before it got another name: one that is judged alike, or else the only
/// one of the service that counts the same.
fn take_renamed<'a>(
    one: &Objective,
    gone: &mut Vec<&'a Objective>,
    fresh: &[&Objective],
) -> Option<&'a Objective> {
    let same = gone.iter().position(|before| judge_alike(before, one));
    let place = same.or_else(|| {
        let counts =
            |other: &Objective| other.service == one.service && other.indicator == one.indicator;
        let is_only = fresh.iter().filter(|other| counts(other)).count() == 1;
        let mut alike = (0..).zip(gone.iter()).filter(|(_, before)| counts(before));
        let first = alike.next().filter(|_| is_only && alike.next().is_none());
        first.map(|(place, _)| place)
    })?;
    Some(gone.remove(place))
}

/// Whether two objectives are judged alike, whatever they are called and said to be.
fn judge_alike(old: &Objective, new: &Objective) -> bool {
    // All else is left as it is: a field that is new here judges until it is known not to.
    let words = Objective {
        id: new.id.clone(),
        slo: new.slo.clone(),
        title: new.title.clone(),
        description: new.description.clone(),
        service: new.service.clone(),
        runbook: new.runbook.clone(),
        tier: new.tier.clone(),
        labels: new.labels.clone(),
        source: new.source.clone(),
        segment: new.segment.clone(),
        corrections: if correct_alike(&old.corrections, &new.corrections) {
            new.corrections.clone()
        } else {
            old.corrections.clone()
        },
        ..old.clone()
    };
    words == *new
}

/// Whether corrections leave out the same, wherever they are written and whatever they say.
fn correct_alike(old: &[Arc<Correction>], new: &[Arc<Correction>]) -> bool {
    let alike = |(old, new): (&Arc<Correction>, &Arc<Correction>)| {
        let words = Correction {
            title: new.title.clone(),
            reason: new.reason.clone(),
            author: new.author.clone(),
            source: new.source.clone(),
            ..(**old).clone()
        };
        words == **new
    };
    old.len() == new.len() && old.iter().zip(new).all(alike)
}

impl Difference {
    pub(super) fn id(&self) -> &str {
        let side = self.new.as_ref().or(self.old.as_ref());
        side.map_or("", |objective| &objective.id)
    }

    pub(super) fn service(&self) -> &str {
        let side = self.new.as_ref().or(self.old.as_ref());
        side.map_or("", |objective| &objective.service)
    }

    /// The id in the old catalog, if it is another one.
    pub(super) fn old_id(&self) -> Option<String> {
        let (old, new) = (self.old.as_ref()?, self.new.as_ref()?);
        (old.id != new.id).then(|| old.id.clone())
    }

    pub(super) fn fate(&self) -> Fate {
        match (&self.old, &self.new) {
            (None, _) => Fate::Added,
            (_, None) => Fate::Removed,
            (Some(old), Some(new)) if judge_alike(old, new) => Fate::Renamed,
            (Some(_), Some(_)) => Fate::Changed,
        }
    }

    /// Whether both are there and count different events.
    pub(super) fn counts_differ(&self) -> bool {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => old.indicator != new.indicator,
            _ => false,
        }
    }

    /// `target: 0.999 → 0.9995; window: 30d → 7d`
    fn words(&self) -> String {
        let nothing = || "nothing".to_owned();
        let change = |Change { what, old, new }: Change| match (old, new) {
            (None, None) => what,
            (old, new) => format!(
                "{what}: {} → {}",
                old.unwrap_or_else(nothing),
                new.unwrap_or_else(nothing)
            ),
        };
        let changes = self.changes().into_iter().map(change);
        let renamed = self.old_id().map(|old| format!("was `{old}`"));
        match self.fate() {
            Fate::Added => "added".to_owned(),
            Fate::Removed => "removed".to_owned(),
            Fate::Renamed | Fate::Changed => renamed
                .into_iter()
                .chain(changes)
                .collect::<Vec<_>>()
                .join("; "),
        }
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        let (Some(old), Some(new)) = (&self.old, &self.new) else {
            return Vec::new();
        };
        let mut changes: Vec<Change> = [
            ("target", old.target.to_string(), new.target.to_string()),
            ("window", old.window.name(), new.window.name()),
            (
                "indicator",
                describe::words(&old.indicator),
                describe::words(&new.indicator),
            ),
            ("budgeting", budgeting(old), budgeting(new)),
            ("corrections", corrections(old), corrections(new)),
            ("error budget policy", allowances(old), allowances(new)),
            ("segments", old.segments.join(", "), new.segments.join(", ")),
        ]
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(what, old, new)| Change {
            what: what.to_owned(),
            old: (!old.is_empty()).then_some(old),
            new: (!new.is_empty()).then_some(new),
        })
        .collect();
        changes.extend(rule_changes(&old.rules, &new.rules));
        if changes.is_empty() && !judge_alike(old, new) {
            changes.push(Change {
                what: "another setting that judges".to_owned(),
                old: None,
                new: None,
            });
        }
        changes
    }
}

/// `Timeslices of 1m, good from 0.95`
fn budgeting(objective: &Objective) -> String {
    let name = objective.budgeting.name();
    let Some(slicing) = objective.budgeting.slicing() else {
        return name.to_owned();
    };
    let verdict = match slicing.verdict {
        Verdict::Target(target) => format!(", good from {target}"),
        Verdict::AtMost(most) => format!(", good up to {most}"),
        Verdict::AtLeast(least) => format!(", good from {least}"),
        Verdict::Share => String::new(),
    };
    let (length, empty) = (window_name(slicing.length), slicing.empty.name());
    format!("{name} of {length}{verdict}, without events {empty}")
}

/// `release (maintenance, 2026-03-10T02:00:00Z to 2026-03-10T03:00:00Z); …`
fn corrections(objective: &Objective) -> String {
    let words = |one: &Arc<Correction>| {
        let when = match &one.when {
            When::Once { start_s, end_s } => {
                format!("{} to {}", super::instant(*start_s), super::instant(*end_s))
            }
            When::Recurring(_) => one.canonical(),
        };
        format!("{} ({}, {when})", one.name, one.kind.name())
    };
    let all: Vec<String> = objective.corrections.iter().map(words).collect();
    all.join("; ")
}

/// `below 0.25 of the budget: only fixes (the product owners); …`
fn allowances(objective: &Objective) -> String {
    let words = |one: &Allowance| {
        let mark = one.below.map_or("0".to_owned(), |below| below.to_string());
        let owner = one.owner.as_ref().map(|owner| format!(" ({owner})"));
        format!(
            "below {mark} of the budget: {}{}",
            one.allows,
            owner.unwrap_or_default()
        )
    };
    let all: Vec<String> = objective.allowances.iter().map(words).collect();
    all.join("; ")
}

fn rule_changes(old: &[Rule], new: &[Rule]) -> Vec<Change> {
    let names: BTreeSet<&str> = old.iter().chain(new).map(|rule| &*rule.name).collect();
    let of = |rules: &[Rule], name: &str| rules.iter().find(|rule| rule.name == name).cloned();
    let change = |name: &str| {
        let (old, new) = (of(old, name), of(new, name));
        (old != new).then(|| Change {
            what: format!("rule {name}"),
            old: old.as_ref().map(rule_words),
            new: new.as_ref().map(rule_words),
        })
    };
    names.into_iter().filter_map(change).collect()
}

/// `page above 14.4× over 1h and 5m, at least 3 bad`
fn rule_words(rule: &Rule) -> String {
    let when = match rule.burn() {
        Some(burn) => burn_words(burn),
        None => format!("when {}", rule.condition.when()),
    };
    let mut words = vec![format!("{} {when}", rule.severity.name())];
    if !rule.hold.is_zero() {
        words.push(format!(", held for {}", window_name(rule.hold)));
    }
    if !rule.receivers.is_empty() {
        words.push(format!(", to {}", rule.receivers.join(" and ")));
    }
    if rule.ending == Ending::Quiet {
        words.push(", resolved in silence".to_owned());
    }
    words.concat()
}

fn burn_words(burn: &Burn) -> String {
    let over = match burn.bound {
        slo_specs::Bound::Above => "above",
        slo_specs::Bound::AtLeast => "from",
    };
    let sure = burn.confidence.map_or(String::new(), |asked| {
        format!(", confidence {}", asked.as_f64())
    });
    format!(
        "{over} {}× over {} and {}, at least {} bad{sure}",
        burn.threshold.as_f64(),
        window_name(burn.long),
        window_name(burn.short),
        burn.minimum_bad,
    )
}
