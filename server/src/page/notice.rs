//! What a page says: the payload that every kind of receiver carries.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slo_specs::{
    BurnRate, Condition, Confidence, Evaluation, Exhaustion, Severity, Tally, window_name,
};

use super::{links, wording};
use crate::judge::{AlertKey, Cause};
use crate::store::HistoryRow;

/// Name and version of the payload.
const SCHEMA: &str = "sloburn.alert/1";

/// One page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// [`SCHEMA`].
    pub(crate) schema: String,
    /// Whether it begins or ends.
    pub(crate) event: NoticeEvent,
    /// The incident as people name it, `INC-482`.
    pub(crate) id: String,
    /// Its number.
    pub(crate) incident: u64,
    /// The same in every page of an incident: receivers join them by it.
    pub(crate) dedup_key: String,
    /// The same in every attempt to deliver this page.
    pub(crate) webhook_id: String,
    /// Who suffers and how much, in at most 80 characters.
    pub(crate) title: String,
    /// The numbers, in a few sentences.
    pub(crate) text: String,
    /// `page` or `ticket`.
    pub(crate) severity: Severity,
    /// What fired.
    pub(crate) rule: RuleNotice,
    /// What is promised.
    pub(crate) slo: SloNotice,
    /// The service that the objective belongs to; none if the objective was removed meanwhile.
    pub(crate) service: Option<String>,
    /// Why the rule fired or resolved.
    pub(crate) reason: String,
    /// When it fired.
    pub(crate) fired: Timestamp,
    /// When it resolved.
    pub(crate) resolved: Option<Timestamp>,
    /// Only late data made it fire: the breach itself is past.
    pub(crate) late: bool,
    /// What to do.
    pub(crate) runbook: Option<String>,
    /// Where to look.
    pub(crate) links: Links,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NoticeEvent {
    /// An incident began.
    Fire,
    /// It ended.
    Resolve,
}

/// The rule, and what it saw: unknown if it was removed meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleNotice {
    /// Its name, such as `page-fast`.
    pub(crate) name: String,
    /// Burn rate that both windows are held against; none if no burn rate is part of it.
    pub(crate) threshold: Option<f64>,
    /// The long window.
    pub(crate) long: Option<WindowNotice>,
    /// The short window.
    pub(crate) short: Option<WindowNotice>,
    /// How sure it is that the true burn rate is beyond the threshold, where the rule asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confidence: Option<f64>,
    /// When a rule that is more than a burn rate fires, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) when: Option<String>,
    /// What follows while it fires, such as what an error budget policy still allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// What happened in one window of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WindowNotice {
    /// Its length, such as `1h`.
    pub(crate) window: String,
    /// Burn rate; none without events.
    pub(crate) burn: Option<f64>,
    /// Good events, exactly.
    pub(crate) good: u64,
    /// Bad events, exactly.
    pub(crate) bad: u64,
    /// All events, exactly.
    pub(crate) total: u64,
}

/// The objective, and how it stands: unknown if it was removed meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SloNotice {
    /// Its id.
    pub(crate) id: String,
    /// Its display name, or its id.
    pub(crate) title: String,
    /// Share of events that must be good.
    pub(crate) target: Option<f64>,
    /// The window of the target, such as `30d`.
    pub(crate) window: Option<String>,
    /// Share of the error budget that is left; negative when overspent, none without events.
    pub(crate) budget_left: Option<f64>,
    /// When nothing is left at the present rate; none if that is not foreseen.
    pub(crate) empty_at: Option<Timestamp>,
}

/// Absolute URLs at the time range of the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Links {
    /// The objective's page.
    pub(crate) slo: String,
    /// The service's page; none if the objective was removed meanwhile.
    pub(crate) debug: Option<String>,
}

/// What a notice is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoticeInput<'a> {
    /// Which alert.
    pub(crate) key: &'a AlertKey,
    /// What happened to it.
    pub(crate) event: &'a crate::judge::Event,
    /// The tick at which it happened.
    pub(crate) now: Timestamp,
    /// Where people reach the dashboards.
    pub(crate) base_url: &'a str,
}

