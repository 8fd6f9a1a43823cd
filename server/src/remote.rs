//! Questions of the subcommands to a running sloburn.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest answer that is read, in bytes: whatever is at the address cannot fill the memory.
const ANSWER_BYTES: usize = 256 << 20;

/// Why there is no answer, as the API says it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) error: String,
}

/// Why a question was not answered. No address in it has a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteError {
    /// Not an address at all, or one that is not reached by HTTP.
    #[error("`{0}` is no address of a server; write it as `http://127.0.0.1:8080`")]
    Address(String),
    /// Nobody is there, or the connection broke.
    #[error(
        "cannot ask {url}; is a sloburn running there, and is this its address of the dashboards?"
    )]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    /// Something before the server asks who is asking.
    #[error(
        "{url} wants a login ({status}); give it in the address, as in `https://user:password@sloburn.example`"
    )]
    Login { url: String, status: u16 },
    /// The server says why not.
    #[error("{url} refuses ({status}): {error}")]
    Refused {
        url: String,
        status: u16,
        error: String,
    },
    /// Not the words of a sloburn.
    #[error("{url} answers {status}; is that a sloburn?")]
    Stranger { url: String, status: StatusCode },
    /// Another version, or something else altogether.
    #[error("{url} answers something that is no {what}; is it a sloburn of this version?")]
    Unreadable { url: String, what: &'static str },
}

impl RemoteError {
    /// Whether the server is there and does not know what it was asked for.
    pub(crate) fn is_unknown(&self) -> bool {
        match self {
            RemoteError::Refused { status, .. } => *status == StatusCode::NOT_FOUND.as_u16(),
            RemoteError::Stranger { status, .. } => *status == StatusCode::NOT_FOUND,
            _ => false,
        }
    }
}

/// A server to ask.
#[derive(Debug)]
pub(crate) struct Remote {
    client: Client,
    /// As given, without a slash at its end.
    address: String,
}

impl Remote {
    /// The server at an address such as `http://127.0.0.1:8080`, which has so long to answer.
    pub(crate) fn new(address: &str, patience: Duration) -> anyhow::Result<Remote> {
        let known = Url::parse(address).ok();
        let usable = known.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if usable.is_none() {
            return Err(RemoteError::Address(address.to_owned()).into());
        }
        Ok(Remote {
            client: Client::builder().timeout(patience).build()?,
            address: address.trim_end_matches('/').to_owned(),
        })
    }

    /// The address as it may be shown.
    pub(crate) fn shown(&self) -> String {
        shown(&self.address)
    }

    /// What `GET` answers; `what` it is, for people.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &'static str,
    ) -> Result<T, RemoteError> {
        self.ask(Method::GET, path, None, what).await
    }

    /// What `POST` of a JSON body answers.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Vec<u8>,
        what: &'static str,
    ) -> Result<T, RemoteError> {
        self.ask(Method::POST, path, Some(body), what).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        what: &'static str,
    ) -> Result<T, RemoteError> {
        let address = format!("{}{path}", self.address);
        let url = shown(&address);
        let mut request = self.client.request(method, &address);
        if let Some(body) = body {
            let kind = reqwest::header::CONTENT_TYPE;
            request = request.header(kind, "application/json").body(body);
        }
        let (status, body) =
            answer(request, ANSWER_BYTES)
                .await
                .map_err(|source| RemoteError::Unreachable {
                    url: url.clone(),
                    source: source.without_url(),
                })?;
        if status.is_success() {
            let body = body.as_deref().unwrap_or_default();
            return serde_json::from_slice(body).map_err(|_| RemoteError::Unreadable { url, what });
        }
        Err(refused(url, status, &body.unwrap_or_default()))
    }
}

/// Status and body; no body if it is longer than `most` bytes.
async fn answer(
    request: reqwest::RequestBuilder,
    most: usize,
) -> Result<(StatusCode, Option<Vec<u8>>), reqwest::Error> {
    let mut answer = request.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok((answer.status(), None));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((answer.status(), Some(body)))
}

fn refused(url: String, status: StatusCode, body: &[u8]) -> RemoteError {
    let login = [
        StatusCode::UNAUTHORIZED,
        StatusCode::PROXY_AUTHENTICATION_REQUIRED,
    ];
    if login.contains(&status) {
        let status = status.as_u16();
        return RemoteError::Login { url, status };
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { error }) => RemoteError::Refused {
            url,
            status: status.as_u16(),
            error,
        },
        Err(_) => RemoteError::Stranger { url, status },
    }
}

/// An address without the login in it.
fn shown(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return address.to_owned();
    };
    if url.username().is_empty() && url.password().is_none() {
        return address.to_owned();
    }
    // Only addresses without a host refuse these.
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_or_else(|()| "the server".to_owned(), |()| url.to_string())
}

#[cfg(test)]
mod tests;
