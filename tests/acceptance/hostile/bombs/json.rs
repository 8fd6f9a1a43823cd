//! Bombs in JSON.

use acceptance::clock;

use super::{Bomb, LARGE};

/// A request of one span, with these members as well.
fn span_with(members: &str) -> String {
    let now = clock::now_nanos();
    format!(
        "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"{}\",\"spanId\":\"{}\",\
         \"startTimeUnixNano\":\"{now}\",\"endTimeUnixNano\":\"{now}\",{members}}}]}}]}}]}}",
        "0a".repeat(16),
        "0b".repeat(8)
    )
}

/// The same, with this value of the attribute that specs look at.
fn route(value: &str) -> String {
    span_with(&format!(
        "\"attributes\":[{{\"key\":\"http.route\",\"value\":{value}}}]"
    ))
}

/// Values of one span.
pub(super) fn of_one_span() -> Vec<Bomb> {
    let digits = "1".repeat(LARGE - 400);
    let escapes = "\\u0041".repeat(LARGE / 6 - 100);
    let bytes = "-".repeat(LARGE - 400);
    let (open, close) = ("{\"arrayValue\":{\"values\":[", "]}}");
    let times = LARGE / (open.len() + close.len()) - 100;
    let deep = format!("{}1{}", open.repeat(times), close.repeat(times));
    let bombs = [
        ("a JSON value nested 100 000 deep", route(&deep), 400),
        (
            "a JSON number of 7 million digits",
            route(&format!("{{\"intValue\":{digits}}}")),
            200,
        ),
        (
            "a JSON double of 7 million digits",
            route(&format!("{{\"doubleValue\":\"{digits}\"}}")),
            200,
        ),
        (
            "a JSON enumeration of 7 million digits",
            span_with(&format!("\"kind\":{digits}")),
            200,
        ),
        (
            "a JSON name of escapes",
            span_with(&format!("\"name\":\"{escapes}\"")),
            200,
        ),
        (
            "a JSON attribute of escapes",
            route(&format!("{{\"stringValue\":\"{escapes}\"}}")),
            200,
        ),
        (
            "JSON bytes of 7 MiB",
            route(&format!("{{\"bytesValue\":\"{bytes}\"}}")),
            200,
        ),
    ];
    let mut not_text = span_with("\"name\":\"@\"").into_bytes();
    let at = not_text.iter().position(|byte| *byte == b'@').unwrap_or(0);
    not_text.splice(at..=at, vec![0xff; LARGE - 400]);
    let texts = bombs.map(|(name, text, answered)| Bomb::json(name, text.as_bytes(), answered));
    let not_text = Bomb::json("JSON that is no text", &not_text, 200);
    texts.into_iter().chain([not_text]).collect()
}

/// The structure of a request.
pub(super) fn of_structure() -> Vec<Bomb> {
    let scopes_first = format!(
        "{{\"resourceSpans\":[{{{}\"resource\":{{}}}}]}}",
        "\"scopeSpans\":[],".repeat(LARGE / 16 - 10)
    );
    let repeated = format!(
        "{{{}\"resourceSpans\":[]}}",
        "\"resourceSpans\":[],".repeat(LARGE / 19 - 10)
    );
    let spans = format!(
        "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}{{}}]}}]}}]}}",
        "{},".repeat(LARGE / 3 - 100)
    );
    [
        ("JSON arrays a million deep", "[".repeat(LARGE), 400),
        (
            "JSON objects a million deep",
            "{\"a\":".repeat(LARGE / 5),
            400,
        ),
        (
            "JSON whose scopes come before the resource",
            scopes_first,
            413,
        ),
        ("JSON with a key again and again", repeated, 200),
        ("millions of empty JSON spans", spans, 413),
        (
            "JSON after a byte order mark",
            "\u{feff}{\"resourceSpans\":[]}".to_owned(),
            400,
        ),
    ]
    .map(|(name, text, answered)| Bomb::json(name, text.as_bytes(), answered))
    .into()
}