impl NoticeInput<'_> {
    /// When it resolved; none for a fire.
    pub(super) fn resolved(&self) -> Option<Timestamp> {
        (!self.event.fired()).then_some(self.now)
    }
}

impl Notice {
    /// Writes the page that an event owes.
    pub(crate) fn new(input: &NoticeInput<'_>) -> Notice {
        let NoticeInput { key, event, .. } = *input;
        let cause = event.cause.as_ref();
        let incident = event.transition.incident;
        let happened = if event.fired() {
            NoticeEvent::Fire
        } else {
            NoticeEvent::Resolve
        };
        let dedup_key = dedup_key(&key.objective, &key.rule, incident);
        Notice {
            schema: SCHEMA.to_owned(),
            event: happened,
            id: format!("INC-{incident}"),
            incident,
            webhook_id: webhook_id(&dedup_key, happened),
            dedup_key,
            title: wording::title(input),
            text: wording::text(input),
            severity: event.severity(),
            rule: rule_notice(&key.rule, cause),
            slo: slo_notice(&key.objective, cause),
            service: cause.map(|cause| cause.objective.service.clone()),
            reason: event.transition.reason.clone(),
            fired: event.fired_at,
            resolved: input.resolved(),
            late: event.late,
            runbook: cause.and_then(|cause| cause.objective.runbook.clone()),
            links: links::links(input),
        }
    }

    /// That the store cannot commit, since `fired`; or, with `resolved`, that it can again.
    pub(crate) fn of_storage(
        key: &AlertKey,
        incident: u64,
        fired: Timestamp,
        resolved: Option<Timestamp>,
        why: &str,
        base_url: &str,
    ) -> Notice {
        let dedup_key = dedup_key(&key.objective, &key.rule, incident);
        let (event, title, text) = if resolved.is_some() {
            (
                NoticeEvent::Resolve,
                "sloburn counts again",
                format!("sloburn's store takes new telemetry again: {why}."),
            )
        } else {
            (
                NoticeEvent::Fire,
                "sloburn cannot store what it is sent",
                format!(
                    "sloburn's store cannot commit: {why}. Telemetry is refused meanwhile, and senders are \
                     asked to try again; what they give up on is missing from every objective."
                ),
            )
        };
        Notice {
            schema: SCHEMA.to_owned(),
            event,
            id: format!("INC-{incident}"),
            incident,
            webhook_id: webhook_id(&dedup_key, event),
            dedup_key,
            title: title.to_owned(),
            text,
            severity: Severity::Page,
            rule: rule_notice(&key.rule, None),
            slo: slo_notice(&key.objective, None),
            service: None,
            reason: why.to_owned(),
            fired,
            resolved,
            late: false,
            runbook: None,
            links: Links {
                slo: base_url.to_owned(),
                debug: None,
            },
        }
    }

    /// What is known of an incident whose page is lost: no number but those of its row.
    pub(crate) fn of_incident(row: &HistoryRow, event: NoticeEvent, base_url: &str) -> Notice {
        let incident = u64::try_from(row.incident).unwrap_or_default();
        let at = |second: i64| Timestamp::from_second(second).unwrap_or_default();
        let dedup_key = dedup_key(&row.objective, &row.rule, incident);
        let (happened, reason) = match event {
            NoticeEvent::Fire => ("fired", row.reason.as_str()),
            NoticeEvent::Resolve => (
                "is over",
                row.resolved_reason.as_deref().unwrap_or("why is not known"),
            ),
        };
        let resolved = match event {
            NoticeEvent::Fire => None,
            NoticeEvent::Resolve => Some(at(row.resolved_s.unwrap_or(row.fired_s))),
        };
        let title = format!("{} {happened} for {}", row.rule, row.objective);
        Notice {
            schema: SCHEMA.to_owned(),
            event,
            id: format!("INC-{incident}"),
            incident,
            webhook_id: webhook_id(&dedup_key, event),
            dedup_key,
            title: title.chars().take(80).collect(),
            text: format!(
                "{reason}. This page was damaged in sloburn's store: its other numbers are left out, and it may \
                 have been delivered before."
            ),
            severity: if row.severity == Severity::Ticket.name() {
                Severity::Ticket
            } else {
                Severity::Page
            },
            rule: rule_notice(&row.rule, None),
            slo: slo_notice(&row.objective, None),
            service: None,
            reason: reason.to_owned(),
            fired: at(row.fired_s),
            resolved,
            late: row.late,
            runbook: None,
            links: Links {
                slo: base_url.to_owned(),
                debug: None,
            },
        }
    }

