//! What an error budget policy allows at which budget, and what holds now.

use askama::Template;

use super::{Panel, Part};
use crate::markup::Markup;
use crate::view::{Allowance, SloView};
use crate::{Text, format};

#[derive(Template)]
#[template(path = "panels/policy.html")]
struct Table<'a> {
    rows: Vec<Row<'a>>,
    owned: bool,
}

struct Row<'a> {
    at: String,
    allows: &'a Text,
    owner: Option<&'a Text>,
    now: bool,
}

/// The panel; none without a policy.
pub(crate) fn panel(view: &SloView) -> Option<Part> {
    if view.policy.is_empty() {
        return None;
    }
    let body = Markup::of(&Table {
        rows: rows(&view.policy),
        owned: view.policy.iter().any(|one| one.owner.is_some()),
    });
    let panel = Panel {
        id: "policy",
        class: "c12",
        title: "Error budget policy",
        lead: format!(
            "What is allowed at which budget; {} is left",
            format::budget_fine(view.objective.budget.left)
        ),
        body,
        focused: view.focus.as_deref() == Some("policy"),
        ..Panel::default()
    };
    Some(panel.part())
}

/// The highest mark first; of those that hold the lowest is what is allowed now.
fn rows(policy: &[Allowance]) -> Vec<Row<'_>> {
    let mut marks: Vec<&Allowance> = policy.iter().collect();
    marks.sort_by(|one, other| other.below.total_cmp(&one.below));
    let lowest = marks.iter().rposition(|one| one.holds);
    let rows = marks.into_iter().enumerate();
    rows.map(|(index, one)| Row {
        at: if one.below > 0.0 {
            format!("Below {}", format::target(one.below))
        } else {
            "Spent".to_owned()
        },
        allows: &one.allows,
        owner: one.owner.as_ref(),
        now: lowest == Some(index),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_mark_that_holds_is_now() {
        let policy = |left: f64| -> Vec<Allowance> {
            let marks = [
                (0.0, "only fixes"),
                (0.5, "a second reviewer"),
                (0.25, "nothing new"),
            ];
            let mark = |(below, allows): (f64, &str)| Allowance {
                below,
                allows: Text::new(allows),
                owner: None,
                holds: left < below || left <= 0.0,
            };
            marks.map(mark).into()
        };
        for (left, expected) in [
            (0.7, None),
            (0.3, Some("a second reviewer")),
            (0.1, Some("nothing new")),
            (-0.1, Some("only fixes")),
        ] {
            let policy = policy(left);
            let rows = rows(&policy);
            let order: Vec<_> = rows.iter().map(|row| row.at.as_str()).collect();
            assert_eq!(order, ["Below 50%", "Below 25%", "Spent"]);
            let now: Vec<_> = rows.iter().filter(|row| row.now).collect();
            assert!(now.len() <= 1);
            assert_eq!(
                now.first().map(|row| row.allows.as_str()),
                expected,
                "{left}"
            );
        }
    }
}
