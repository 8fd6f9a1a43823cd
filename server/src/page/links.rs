//! Links of a page: they lead to the time it is about, whenever they are opened.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;

use super::notice::{Links, NoticeInput};

/// At least this much of what was before is shown.
const LEAD: Duration = Duration::from_mins(30);
/// And this much of what came after.
const TRAIL: Duration = Duration::from_mins(15);

/// `from` is the onset less half an hour or two short windows, whichever is more; `to` is `live` until the
/// incident is over, then its end and a quarter of an hour.
pub(super) fn links(input: &NoticeInput<'_>) -> Links {
    let NoticeInput { key, event, .. } = *input;
    let cause = event.cause.as_ref();
    let lead = cause
        .and_then(|cause| cause.rule.condition.short())
        .map_or(LEAD, |short| LEAD.max(short.saturating_mul(2)));
    let onset = match cause {
        // A late breach was earlier than its page.
        Some(cause) if event.late => event.fired_at.min(cause.reading.at),
        _ => event.fired_at,
    };
    let from = rfc3339(onset - lead);
    let to = input
        .resolved()
        .map_or_else(|| "live".to_owned(), |ended| rfc3339(ended + TRAIL));
    let range = [("from", from.as_str()), ("to", to.as_str())];
    let focus = format!("rule:{}", key.rule);
    let focused = [range[0], range[1], ("focus", focus.as_str())];
    Links {
        slo: link(input.base_url, ["slos", &key.objective], &focused),
        debug: cause.map(|cause| link(input.base_url, ["debug", &cause.objective.service], &range)),
    }
}

/// A base URL that cannot be one (the configuration refuses these) gives a link relative to wherever it is read.
fn link(base_url: &str, path: [&str; 2], query: &[(&str, &str)]) -> String {
    let Ok(mut url) = base_url.parse::<Url>() else {
        return format!("/{}/{}", path[0], path[1]);
    };
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url.query_pairs_mut().clear().extend_pairs(query);
    url.into()
}

/// In UTC, to the second.
fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{fired, notice, removed, resolved};

    #[test]
    fn links_lead_to_the_time_of_the_incident() {
        assert_eq!(
            fired().links.slo,
            "https://slo.example.com/team/slos/checkout-availability\
             ?from=2026-03-10T02%3A24%3A00Z&to=live&focus=rule%3Apage-fast"
        );
        assert_eq!(
            resolved().links.debug.unwrap(),
            "https://slo.example.com/team/debug/checkout\
             ?from=2026-03-10T02%3A24%3A00Z&to=2026-03-10T03%3A32%3A00Z"
        );
        assert_eq!(removed().links.debug, None);
    }

    #[test]
    fn names_cannot_lead_elsewhere() {
        let odd = notice(|objective, _| objective.service = "a/b?c=../d".to_owned());
        let url: Url = odd.links.debug.unwrap().parse().unwrap();
        assert_eq!(url.path(), "/team/debug/a%2Fb%3Fc=..%2Fd");
    }
}