    /// Whether objective, rule and incident are what its key was made from: a damaged notice is hardly that.
    pub(crate) fn names_its_incident(&self) -> bool {
        self.dedup_key == dedup_key(&self.slo.id, &self.rule.name, self.incident)
    }

    /// The end of an incident that was delivered and never stored.
    pub(crate) fn resolved_without_the_store(&self, now: Timestamp) -> Notice {
        Notice {
            event: NoticeEvent::Resolve,
            webhook_id: webhook_id(&self.dedup_key, NoticeEvent::Resolve),
            reason: "it was over before the store could commit again".to_owned(),
            resolved: Some(now),
            ..self.clone()
        }
    }

    /// The end of an incident, as its fire (JSON) is to be followed by it.
    pub(crate) fn end(fire: &str, resolved_s: i64, reason: &str) -> Option<String> {
        let fire: Notice = serde_json::from_str(fire).ok()?;
        let ended = Notice {
            reason: reason.to_owned(),
            ..fire.resolved_without_the_store(Timestamp::from_second(resolved_s).ok()?)
        };
        Some(ended.to_json())
    }

    /// As the outbox keeps it and a webhook gets it.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a notice is plain JSON")
    }
}

/// `sb1-` and 32 hexadecimal digits: the same for the same objective, rule and incident, wherever it is made.
fn dedup_key(objective: &str, rule: &str, incident: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    // Lengths, so that no two different names run together to the same bytes.
    for part in [
        objective.as_bytes(),
        rule.as_bytes(),
        &incident.to_be_bytes(),
    ] {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    format!("sb1-{}", hex_half(&hasher.finalize()))
}

fn webhook_id(dedup_key: &str, event: NoticeEvent) -> String {
    let event = match event {
        NoticeEvent::Fire => "fire",
        NoticeEvent::Resolve => "resolve",
    };
    let hash = blake3::hash(format!("{dedup_key} {event}").as_bytes());
    format!("msg_{}", hex_half(&hash))
}

/// The first 128 bits: enough that no two are alike by chance.
fn hex_half(hash: &blake3::Hash) -> String {
    hash.to_hex().chars().take(32).collect()
}

fn rule_notice(name: &str, cause: Option<&Cause>) -> RuleNotice {
    let window = |length, tally: Tally, burn: Option<BurnRate>| WindowNotice {
        window: window_name(length),
        burn: burn.map(BurnRate::as_f64),
        good: tally.good(),
        bad: tally.bad,
        total: tally.total,
    };
    let rule = cause.map(|cause| &cause.rule);
    let leading = cause.map(|cause| cause.reading.leading(&cause.rule.condition));
    let burn = leading.and_then(|(condition, reading)| match condition {
        Condition::Burn(burn) => Some((burn, reading.burn()?)),
        _ => None,
    });
    RuleNotice {
        name: name.to_owned(),
        threshold: burn.map(|(burn, _)| burn.threshold.as_f64()),
        long: burn.map(|(burn, seen)| window(burn.long, seen.long, seen.long_burn)),
        short: burn.map(|(burn, seen)| window(burn.short, seen.short, seen.short_burn)),
        confidence: burn.and_then(|(_, seen)| seen.confidence.map(Confidence::as_f64)),
        when: rule
            .filter(|rule| rule.burn().is_none())
            .map(|rule| rule.condition.when()),
        note: rule.and_then(|rule| rule.note.clone()),
    }
}

fn slo_notice(id: &str, cause: Option<&Cause>) -> SloNotice {
    let objective = cause.map(|cause| &cause.objective);
    SloNotice {
        id: id.to_owned(),
        title: objective
            .map_or(id, |objective| &objective.title)
            .to_owned(),
        target: objective.map(|objective| objective.target.as_f64()),
        window: objective.map(|objective| objective.window.name()),
        budget_left: cause.and_then(|cause| cause.evaluation.budget.remaining()),
        empty_at: cause.and_then(|cause| empty_at(&cause.evaluation)),
    }
}

/// When the budget is gone at the present rate, if that is foreseen.
pub(super) fn empty_at(evaluation: &Evaluation) -> Option<Timestamp> {
    match evaluation.exhaustion {
        Exhaustion::In(time) => {
            let seconds = i64::try_from(time.as_secs()).ok()?;
            Timestamp::from_second(evaluation.at.as_second().checked_add(seconds)?).ok()
        }
        Exhaustion::Unknown | Exhaustion::Never | Exhaustion::NotThisPeriod | Exhaustion::Spent => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{fired, removed, resolved};

    #[test]
    fn a_page_carries_the_exact_numbers() {
        let notice = fired();
        assert_eq!(notice.id, "INC-482");
        assert_eq!(notice.slo.budget_left, Some(0.41));
        assert_eq!(notice.slo.empty_at, "2026-03-10T08:14:00Z".parse().ok());
        let short = notice.rule.short.unwrap();
        assert_eq!((short.good, short.bad, short.total), (300, 100, 400));
        assert_eq!(notice.rule.long.unwrap().burn, Some(30.0));
        assert_eq!(notice.resolved, None);
    }

    #[test]
    fn a_resolve_keeps_the_incident_and_has_an_id_of_its_own() {
        let (fire, resolve) = (fired(), resolved());
        assert_eq!(resolve.event, NoticeEvent::Resolve);
        assert_eq!(resolve.dedup_key, fire.dedup_key);
        assert_ne!(resolve.webhook_id, fire.webhook_id);
        assert_eq!(resolve.resolved, "2026-03-10T03:17:00Z".parse().ok());
    }

    #[test]
    fn the_resolve_of_a_removed_objective_still_names_its_incident() {
        let notice = removed();
        assert_eq!(notice.dedup_key, fired().dedup_key);
        assert_eq!(notice.slo.title, "checkout-availability");
        assert_eq!((notice.service, notice.rule.long), (None, None));
    }

    #[test]
    fn keys_depend_on_objective_rule_and_incident_alone() {
        let key = dedup_key("checkout", "page-fast", 1);
        assert_eq!(key, "sb1-87c28d643ae653fbd75d052b124bce2b");
        assert_ne!(key, dedup_key("checkout", "page-fast", 2));
        assert_ne!(key, dedup_key("checkoutpage", "-fast", 1));
        assert_ne!(key, dedup_key("checkout", "page-slow", 1));
    }

    #[test]
    fn an_end_is_written_from_the_fire() {
        let fire = fired();
        let json = Notice::end(&fire.to_json(), 1_773_112_620, "burn rate 0.5 over 5 min").unwrap();
        let end: Notice = serde_json::from_str(&json).unwrap();
        assert_eq!(end.event, NoticeEvent::Resolve);
        assert_eq!(end.resolved, "2026-03-10T03:17:00Z".parse().ok());
        assert_eq!(end.reason, "burn rate 0.5 over 5 min");
        let told = resolved();
        assert_eq!(end.dedup_key, told.dedup_key);
        assert_eq!(end.webhook_id, told.webhook_id);
        assert_eq!(Notice::end("{}", 1_773_112_620, ""), None);
    }

    #[test]
    fn a_notice_outlives_the_outbox() {
        for notice in [fired(), resolved(), removed()] {
            let json = notice.to_json();
            assert_eq!(serde_json::from_str::<Notice>(&json).unwrap(), notice);
        }
        let beginning = r#"{"schema":"sloburn.alert/1","event":"fire","id":"INC-482","incident":482,"dedup_key":"sb1-"#;
        assert!(fired().to_json().starts_with(beginning));
    }
}
