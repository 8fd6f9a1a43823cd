use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// A server that answers every question in the same way; gone with the set.
async fn server(answer: (u16, &'static str)) -> (String, JoinSet<()>) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let handler = async move |headers: HeaderMap| -> Response {
        let (status, body) = answer;
        match headers.get("authorization") {
            Some(_) => "[1]".into_response(),
            None => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        }
    };
    let app = Router::new().route("/api", get(handler));
    let mut serving = JoinSet::new();
    serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, serving)
}

async fn asked(address: &str) -> anyhow::Result<Vec<u8>> {
    let remote = Remote::new(address, Duration::from_secs(10))?;
    Ok(remote.get("/api", "list").await?)
}

#[tokio::test]
async fn what_is_no_answer_says_what_to_do() {
    for (case, answer, says, unknown) in [
        (
            "a sloburn that refuses",
            (400, r#"{"error":"`noon` is no time"}"#),
            "/api refuses (400): `noon` is no time",
            false,
        ),
        (
            "an older sloburn",
            (404, r#"{"error":"there is no such resource"}"#),
            "/api refuses (404): there is no such resource",
            true,
        ),
        (
            "another server",
            (404, "<html>"),
            "/api answers 404 Not Found; is that a sloburn?",
            true,
        ),
        (
            "a proxy",
            (401, "who are you?"),
            "/api wants a login (401); give it in the address, as in `https://user:password@sloburn.example`",
            false,
        ),
        (
            "a page",
            (200, "<html>"),
            "/api answers something that is no list; is it a sloburn of this version?",
            false,
        ),
    ] {
        let (address, _serving) = server(answer).await;
        let error = asked(&address).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{address}{says}"), "{case}");
        let error = error.downcast::<RemoteError>().unwrap();
        assert_eq!(error.is_unknown(), unknown, "{case}");
    }
}

#[tokio::test]
async fn a_login_in_the_address_is_used_and_never_shown() {
    let (address, serving) = server((401, "who are you?")).await;
    let with_login = address.replace("http://", "http://ann:secret@");
    assert_eq!(asked(&with_login).await.unwrap(), [1]);
    let remote = Remote::new(&with_login, Duration::from_secs(10)).unwrap();
    assert_eq!(remote.shown(), format!("{address}/"));
    drop(serving);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let gone = listener.local_addr().unwrap();
    drop(listener);
    let error = asked(&format!("http://ann:secret@{gone}"))
        .await
        .unwrap_err();
    let told = format!("{error:#}");
    assert!(
        told.starts_with(&format!("cannot ask http://{gone}/api; is a sloburn")),
        "{told}"
    );
    assert!(!told.contains("secret"), "{told}");
}

#[tokio::test]
async fn an_address_is_of_http() {
    drop(rustls::crypto::ring::default_provider().install_default());
    for address in ["127.0.0.1:8080", "localhost:8080", "ftp://a", "", "http://"] {
        let error = asked(address).await.unwrap_err().to_string();
        let says = "is no address of a server; write it as `http://127.0.0.1:8080`";
        assert_eq!(error, format!("`{address}` {says}"));
    }
}

#[tokio::test]
async fn no_answer_fills_the_memory() {
    let (address, _serving) = server((200, "[1,2,3]")).await;
    let request = || {
        Client::builder()
            .build()
            .unwrap()
            .get(format!("{address}/api"))
    };
    for (most, expected) in [(7, Some(b"[1,2,3]".to_vec())), (6, None)] {
        let found = answer(request(), most).await.unwrap();
        assert_eq!(found, (StatusCode::OK, expected), "{most}");
    }
}
