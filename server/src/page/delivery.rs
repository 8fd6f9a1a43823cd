//! One attempt: a request, an answer, and what it means.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, StatusCode};

use super::guard::{Blocked, Guard};
use super::notice::Notice;
use super::receiver::{Channel, Receiver};
use super::schedule;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// From the start of the request to the end of the answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);
/// More of an answer is not read.
const ANSWER_BYTES: usize = 64 * 1024;

/// What became of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) status: Option<u16>,
    /// What went wrong, without URL and secrets.
    pub(super) detail: Option<String>,
}

/// What an answer means. Decided here and nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver has it.
    Accepted,
    /// It may work later; after this time, if the receiver named one.
    Retry(Option<Duration>),
    /// It will not work until somebody changes something, here or there.
    Refused,
}

/// A client for one receiver: its own connections, its own guard.
pub(super) fn client(receiver: &Receiver) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("sloburn/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        // A proxy would be handed names that the guard never sees.
        .no_proxy()
        .dns_resolver(receiver.guard)
        .https_only(receiver.guard == Guard::Public)
        .build()
}

/// Makes one attempt; returns within [`TIMEOUT`] and a little.
pub(super) async fn deliver(
    client: &Client,
    channel: &Channel,
    notice: &Notice,
    now: Timestamp,
) -> Answer {
    let request = match channel {
        Channel::Webhook(webhook) => match webhook.request(client, notice, now) {
            Ok(request) => request,
            Err(error) => return refused(error.to_string()),
        },
        Channel::PagerDuty(pagerduty) => pagerduty.request(client, notice),
    };
    match request.send().await {
        Ok(response) => read(response, now).await,
        Err(error) => failed(&error),
    }
}

async fn read(mut response: reqwest::Response, now: Timestamp) -> Answer {
    let status = response.status();
    let asked = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| schedule::retry_after(value.to_str().ok()?, now));
    // The body is of no interest, but read to its end the connection can be used again.
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > ANSWER_BYTES {
            break;
        }
    }
    let verdict = verdict(status, asked);
    Answer {
        verdict,
        status: Some(status.as_u16()),
        detail: (verdict != Verdict::Accepted).then(|| format!("answered {status}")),
    }
}

fn verdict(status: StatusCode, asked: Option<Duration>) -> Verdict {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Verdict::Retry(asked)
        }
        status if status.is_success() => Verdict::Accepted,
        // A redirect is not followed: it could lead anywhere.
        status if status.is_redirection() || status.is_client_error() => Verdict::Refused,
        _ => Verdict::Retry(asked),
    }
}

fn failed(error: &reqwest::Error) -> Answer {
    let mut causes = Vec::new();
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(this) = cause {
        if let Some(blocked) = this.downcast_ref::<Blocked>() {
            return refused(blocked.to_string());
        }
        causes.push(this.to_string());
        cause = this.source();
    }
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else {
        "no answer"
    };
    // The innermost cause says it; the outer ones may name the URL.
    let detail = causes
        .pop()
        .map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"));
    Answer {
        verdict: Verdict::Retry(None),
        status: None,
        detail: Some(detail),
    }
}

fn refused(detail: String) -> Answer {
    Answer {
        verdict: Verdict::Refused,
        status: None,
        detail: Some(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_whether_to_try_again() {
        let asked = Some(Duration::from_secs(7));
        for (status, expected) in [
            (200, Verdict::Accepted),
            (202, Verdict::Accepted),
            (204, Verdict::Accepted),
            (301, Verdict::Refused),
            (400, Verdict::Refused),
            (401, Verdict::Refused),
            (403, Verdict::Refused),
            (404, Verdict::Refused),
            (408, Verdict::Retry(asked)),
            (410, Verdict::Refused),
            (413, Verdict::Refused),
            (425, Verdict::Retry(asked)),
            (429, Verdict::Retry(asked)),
            (500, Verdict::Retry(asked)),
            (503, Verdict::Retry(asked)),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(verdict(status, asked), expected, "{status}");
        }
    }
}
