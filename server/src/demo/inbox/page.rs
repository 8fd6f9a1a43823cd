//! The inbox as a page. All that comes from a message is escaped, and only http and https links become links.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Delivery, Kept};

/// The dashboards' tokens and the few rules the inbox needs beside them.
pub(super) const STYLE: &str = concat!(
    include_str!("../../../../dashboards/static/tokens.css"),
    include_str!("inbox.css")
);

/// Keeps the page fresh while nothing on it is open.
pub(super) const SCRIPT: &str = include_str!("inbox.js");

pub(super) const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Facts shown of one message; a message of ours has fewer.
const MAX_FACTS: usize = 60;

/// The whole page. `dashboards` is put before links that begin with a slash.
pub(super) fn render(kept: &Kept, dashboards: &str) -> String {
    let mut page = String::with_capacity(16 * 1024);
    page.push_str(HEAD);
    push(
        &mut page,
        format_args!("<p class=\"verdict\">{}</p>", escaped(&verdict(kept))),
    );
    push(
        &mut page,
        format_args!(
            "<p class=\"sub\">This is where the demo's pages go: a webhook receiver that checks each \
             signature. The dashboards are at <a href=\"{0}/oncall\">{0}/oncall</a>.</p>",
            escaped(dashboards)
        ),
    );
    if let Some(refusal) = &kept.last_refusal {
        let (count, reason) = (kept.refused, escaped(refusal));
        push(
            &mut page,
            format_args!("<p class=\"refused\">{count} refused, the last because: {reason}</p>"),
        );
    }
    page.push_str("<ol class=\"list\">");
    for delivery in &kept.deliveries {
        entry(&mut page, delivery, dashboards);
    }
    page.push_str("</ol></main></body></html>");
    page
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
<title>Inbox of the sloburn demo</title><link rel=\"stylesheet\" href=\"/inbox.css\">\
<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\
<script src=\"/inbox.js\" defer></script></head><body><main>";

fn verdict(kept: &Kept) -> String {
    match (kept.taken, kept.deliveries.front()) {
        (1, _) => "One message has arrived.".to_owned(),
        (taken, Some(_)) => format!("{taken} messages have arrived, newest first."),
        (_, None) => "No message yet. The first fault begins soon after the start.".to_owned(),
    }
}

fn entry(page: &mut String, delivery: &Delivery, dashboards: &str) {
    let body = &delivery.body;
    let (class, glyph, word) = mark(body);
    let title = body["title"]
        .as_str()
        .unwrap_or("A message without a title");
    let at = delivery
        .received
        .to_zoned(TimeZone::UTC)
        .strftime("%H:%M:%S");
    let again = match delivery.times {
        1 => String::new(),
        times => format!(" · came {times} times"),
    };
    push(
        page,
        format_args!(
            "<li class=\"{class}\"><header><span class=\"st\"><i aria-hidden=\"true\">{glyph}</i> {word}</span>\
             <span class=\"dim\">{at} UTC{again}</span></header><h2>{}</h2>",
            escaped(title)
        ),
    );
    if let Some(text) = body["text"].as_str() {
        push(
            page,
            format_args!("<p class=\"text\">{}</p>", escaped(text)),
        );
    }
    windows(page, body);
    links(page, body, dashboards);
    page.push_str("<details><summary>What it says, field by field</summary><dl>");
    let mut facts = Vec::new();
    flatten("", body, &mut facts);
    for (name, value) in facts.iter().take(MAX_FACTS) {
        let (name, value) = (escaped(name), escaped(value));
        push(page, format_args!("<dt>{name}</dt><dd>{value}</dd>"));
    }
    let raw = serde_json::to_string_pretty(body).unwrap_or_default();
    let id = escaped(&delivery.id);
    push(
        page,
        format_args!(
            "</dl></details><details><summary>Raw JSON</summary><pre>{}</pre>\
             <p class=\"dim\">webhook-id {id}</p></details></li>",
            escaped(&raw)
        ),
    );
}

/// Class, glyph and word of a message: shape and word say what colour says.
fn mark(body: &Value) -> (&'static str, &'static str, &'static str) {
    let severity = body["severity"].as_str();
    match body["event"].as_str().or(severity) {
        Some("resolve" | "resolved") => ("ok", "●", "Resolved"),
        Some("ticket") => ("watch", "▲", "Ticket"),
        Some("fire" | "trigger" | "fired") if severity == Some("ticket") => {
            ("watch", "▲", "Ticket")
        }
        Some("page" | "fire" | "trigger" | "fired") => ("page", "◆", "Page"),
        _ => ("none", "◌", "Message"),
    }
}

/// Both windows of the rule that fired: burn rate, and the exact counts behind it.
fn windows(page: &mut String, body: &Value) {
    let rule = &body["rule"];
    let known = ["long", "short"].map(|name| &rule[name]);
    if known.iter().all(|window| !window.is_object()) {
        return;
    }
    page.push_str(
        "<table><thead><tr><th>Window</th><th>Burn rate</th><th>Failed</th><th>Good</th>\
         <th>All</th></tr></thead><tbody>",
    );
    for window in known {
        let name = escaped(window["window"].as_str().unwrap_or("?"));
        let burn = rate(&window["burn"]);
        let [bad, good, total] = ["bad", "good", "total"].map(|field| count(&window[field]));
        push(
            page,
            format_args!(
                "<tr><th>{name}</th><td>{burn}</td><td>{bad}</td><td>{good}</td><td>{total}</td></tr>"
            ),
        );
    }
    let (name, threshold) = (
        rule["name"].as_str().unwrap_or("?"),
        rate(&rule["threshold"]),
    );
    let left = match body["slo"]["budget_left"].as_f64() {
        Some(left) => format!(" · {} of the error budget left", percent(left)),
        None => String::new(),
    };
    let name = escaped(name);
    push(
        page,
        format_args!(
            "</tbody></table><p class=\"dim\">Rule {name}, threshold {threshold}{left}</p>"
        ),
    );
}

/// Cut toward bad, as the text of the page is: what is spent never looks less.
fn percent(left: f64) -> String {
    let tenths = (left * 1_000.0 + 1e-9).floor();
    let sign = if tenths < 0.0 { "\u{2212}" } else { "" };
    format!("{sign}{:.1}%", tenths.abs() / 10.0)
}

fn rate(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "—".to_owned(), |rate| format!("{rate:.1}×"))
}

