//! PagerDuty, by its [Events API version 2].
//!
//! [Events API version 2]: https://developer.pagerduty.com/docs/send-alert-event

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::notice::{Notice, NoticeEvent};
use super::text::shorten;

/// Where events go unless the configuration says otherwise.
pub(super) const URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// PagerDuty refuses longer summaries, counted in characters.
const SUMMARY_CHARS: usize = 1024;
const ROUTING_KEY_CHARS: usize = 32;

/// Where to send, and the integration's key.
#[derive(Clone)]
pub(super) struct PagerDuty {
    url: reqwest::Url,
    routing_key: SecretString,
}

impl fmt::Debug for PagerDuty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PagerDuty").finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Body<'a> {
    routing_key: &'a str,
    event_action: &'static str,
    dedup_key: &'a str,
    payload: Payload<'a>,
    links: Vec<Link<'a>>,
    client: &'static str,
    client_url: &'a str,
}

#[derive(Serialize)]
struct Payload<'a> {
    summary: String,
    source: &'a str,
    severity: &'static str,
    timestamp: jiff::Timestamp,
    component: &'a str,
    group: &'a str,
    class: &'a str,
    custom_details: &'a Notice,
}

#[derive(Serialize)]
struct Link<'a> {
    href: &'a str,
    text: &'static str,
}

impl PagerDuty {
    /// `secret`: the routing key of an Events API v2 integration. The error says what it must be, and shows
    /// nothing of it.
    pub(super) fn new(url: reqwest::Url, secret: &str) -> Result<PagerDuty, &'static str> {
        let key = secret.trim();
        if key.len() != ROUTING_KEY_CHARS || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("must hold the 32 letters and digits of an Events API v2 routing key");
        }
        Ok(PagerDuty {
            url,
            routing_key: key.into(),
        })
    }

    /// The request of one attempt.
    pub(super) fn request(
        &self,
        client: &reqwest::Client,
        notice: &Notice,
    ) -> reqwest::RequestBuilder {
        client.post(self.url.clone()).json(&self.body(notice))
    }

    fn body<'a>(&'a self, notice: &'a Notice) -> Body<'a> {
        let links = [
            (Some(&notice.links.slo), "Objective"),
            (notice.links.debug.as_ref(), "Debug"),
            (notice.runbook.as_ref(), "Runbook"),
        ];
        let links = links
            .into_iter()
            .filter_map(|(href, text)| Some(Link { href: href?, text }))
            .collect();
        Body {
            routing_key: self.routing_key.expose_secret(),
            event_action: match notice.event {
                NoticeEvent::Fire => "trigger",
                NoticeEvent::Resolve => "resolve",
            },
            dedup_key: &notice.dedup_key,
            payload: payload(notice),
            links,
            client: "sloburn",
            client_url: &notice.links.slo,
        }
    }
}

fn payload(notice: &Notice) -> Payload<'_> {
    let source = notice.service.as_ref().unwrap_or(&notice.slo.id);
    Payload {
        summary: shorten(&format!("{}. {}", notice.title, notice.text), SUMMARY_CHARS),
        source,
        severity: match notice.severity {
            slo_specs::Severity::Page => "critical",
            slo_specs::Severity::Ticket => "warning",
        },
        timestamp: notice.fired,
        component: source,
        group: &notice.slo.id,
        class: &notice.rule.name,
        custom_details: notice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{ROUTING_KEY as KEY, fired, removed, resolved};

    fn pagerduty() -> PagerDuty {
        PagerDuty::new(URL.parse().unwrap(), KEY).unwrap()
    }

    #[test]
    fn a_fire_triggers_with_everything_known() {
        let notice = fired();
        let body = serde_json::to_value(pagerduty().body(&notice)).unwrap();
        assert_eq!(body["routing_key"], KEY);
        assert_eq!(body["event_action"], "trigger");
        assert_eq!(body["dedup_key"], notice.dedup_key);
        assert_eq!(body["payload"]["severity"], "critical");
        assert_eq!(body["payload"]["source"], "checkout");
        let details = &body["payload"]["custom_details"];
        assert_eq!(details, &serde_json::to_value(&notice).unwrap());
        assert_eq!(body["links"][0]["href"], notice.links.slo);
        assert_eq!(body["links"][2]["href"], notice.runbook.unwrap());
    }

    #[test]
    fn a_resolve_names_the_same_incident() {
        let body = serde_json::to_value(pagerduty().body(&resolved())).unwrap();
        assert_eq!(body["event_action"], "resolve");
        assert_eq!(body["dedup_key"], fired().dedup_key);
        let body = serde_json::to_value(pagerduty().body(&removed())).unwrap();
        assert_eq!(body["payload"]["source"], "checkout-availability");
        assert_eq!(body["links"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_long_summary_is_cut_at_what_pagerduty_takes() {
        let mut notice = fired();
        notice.text = "ü".repeat(3_000);
        let body = serde_json::to_value(pagerduty().body(&notice)).unwrap();
        let summary = body["payload"]["summary"].as_str().unwrap();
        assert_eq!(summary.chars().count(), SUMMARY_CHARS);
    }

    #[test]
    fn what_is_no_routing_key_is_refused() {
        for wrong in [
            "",
            "short",
            "0123456789abcdef0123456789abcde",
            "0123456789abcdef0123456789abcde!",
        ] {
            assert!(
                PagerDuty::new(URL.parse().unwrap(), wrong).is_err(),
                "{wrong}"
            );
        }
        let shown = format!("{:?}", pagerduty());
        assert!(!shown.contains(KEY), "{shown}");
    }
}
