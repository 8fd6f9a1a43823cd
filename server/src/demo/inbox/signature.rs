//! The receiving side of Standard Webhooks signatures: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use sha2::Sha256;
use thiserror::Error;

/// How far a message's timestamp may be from now, either way, in seconds.
const TOLERANCE_S: u64 = 300;

/// Why a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// Not sent by the Standard Webhooks scheme.
    #[error("header `{0}` is missing or not text")]
    Header(&'static str),
    /// The timestamp is no number of seconds.
    #[error("timestamp `{0}` is not a number of seconds")]
    Timestamp(String),
    /// Perhaps an old message, sent again by somebody who saw it.
    #[error("timestamp is {0} s away from now")]
    Stale(u64),
    /// No signature was made with our secret over these bytes.
    #[error("no signature matches")]
    Signature,
}

/// Checks a message against the secret's bytes and returns its id. `now_s` is in Unix seconds.
pub(crate) fn verify(
    secret: &[u8],
    headers: &HeaderMap,
    body: &[u8],
    now_s: i64,
) -> Result<String, Refusal> {
    let id = header(headers, "webhook-id")?;
    let timestamp = header(headers, "webhook-timestamp")?;
    let signatures = header(headers, "webhook-signature")?;
    let sent_s: i64 = timestamp
        .parse()
        .map_err(|_| Refusal::Timestamp(timestamp.to_owned()))?;
    let apart_s = sent_s.abs_diff(now_s);
    if apart_s > TOLERANCE_S {
        return Err(Refusal::Stale(apart_s));
    }
    let matches = signatures
        .split(' ')
        .filter_map(|signature| BASE64_STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .any(|signature| is_signed(secret, id, timestamp, body, &signature));
    if matches {
        Ok(id.to_owned())
    } else {
        Err(Refusal::Signature)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Refusal> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .ok_or(Refusal::Header(name))
}

fn is_signed(secret: &[u8], id: &str, timestamp: &str, body: &[u8], signature: &[u8]) -> bool {
    // HMAC takes keys of any length, so this does not fail; if it did, nothing would be signed.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return false;
    };
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac.verify_slice(signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Refusal, verify};
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use http::HeaderMap;

    // The example of the Standard Webhooks reference libraries.
    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP_S: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn headers(signature: &str) -> HeaderMap {
        HeaderMap::from_iter([
            ("webhook-id".parse().unwrap(), ID.parse().unwrap()),
            (
                "webhook-timestamp".parse().unwrap(),
                TIMESTAMP_S.to_string().parse().unwrap(),
            ),
            (
                "webhook-signature".parse().unwrap(),
                signature.parse().unwrap(),
            ),
        ])
    }

    fn check(headers: &HeaderMap, body: &[u8], now_s: i64) -> Result<String, Refusal> {
        verify(
            &BASE64_STANDARD.decode(SECRET).unwrap(),
            headers,
            body,
            now_s,
        )
    }

    #[test]
    fn the_scheme_s_own_example_is_taken() {
        assert_eq!(
            check(&headers(SIGNATURE), BODY, TIMESTAMP_S),
            Ok(ID.to_owned())
        );
        assert_eq!(
            check(&headers(SIGNATURE), BODY, TIMESTAMP_S + 300),
            Ok(ID.to_owned())
        );
    }

    #[test]
    fn one_good_signature_among_several_is_enough() {
        let several = format!("v1,AAAA v2,{SIGNATURE} {SIGNATURE}");
        assert_eq!(
            check(&headers(&several), BODY, TIMESTAMP_S),
            Ok(ID.to_owned())
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let good = headers(SIGNATURE);
        let cut = SIGNATURE.get(..SIGNATURE.len() - 4).unwrap();
        assert_eq!(
            check(&good, br#"{"test": 2432232315}"#, TIMESTAMP_S),
            Err(Refusal::Signature)
        );
        assert_eq!(
            check(&headers(cut), BODY, TIMESTAMP_S),
            Err(Refusal::Signature)
        );
        assert_eq!(
            check(&headers(""), BODY, TIMESTAMP_S),
            Err(Refusal::Signature)
        );
        assert_eq!(
            check(&headers("v1,"), BODY, TIMESTAMP_S),
            Err(Refusal::Signature)
        );
        assert_eq!(
            check(&good, BODY, TIMESTAMP_S + 301),
            Err(Refusal::Stale(301))
        );
        assert_eq!(
            check(&good, BODY, TIMESTAMP_S - 301),
            Err(Refusal::Stale(301))
        );
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut without = good.clone();
            without.remove(name);
            assert_eq!(
                check(&without, BODY, TIMESTAMP_S),
                Err(Refusal::Header(name))
            );
        }
        let mut worded = good;
        worded.insert("webhook-timestamp", "now".parse().unwrap());
        let refusal = Refusal::Timestamp("now".to_owned());
        assert_eq!(check(&worded, BODY, TIMESTAMP_S), Err(refusal));
    }
}
