use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt as _;

use super::Inbox;
use crate::clock::SystemClock;

const SECRET: &[u8] = b"the secret of these tests, 32 by";

fn inbox() -> Inbox {
    Inbox::new(
        SECRET.to_vec(),
        "http://127.0.0.1:8080".to_owned(),
        SystemClock,
    )
}

fn message(id: &str, body: &[u8], secret: &[u8], sent: Timestamp) -> Request<Body> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(format!("{id}.{}.", sent.as_second()).as_bytes());
    mac.update(body);
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    Request::post("/hook")
        .header("webhook-id", id)
        .header("webhook-timestamp", sent.as_second())
        .header("webhook-signature", format!("v1,{signature}"))
        .body(Body::from(body.to_vec()))
        .unwrap()
}

async fn send(inbox: &Inbox, id: &str, body: &Value) -> StatusCode {
    let request = message(id, body.to_string().as_bytes(), SECRET, SystemClock.now());
    inbox.router().oneshot(request).await.unwrap().status()
}

async fn text(inbox: &Inbox, path: &str) -> String {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = inbox.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    String::from_utf8(
        to_bytes(answer.into_body(), 1 << 20)
            .await
            .unwrap()
            .to_vec(),
    )
    .unwrap()
}

#[tokio::test]
async fn a_signed_page_is_shown_with_its_links() {
    let inbox = inbox();
    let body = json!({
        "event": "page",
        "title": "Checkout requests succeed: 21.4 % fail",
        "text": "burn rate 10.7 over 1m",
        "rule": {
            "name": "page-now",
            "threshold": 4.5,
            "long": { "window": "1m", "burn": 10.7, "good": 786, "bad": 214, "total": 1000 },
            "short": { "window": "10s", "burn": null, "good": 0, "bad": 0, "total": 0 },
        },
        "slo": { "budget_left": 0.412 },
        "links": { "slo": "/slos/checkout?from=1" },
        "runbook": "https://runbooks.example/checkout",
    });
    assert_eq!(send(&inbox, "msg_1", &body).await, StatusCode::NO_CONTENT);
    let page = text(&inbox, "/").await;
    assert!(page.contains("<h2>Checkout requests succeed: 21.4 % fail</h2>"));
    assert!(page.contains("◆</i> Page"));
    assert!(
        page.contains("<tr><th>1m</th><td>10.7×</td><td>214</td><td>786</td><td>1000</td></tr>")
    );
    assert!(page.contains("<tr><th>10s</th><td>—</td><td>0</td>"));
    assert!(page.contains("Rule page-now, threshold 4.5× · 41.2% of the error budget left"));
    assert!(page.contains("href=\"http://127.0.0.1:8080/slos/checkout?from=1\""));
    assert!(page.contains("href=\"https://runbooks.example/checkout\""));
    assert_eq!(
        serde_json::from_str::<Value>(&text(&inbox, "/deliveries").await).unwrap(),
        json!([body])
    );
}

#[tokio::test]
async fn a_bad_signature_is_refused_and_said() {
    let inbox = inbox();
    let now = SystemClock.now();
    for request in [
        message("msg_1", b"{}", b"another secret", now),
        message("msg_1", b"{}", SECRET, now - Duration::from_mins(15)),
        Request::post("/hook").body(Body::from("{}")).unwrap(),
    ] {
        let answer = inbox.router().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let page = text(&inbox, "/").await;
    assert!(page.contains("No message yet"));
    assert!(page.contains("3 refused, the last because: header `webhook-id` is missing"));
}

#[tokio::test]
async fn what_is_no_json_or_too_large_is_refused() {
    let inbox = inbox();
    let request = message("msg_1", b"{", SECRET, SystemClock.now());
    let answer = inbox.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let request = message("msg_1", &vec![b' '; 300_000], SECRET, SystemClock.now());
    let answer = inbox.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn hostile_text_stays_text() {
    let inbox = inbox();
    let attack = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;";
    let body = json!({
        "event": attack,
        "title": attack,
        "text": attack,
        attack: { "deep": [attack, null, 1.5, true] },
        "runbook": "data:text/html,hostile",
        "links": {
            "a": "javascript:alert(3)",
            "b": "//elsewhere.example",
            attack: format!("https://x.example/{attack}"),
        },
    });
    assert_eq!(send(&inbox, attack, &body).await, StatusCode::NO_CONTENT);
    let page = text(&inbox, "/").await;
    assert_eq!(page.matches("<script").count(), 1, "only our own");
    assert!(!page.contains("<img"));
    assert!(!page.contains("href=\"javascript:") && !page.contains("href=\"//"));
    assert!(!page.contains("href=\"data:"));
    assert!(page.contains("<h2>&quot;&gt;&lt;script&gt;alert(1)"));
    assert!(page.contains("href=\"https://x.example/&quot;&gt;&lt;script&gt;"));
}

#[tokio::test]
async fn a_message_sent_again_is_one_entry() {
    let inbox = inbox();
    for _ in 0..3 {
        send(&inbox, "msg_1", &json!({ "title": "once" })).await;
    }
    let page = text(&inbox, "/").await;
    assert_eq!(page.matches("<h2>once</h2>").count(), 1);
    assert!(page.contains("came 3 times"));
}

#[tokio::test]
async fn the_last_hundred_are_kept() {
    let inbox = inbox();
    for number in 0..105 {
        send(
            &inbox,
            &format!("msg_{number}"),
            &json!({ "title": format!("no {number}.") }),
        )
        .await;
    }
    let page = text(&inbox, "/").await;
    assert!(page.contains("105 messages have arrived"));
    assert_eq!(page.matches("<h2>").count(), 100);
    assert!(page.contains("no 104.") && page.contains("no 5.") && !page.contains("no 4."));
}
