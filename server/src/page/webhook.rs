//! The generic JSON webhook: the notice as it is, signed by the [Standard Webhooks] scheme, version 1.
//!
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use sha2::Sha256;

use super::notice::Notice;

const PREFIX: &str = "whsec_";
/// The scheme's own bounds, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// A new secret and the old one, while a receiver changes over.
const KEYS: std::ops::RangeInclusive<usize> = 1..=2;

/// Where to send, and the keys to sign with.
#[derive(Clone)]
pub(super) struct Webhook {
    url: reqwest::Url,
    keys: Vec<Vec<u8>>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

impl Webhook {
    /// `secret`: one or two secrets, `whsec_` and base64, parted by white space. The error says what a
    /// secret must be, and shows nothing of it.
    pub(super) fn new(url: reqwest::Url, secret: &str) -> Result<Webhook, &'static str> {
        const WRONG: &str = "must hold `whsec_` and the base64 of 24 to 64 random bytes, or two of these parted by a space";
        let keys: Vec<Vec<u8>> = secret
            .split_whitespace()
            .map(|secret| {
                let key = BASE64.decode(secret.strip_prefix(PREFIX)?).ok()?;
                KEY_BYTES.contains(&key.len()).then_some(key)
            })
            .collect::<Option<_>>()
            .ok_or(WRONG)?;
        if !KEYS.contains(&keys.len()) {
            return Err(WRONG);
        }
        Ok(Webhook { url, keys })
    }

    /// The request of one attempt: same id and body every time, a timestamp of its own.
    pub(super) fn request(
        &self,
        client: &reqwest::Client,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<reqwest::RequestBuilder, serde_json::Error> {
        let body = serde_json::to_vec(notice)?;
        let timestamp = now.as_second();
        let signature = self.sign(&notice.webhook_id, timestamp, &body);
        Ok(client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &notice.webhook_id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body))
    }

    /// One signature for each key, over `id.timestamp.body`.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signatures: Vec<String> = self
            .keys
            .iter()
            .map(|key| {
                let mut mac =
                    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
                mac.update(id.as_bytes());
                mac.update(format!(".{timestamp}.").as_bytes());
                mac.update(body);
                format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
            })
            .collect();
        signatures.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn webhook(secret: &str) -> Result<Webhook, &'static str> {
        Webhook::new("https://example.com/".parse().unwrap(), secret)
    }

    #[test]
    fn the_published_vector_is_signed_as_published() {
        let signature = webhook(SECRET).unwrap().sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_make_two_signatures() {
        let other = format!("{PREFIX}{}", BASE64.encode([7; 32]));
        let both = webhook(&format!("{SECRET}\n{other}\n")).unwrap();
        let signature = both.sign("id", 1, b"body");
        let each = [SECRET, &other].map(|one| webhook(one).unwrap().sign("id", 1, b"body"));
        assert_eq!(signature, each.join(" "));
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_shown() {
        let short = format!("{PREFIX}{}", BASE64.encode([7; 23]));
        let three = [SECRET; 3].join(" ");
        for wrong in [
            "",
            "hunter2",
            "whsec_hunter2!",
            &short,
            &three,
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            let said = webhook(wrong).unwrap_err();
            assert!(said.starts_with("must hold `whsec_`"), "{said}");
            assert!(!said.contains("hunter2"));
        }
    }
}
