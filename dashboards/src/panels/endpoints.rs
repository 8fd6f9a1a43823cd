//! Endpoints that fail.

use askama::Template;
use jiff::Timestamp;

use super::{Panel, Part, state};
use crate::charts::lines::spark;
use crate::charts::plot::Percent;
use crate::markup::Markup;
use crate::number::real;
use crate::view::{Counts, Endpoint, Range, Status};
use crate::{Text, format, links};

/// Below so many requests a share is not shown as a rate of failure to be ranked by.
const FEW: u64 = 100;

#[derive(Template)]
#[template(path = "panels/endpoints.html")]
struct Table<'a> {
    rows: Vec<Row<'a>>,
    lasting: String,
}

struct Row<'a> {
    name: &'a Text,
    service: Text,
    href: String,
    failing: String,
    hot: bool,
    usual: String,
    failed: String,
    of: String,
    spark: Markup,
    share: Percent,
    share_text: String,
}

/// The panel; empty is good, and says so.
pub(crate) fn panel(
    endpoints: &[Endpoint],
    range: Range,
    now: Timestamp,
    class: &'static str,
    uncorrected: &'static str,
    trouble: Option<&Text>,
) -> Part {
    let bad: u64 = endpoints
        .iter()
        .map(|e| e.counts.bad)
        .fold(0, u64::saturating_add);
    let lasting = format::length(format::between(range.from, range.to));
    let body = if let Some(trouble) = trouble {
        super::trouble(trouble)
    } else if bad == 0 {
        state("No failing requests.", &format!("None in {lasting}."))
    } else {
        let rows = endpoints
            .iter()
            .filter(|e| e.counts.bad > 0)
            .map(|e| row(e, bad, range));
        Markup::of(&Table {
            rows: rows.collect(),
            lasting: lasting.clone(),
        })
    };
    let when = if range.live {
        format!("Most failures first, last {lasting}{uncorrected}")
    } else {
        format!(
            "Most failures first, {} – {}{uncorrected}",
            format::time(range.from, now),
            format::time(range.to, now)
        )
    };
    Panel {
        id: "endpoints",
        class,
        title: "Top failing endpoints",
        lead: when,
        body,
        ..Panel::default()
    }
    .part()
}

fn row(endpoint: &Endpoint, all_bad: u64, range: Range) -> Row<'_> {
    let counts = endpoint.counts;
    let share = real(counts.bad) / real(all_bad.max(1));
    let hot = counts.error_ratio().is_some_and(|ratio| ratio >= 0.01) && counts.total >= FEW;
    Row {
        name: &endpoint.name,
        service: Text::new(&endpoint.service),
        href: links::at(&links::debug(&endpoint.service), range, None),
        failing: format::failing(counts),
        hot,
        usual: endpoint.before.map_or_else(
            || format::UNKNOWN.to_owned(),
            |before| usual(counts, before),
        ),
        failed: format::count(counts.bad),
        of: format::count(counts.total),
        spark: spark(
            &endpoint.recent,
            if hot { Status::Paging } else { Status::OnTrack },
        ),
        share: Percent(share * 100.0),
        share_text: format::share(share),
    }
}

/// How many times as often as a day before.
fn usual(now: Counts, before: Counts) -> String {
    match (now.error_ratio(), before.error_ratio()) {
        (Some(_), Some(0.0)) => "none before".to_owned(),
        (Some(now), Some(before)) if now / before >= 10.0 => {
            format!("×{:.0}", (now / before).min(1e6))
        }
        (Some(now), Some(before)) => format!("×{:.1}", now / before),
        _ => format::UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_compared_with_the_day_before() {
        let counts = |total, bad| Counts { total, bad };
        assert_eq!(usual(counts(100, 31), counts(100, 1)), "×31");
        assert_eq!(usual(counts(100, 2), counts(100, 1)), "×2.0");
        assert_eq!(usual(counts(100, 2), counts(100, 0)), "none before");
        assert_eq!(usual(counts(100, 2), counts(0, 0)), "—");
    }
}
