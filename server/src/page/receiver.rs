//! Receivers: as the configuration writes them, and as the workers use them.

use std::collections::BTreeSet;
use std::fmt;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use slo_specs::Severity;

use super::guard::Guard;
use super::notice::Notice;
use super::pagerduty::{self, PagerDuty};
use super::webhook::Webhook;
use crate::store::End;

/// The kind of receivers that hold incidents.
const PAGERDUTY: &str = "pagerduty";
/// Characters of a receiver's name.
const NAME_CHARS: std::ops::RangeInclusive<usize> = 1..=64;

/// One `[[receivers]]` table, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiverDocument {
    /// What policies, fallbacks and logs call it: 1 to 64 letters, digits, `-`, `_` or `.`; unique.
    pub(crate) name: String,
    /// `webhook` or `pagerduty`.
    pub(crate) kind: String,
    /// Where to send: `https://…`, or `http://…` if `allow_private` is set. PagerDuty has a default.
    pub(crate) url: Option<SecretString>,
    /// Where the secret is kept, `env:NAME` or `file:/path`; never the secret itself. A webhook's is
    /// `whsec_…` (two, parted by a space, while changing over), PagerDuty's its routing key.
    pub(crate) secret: Option<SecretString>,
    /// Which pages it gets unless a policy names receivers: `page`, `ticket`; both by default.
    pub(crate) severities: Option<Vec<String>>,
    /// Lets it be on this machine or in a private network; false by default.
    #[serde(default)]
    pub(crate) allow_private: bool,
    /// Name of the receiver that gets pages too which this one has not accepted within a minute.
    pub(crate) fallback: Option<String>,
}

/// A receiver that can be used.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(super) name: String,
    pub(super) channel: Channel,
    pub(super) guard: Guard,
    pub(super) fallback: Option<Fallback>,
    severities: BTreeSet<Severity>,
}

/// Who gets what a receiver does not accept.
#[derive(Clone, Debug)]
pub(super) struct Fallback {
    pub(super) name: String,
    /// As [`Receiver::holds_incidents`].
    pub(super) holds_incidents: bool,
}

impl Fallback {
    /// What writes the end of an incident that is over already, if it must hear of that.
    pub(super) fn end(&self) -> Option<End> {
        self.holds_incidents.then_some(Notice::end as End)
    }
}

