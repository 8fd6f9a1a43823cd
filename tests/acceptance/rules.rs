//! Every kind of rule beyond burn rates, from spans to a webhook and back: each notice says why in its own words.

use std::time::Duration;

use acceptance::clock::now_nanos;
use acceptance::home::Home;
use acceptance::inbox::{Delivery, Inbox};
use acceptance::otlp::{Spans, send};
use acceptance::sloburn::Sloburn;
use acceptance::{specs, wait};
use anyhow::{Context, Result, ensure};

const MINUTE: u64 = 60_000_000_000;

/// A rule of a service that has only this one.
struct Case {
    service: &'static str,
    target: f64,
    severity: &'static str,
    condition: &'static str,
    /// What makes it fire: minutes ago, good and bad spans.
    fires: &'static [(u64, usize, usize)],
    /// What the notice says then.
    because: &'static str,
    /// Good spans that end it.
    ends: usize,
    /// What the notice says then.
    over: &'static str,
}

const CASES: [Case; 6] = [
    Case {
        service: "left",
        target: 0.9,
        severity: "ticket",
        condition: "budgetLeft: { below: 0.25 }",
        fires: &[(0, 92, 8)],
        because: "20% of the error budget left, mark 25%.",
        ends: 100,
        over: "60% of the error budget left, no longer below 25%.",
    },
    Case {
        service: "drop",
        target: 0.9,
        severity: "ticket",
        condition: "budgetDrop: { share: 0.3, within: 10m }",
        fires: &[(0, 96, 4)],
        because: "40% of the error budget spent within 10 min, mark 30%.",
        ends: 300,
        over: "10% of the error budget spent within 10 min, no longer above 30%.",
    },
    Case {
        service: "soon",
        target: 0.9,
        severity: "page",
        condition: "timeToEmpty: { within: 30m, lookBack: 10m }",
        fires: &[(20, 1_000, 0), (0, 50, 50)],
        because: "at the rate of the last 10 min, mark 30 min.",
        ends: 1_000,
        over: ", no longer within 30 min.",
    },
    Case {
        service: "silent",
        target: 0.9,
        severity: "ticket",
        condition: "noData: { for: 1m }",
        fires: &[(5, 10, 0)],
        because: "No data for ",
        ends: 10,
        over: "Data is back.",
    },
    Case {
        service: "both",
        target: 0.9,
        severity: "page",
        condition: "all: [{ burnRate: 2, long: 5m, short: 5m }, { any: [{ budgetLeft: { below: 0.5 } }, { burnRate: 9, long: 5m }] }]",
        fires: &[(0, 70, 30)],
        because: "Fires when burn rate above 2.0 over 5 min and (less than 50% of the error budget is left or",
        ends: 400,
        over: "Burn rate 0.6 over 5 min, no longer above the threshold 2.0.",
    },
    Case {
        service: "sure",
        target: 0.99,
        severity: "page",
        condition: "burnRate: 6, long: 5m, short: 5m, confidence: 0.95",
        // One of five burns as fast, and proves nothing.
        fires: &[(0, 3, 3)],
        because: "4 bad of 11, P(burn > 6×) = 0.9",
        ends: 500,
        over: "4 of 511",
    },
];

impl Case {
    fn spec(&self) -> String {
        let Case {
            service,
            target,
            severity,
            condition,
            ..
        } = self;
        let policy = format!("  alertPolicies: [{{ alertPolicyRef: {service} }}]\n---\n");
        let slo = specs::availability(service, service, *target, "1h").replace("---\n", &policy);
        format!(
            "{slo}apiVersion: sloburn/v1\nkind: BurnPolicy\nmetadata: {{ name: {service} }}\nspec:\n  rules:\n    \
             - {{ name: {service}-rule, severity: {severity}, {condition} }}\n"
        )
    }

    async fn send(&self, sloburn: &Sloburn, ago: u64, good: usize, bad: usize) -> Result<()> {
        let ended = now_nanos() - ago * MINUTE;
        let spans = Spans::ended_at(self.service, good, bad, ended);
        ensure!(send(&sloburn.http(), &spans).await? == 200);
        Ok(())
    }

    fn is_of(&self, delivery: &Delivery) -> bool {
        delivery.body["slo"]["id"] == self.service
    }

    /// That the fire and the resolve are one incident, and say why.
    fn told(&self, deliveries: &[Delivery]) -> Result<()> {
        let mine: Vec<&Delivery> = deliveries.iter().filter(|one| self.is_of(one)).collect();
        let [fire, resolve] = mine[..] else {
            anyhow::bail!("{}: {mine:#?}", self.service);
        };
        for (notice, event, says) in [
            (fire, "fire", self.because),
            (resolve, "resolve", self.over),
        ] {
            assert_eq!(notice.body["event"], event, "{}", self.service);
            assert_eq!(notice.body["severity"], self.severity, "{}", self.service);
            assert_eq!(
                notice.body["rule"]["name"],
                format!("{}-rule", self.service)
            );
            let text = notice.body["text"].as_str().context("no text")?;
            assert!(text.contains(says), "{} {event}: {text}", self.service);
        }
        assert_eq!(fire.body["dedup_key"], resolve.body["dedup_key"]);
        Ok(())
    }
}

#[tokio::test]
async fn every_kind_of_rule_fires_and_resolves_in_its_own_words() -> Result<()> {
    let mut home = Home::new()?;
    let inbox = Inbox::start().await?;
    home.deliver_to("inbox", &inbox)?;
    for case in &CASES {
        home.spec(&format!("{}.yaml", case.service), &case.spec())?;
    }
    let sloburn = home.start().await?;
    let sure = CASES.iter().find(|case| case.service == "sure");
    let sure = sure.context("no case is about confidence")?;
    sure.send(&sloburn, 0, 4, 1).await?;
    sloburn.slo_that("sure", |slo| slo.total == 5).await?;
    for case in &CASES {
        for (ago, good, bad) in case.fires {
            case.send(&sloburn, *ago, *good, *bad).await?;
        }
    }
    // Silence counts only from when somebody listened.
    let fired = inbox
        .deliveries_at_least(CASES.len(), Duration::from_mins(3))
        .await
        .with_context(|| sloburn.told())?;
    let fires = fired.iter().filter(|one| one.body["event"] == "fire");
    assert_eq!(fires.count(), CASES.len(), "{fired:#?}");

    for case in &CASES {
        case.send(&sloburn, 0, case.ends, 0).await?;
    }
    let all = inbox
        .deliveries_at_least(2 * CASES.len(), wait::TICKS)
        .await
        .with_context(|| sloburn.told())?;
    for case in &CASES {
        case.told(&all)?;
    }
    assert_eq!(all.len(), 2 * CASES.len());
    assert!(sloburn.stop().await?.success());
    Ok(())
}