fn count(value: &Value) -> String {
    value
        .as_u64()
        .map_or_else(|| "—".to_owned(), |count| count.to_string())
}

/// Links of a message, and its runbook.
fn links(page: &mut String, body: &Value, dashboards: &str) {
    page.push_str("<p class=\"acts\">");
    let links = body["links"].as_object().into_iter().flatten();
    for (name, target) in links.map(|(name, target)| (name.as_str(), target)) {
        link(page, name, target, dashboards);
    }
    link(page, "runbook", &body["runbook"], dashboards);
    page.push_str("</p>");
}

fn link(page: &mut String, name: &str, target: &Value, dashboards: &str) {
    let Some(target) = target.as_str() else {
        return;
    };
    let name = match name {
        "slo" => "Objective",
        "debug" => "Debug",
        "runbook" => "Runbook",
        other => other,
    };
    let absolute = match target.strip_prefix('/') {
        Some(path) if !path.starts_with('/') => format!("{dashboards}{target}"),
        _ => target.to_owned(),
    };
    if absolute.starts_with("https://") || absolute.starts_with("http://") {
        let (target, name) = (escaped(&absolute), escaped(name));
        push(
            page,
            format_args!("<a href=\"{target}\" rel=\"noreferrer\">{name}</a>"),
        );
    }
}

/// Every plain value of a message with its path.
fn flatten(path: &str, value: &Value, facts: &mut Vec<(String, String)>) {
    if facts.len() > MAX_FACTS {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{name}"), value, facts);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, facts);
            }
        }
        Value::Null => facts.push((path.to_owned(), "—".to_owned())),
        Value::String(text) => facts.push((path.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => facts.push((path.to_owned(), value.to_string())),
    }
}

/// Text as HTML text or attribute value.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(character),
        }
    }
    out
}

fn push(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String never fails.
    page.write_fmt(text).unwrap_or_default();
}