/// How it is spoken to.
#[derive(Clone, Debug)]
pub(super) enum Channel {
    Webhook(Webhook),
    PagerDuty(PagerDuty),
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("name", &self.name)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// Checks every receiver and reads its secret; returns all problems at once, each with the index of its
    /// table, and never a secret. `environment` looks a variable up.
    pub(crate) fn resolve_all(
        documents: &[ReceiverDocument],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<Receiver>, Vec<(usize, String)>> {
        let mut problems = Vec::new();
        let mut receivers = Vec::new();
        for (index, document) in documents.iter().enumerate() {
            let mut found = Vec::new();
            check_names(index, documents, &mut found);
            receivers.extend(resolve_one(document, documents, environment, &mut found));
            problems.extend(found.into_iter().map(|(field, problem)| {
                let name = &document.name;
                (index, format!("receiver `{name}`: `{field}` {problem}"))
            }));
        }
        if problems.is_empty() {
            Ok(receivers)
        } else {
            Err(problems)
        }
    }

    /// What policies, fallbacks and logs call it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether an incident stays open there until it is told of the end: a pager does, a webhook takes
    /// each message for itself.
    pub(crate) fn holds_incidents(&self) -> bool {
        matches!(self.channel, Channel::PagerDuty(_))
    }

    /// Whether it hears of an alert: if its policy names receivers (`wanted`), those; else by severity.
    pub(crate) fn takes(&self, severity: Severity, wanted: &[String]) -> bool {
        if wanted.is_empty() {
            self.severities.contains(&severity)
        } else {
            wanted.contains(&self.name)
        }
    }
}

type Found = Vec<(&'static str, String)>;

fn check_names(index: usize, documents: &[ReceiverDocument], found: &mut Found) {
    let Some(document) = documents.get(index) else {
        return;
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !NAME_CHARS.contains(&document.name.len()) || !document.name.chars().all(legal) {
        let problem = "must be 1 to 64 letters, digits, `-`, `_` or `.`";
        found.push(("name", problem.to_owned()));
    }
    let earlier = documents.iter().take(index);
    if earlier.clone().any(|other| other.name == document.name) {
        found.push(("name", "is used twice".to_owned()));
    }
    match &document.fallback {
        Some(name) if *name == document.name => {
            found.push(("fallback", "must be another receiver".to_owned()));
        }
        Some(name) if !documents.iter().any(|other| other.name == *name) => {
            found.push((
                "fallback",
                format!("names `{name}`, which is not configured"),
            ));
        }
        _ => {}
    }
}

fn resolve_one(
    document: &ReceiverDocument,
    documents: &[ReceiverDocument],
    environment: &dyn Fn(&str) -> Option<String>,
    found: &mut Found,
) -> Option<Receiver> {
    let guard = if document.allow_private {
        Guard::Private
    } else {
        Guard::Public
    };
    let severities = severities(document.severities.as_deref(), found);
    let url = check(found, "url", url(document, guard));
    let secret = check(found, "secret", secret(document, environment));
    let channel = match document.kind.as_str() {
        "webhook" => Webhook::new(url?, secret?.expose_secret()).map(Channel::Webhook),
        PAGERDUTY => PagerDuty::new(url?, secret?.expose_secret()).map(Channel::PagerDuty),
        other => {
            let problem = format!("is `{other}`; it must be `webhook` or `pagerduty`");
            found.push(("kind", problem));
            return None;
        }
    };
    Some(Receiver {
        name: document.name.clone(),
        channel: check(found, "secret", channel.map_err(str::to_owned))?,
        guard,
        fallback: fallback(document, documents),
        severities,
    })
}

/// One that is not configured is told where names are checked.
fn fallback(document: &ReceiverDocument, documents: &[ReceiverDocument]) -> Option<Fallback> {
    let name = document.fallback.as_ref()?;
    let of_name = |other: &&ReceiverDocument| other.name == *name;
    let configured = documents.iter().find(of_name)?;
    Some(Fallback {
        name: name.clone(),
        holds_incidents: configured.kind == PAGERDUTY,
    })
}

fn check<T>(found: &mut Found, field: &'static str, value: Result<T, String>) -> Option<T> {
    value.map_err(|problem| found.push((field, problem))).ok()
}

fn severities(written: Option<&[String]>, found: &mut Found) -> BTreeSet<Severity> {
    let all = [Severity::Page, Severity::Ticket];
    let Some(written) = written else {
        return all.into();
    };
    if written.is_empty() {
        let problem = "must not be empty: leave it out for all pages";
        found.push(("severities", problem.to_owned()));
    }
    let mut severities = BTreeSet::new();
    for name in written {
        if let Some(severity) = all.iter().find(|severity| severity.name() == name) {
            severities.insert(*severity);
        } else {
            let problem = format!("has `{name}`; it may have `page` and `ticket`");
            found.push(("severities", problem));
        }
    }
    severities
}

/// The messages do not show the URL: it may hold a token.
fn url(document: &ReceiverDocument, guard: Guard) -> Result<Url, String> {
    let written = match (&document.url, document.kind.as_str()) {
        (Some(url), _) => url.expose_secret(),
        (None, "pagerduty") => pagerduty::URL,
        (None, _) => return Err("is missing".to_owned()),
    };
    let url: Url = written
        .parse()
        .map_err(|error| format!("is not a url: {error}"))?;
    let Some(host) = url.host_str() else {
        return Err("must name a host".to_owned());
    };
    match (url.scheme(), guard) {
        ("https", _) | ("http", Guard::Private) => {}
        ("http", Guard::Public) => {
            return Err(
                "must be https, or the receiver private (`allow_private = true`)".to_owned(),
            );
        }
        _ => return Err("must begin with https://".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password".to_owned());
    }
    guard
        .check_host(host)
        .map_err(|blocked| format!("cannot be used: {blocked}"))?;
    Ok(url)
}

fn secret(
    document: &ReceiverDocument,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<SecretString, String> {
    let Some(written) = &document.secret else {
        return Err("is missing: say where it is kept, `env:NAME` or `file:/path`".to_owned());
    };
    match written.expose_secret().split_once(':') {
        Some(("env", name)) => environment(name)
            .map(SecretString::from)
            .ok_or_else(|| format!("is in the environment variable `{name}`, which is not set")),
        Some(("file", path)) => std::fs::read_to_string(path)
            .map(SecretString::from)
            .map_err(|error| format!("is in the file `{path}`, which cannot be read: {error}")),
        _ => Err(
            "must say where it is kept, `env:NAME` or `file:/path`, and not be the secret itself"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::{ROUTING_KEY, WEBHOOK_SECRET, environment};

    fn resolve(toml: &str) -> Result<Vec<Receiver>, Vec<String>> {
        #[derive(Deserialize)]
        struct File {
            receivers: Vec<ReceiverDocument>,
        }
        let file: File = toml::from_str(toml).unwrap();
        Receiver::resolve_all(&file.receivers, &environment)
            .map_err(|problems| problems.into_iter().map(|(_, problem)| problem).collect())
    }

    const GOOD: &str = r#"
        [[receivers]]
        name = "oncall"
        kind = "pagerduty"
        secret = "env:ROUTING_KEY"
        severities = ["page"]
        fallback = "chat"

        [[receivers]]
        name = "chat"
        kind = "webhook"
        url = "https://hooks.example.com/token-4711"
        secret = "env:WEBHOOK"
    "#;

    #[test]
    fn good_receivers_resolve_and_show_no_secret() {
        let receivers = resolve(GOOD).unwrap();
        let names: Vec<_> = receivers.iter().map(Receiver::name).collect();
        assert_eq!(names, ["oncall", "chat"]);
        let shown = format!("{receivers:?}");
        for hidden in ["4711", ROUTING_KEY, WEBHOOK_SECRET, "hooks.example"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }

    #[test]
    fn a_fallback_that_holds_incidents_open_is_told_of_their_end() {
        let ends = |toml: &str| -> Vec<bool> {
            let receivers = resolve(toml).unwrap();
            let fallbacks = receivers.iter().filter_map(|one| one.fallback.as_ref());
            fallbacks.map(|one| one.end().is_some()).collect()
        };
        assert_eq!(ends(GOOD), [false], "a webhook");
        let turned = GOOD.replace("fallback = \"chat\"", "");
        assert_eq!(
            ends(&format!("{turned}fallback = \"oncall\"")),
            [true],
            "a pager"
        );
    }

    #[test]
    fn a_page_goes_to_those_its_policy_names_or_that_take_its_severity() {
        let receivers = resolve(GOOD).unwrap();
        let takers = |severity, wanted: &[String]| -> Vec<&str> {
            let taking = receivers.iter().filter(|one| one.takes(severity, wanted));
            taking.map(Receiver::name).collect()
        };
        assert_eq!(takers(Severity::Page, &[]), ["oncall", "chat"]);
        assert_eq!(takers(Severity::Ticket, &[]), ["chat"]);
        let wanted = ["oncall".to_owned(), "gone".to_owned()];
        assert_eq!(takers(Severity::Ticket, &wanted), ["oncall"]);
    }

    const WRONG: &str = r#"
        [[receivers]]
        name = "a b"
        kind = "pigeon"
        url = "https://u:hunter2@example.com/"
        secret = "whsec_hunter2"
        severities = ["page", "loud"]
        fallback = "nobody"

        [[receivers]]
        name = "hook"
        kind = "webhook"
        secret = "env:UNSET"
        severities = []
        fallback = "hook"

        [[receivers]]
        name = "hook"
        kind = "webhook"
        url = "https://169.254.169.254/hunter2"
        secret = "file:/does/not/exist"

        [[receivers]]
        name = "plain"
        kind = "webhook"
        url = "http://example.com/hunter2"
        secret = "env:ROUTING_KEY"

        [[receivers]]
        name = "wrong"
        kind = "pagerduty"
        secret = "env:WEBHOOK"
    "#;

    #[test]
    fn every_problem_is_named_at_once_and_no_secret_shown() {
        let problems = resolve(WRONG).unwrap_err();
        let fields: Vec<&str> = problems
            .iter()
            .map(|problem| problem.split('`').nth(3).unwrap())
            .collect();
        assert_eq!(
            fields,
            [
                "name",
                "fallback",
                "severities",
                "url",
                "secret",
                "kind", // a b
                "fallback",
                "severities",
                "url",
                "secret", // hook
                "name",
                "url",
                "secret", // hook again
                "url",    // plain
                "secret", // wrong
            ],
            "{problems:#?}"
        );
        let all = problems.join("\n");
        for hidden in ["hunter2", WEBHOOK_SECRET, ROUTING_KEY] {
            assert!(!all.contains(hidden), "{all}");
        }
    }

    #[test]
    fn a_private_receiver_may_be_on_this_machine() {
        let receiver = r#"
            [[receivers]]
            name = "inbox"
            kind = "webhook"
            url = "http://127.0.0.1:8080/inbox"
            secret = "env:WEBHOOK"
        "#;
        let refused = resolve(receiver).unwrap_err();
        assert!(refused[0].contains("`url` must be https"), "{refused:?}");
        assert!(resolve(&format!("{receiver}allow_private = true")).is_ok());
    }
}
