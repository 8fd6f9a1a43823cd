//! Pages and incidents whose rows are damaged: written anew from what is known of them elsewhere. A page too many is
//! better than one too few, and what is not known is not said.

use jiff::Timestamp;
use slo_specs::{AlertState, Severity};

use crate::page::{Notice, NoticeEvent, Receiver, route};
use crate::store::{
    FoundIncident, FoundPage, HistoryRow, Kind, MendedPage, OutboxRow, RowKey, Store, StoreError,
};

/// Behind the reason of an incident that was damaged.
const AGAIN: &str = " (its stored row was damaged; this is what is known)";

/// Writes anew what is noted as damaged, incidents first: pages are written from them. Returns how many.
pub(super) async fn mend(
    store: &Store,
    receivers: &[Receiver],
    base_url: &str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let noted = store.noted_damage();
    let mut mended = 0;
    for row in &noted {
        if let RowKey::Incident(number) = row
            && let Some(found) = store.found_incident(*number).await?
        {
            let anew = incident(found);
            store.mend_incident(*number, &anew, now.as_second()).await?;
            mended += 1;
        }
    }
    for row in &noted {
        if let RowKey::Page(id) = row {
            let Some(found) = store.found_page(*id).await? else {
                store.forget_damage(row);
                continue;
            };
            let known = known(store, &found).await?;
            let anew = pages(&found, known, receivers, base_url, now);
            store.mend_page(*id, &anew, now.as_second()).await?;
            mended += 1;
        }
    }
    Ok(mended)
}

/// The incident as its pages and its alert tell it; the rest as found.
fn incident(found: FoundIncident) -> HistoryRow {
    let FoundIncident {
        mut row,
        fire,
        resolve,
        alert,
        number_is_free,
    } = found;
    let read = |notice: Option<String>| serde_json::from_str::<Notice>(&notice?).ok();
    let told = read(fire);
    if let Some(fire) = &told {
        row.objective.clone_from(&fire.slo.id);
        row.rule.clone_from(&fire.rule.name);
        fire.severity.name().clone_into(&mut row.severity);
        row.fired_s = fire.fired.as_second();
        row.reason.clone_from(&fire.reason);
        row.late = fire.late;
    }
    if !["page", "ticket"].contains(&row.severity.as_str()) {
        Severity::Page.name().clone_into(&mut row.severity);
    }
    if let Some(alert) = alert {
        if told.is_none() && number_is_free {
            row.incident = alert.incident;
        }
        let state = serde_json::from_str(&alert.state).unwrap_or_default();
        match state {
            AlertState::Firing { since, .. } if alert.incident == row.incident => {
                row.fired_s = since.as_second();
                (row.resolved_s, row.resolved_reason) = (None, None);
            }
            AlertState::Inactive { last: Some(last) } if alert.incident == row.incident => {
                row.fired_s = last.fired_at.as_second();
                row.resolved_s = Some(last.resolved_at.as_second());
            }
            _ => {}
        }
        (row.objective, row.rule) = (alert.objective, alert.rule);
    }
    if let Some(end) = read(resolve) {
        row.resolved_s = end.resolved.map(Timestamp::as_second).or(row.resolved_s);
        row.resolved_reason = Some(end.reason);
    }
    if !row.reason.ends_with(AGAIN) {
        row.reason.push_str(AGAIN);
    }
    row
}

/// The incident that a damaged page is about: by its notice, if that vouches for itself, or by its columns.
async fn known(store: &Store, found: &FoundPage) -> Result<Option<HistoryRow>, StoreError> {
    let notice = serde_json::from_str::<Notice>(&found.notice).ok();
    let vouched = notice.filter(Notice::names_its_incident);
    let number = vouched.as_ref().map_or(Some(found.incident), |notice| {
        i64::try_from(notice.incident).ok()
    });
    let Some(number) = number else {
        return Ok(None);
    };
    let incident = store.incident(number).await?;
    let fits = |row: &HistoryRow| row.objective == found.objective || row.rule == found.rule;
    Ok(incident.filter(|row| vouched.is_some() || fits(row)))
}

/// What is owed in place of a damaged page.
fn pages(
    found: &FoundPage,
    known: Option<HistoryRow>,
    receivers: &[Receiver],
    base_url: &str,
    now: Timestamp,
) -> Vec<MendedPage> {
    let row = known.unwrap_or_else(|| HistoryRow {
        incident: found.incident,
        objective: found.objective.clone(),
        rule: found.rule.clone(),
        severity: Severity::Page.name().to_owned(),
        fired_s: now.as_second(),
        resolved_s: None,
        reason: "why is not known: this page was damaged in sloburn's store".to_owned(),
        resolved_reason: None,
        late: false,
    });
    let to = to(&found.receiver, &row, receivers);
    let page = |kind, event| MendedPage {
        page: OutboxRow {
            receivers: to.clone(),
            only: None,
            incident: row.incident,
            objective: row.objective.clone(),
            rule: row.rule.clone(),
            kind,
            notice: Notice::of_incident(&row, event, base_url).to_json(),
            created_ms: now.as_millisecond(),
        },
        delivered_ms: found.delivered_ms,
    };
    let fire = page(Kind::Fire, NoticeEvent::Fire);
    let resolve = page(Kind::Resolve, NoticeEvent::Resolve);
    tracing::error!(
        page.receiver = found.receiver,
        page.incident = row.incident,
        "a stored page was damaged; it is owed again, as far as it is known"
    );
    match found.kind {
        Kind::Resolve => vec![resolve],
        // Who is told again that it began is told that it is over, too.
        Kind::Fire if row.resolved_s.is_some() => {
            let resolve = MendedPage {
                delivered_ms: None,
                ..resolve
            };
            vec![fire, resolve]
        }
        Kind::Fire => vec![fire],
    }
}

/// The receiver as found, if it is one; else all that take pages of that severity.
fn to(found: &str, row: &HistoryRow, receivers: &[Receiver]) -> Vec<String> {
    if receivers.iter().any(|receiver| receiver.name() == found) {
        return vec![found.to_owned()];
    }
    let ticket = row.severity == Severity::Ticket.name();
    let severity = if ticket {
        Severity::Ticket
    } else {
        Severity::Page
    };
    let routed = route(receivers, severity, &[]);
    if routed.is_empty() {
        vec![found.to_owned()]
    } else {
        routed
    }
}

#[cfg(test)]
mod tests;
