//! Answers of OTLP: partial success, `google.rpc.Status`, and the hash that tells a resent request.

mod status;

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use crate::classes::{Classes, Problems};
use crate::codec::{CodecError, Reader, put_bytes, put_varint};
use crate::decode::{Encoding, Kind};

pub use status::{Code, Status};

/// Bytes of a message in an answer; far below the 4 MiB that an answer may have.
const MAX_MESSAGE_BYTES: usize = 4096;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const BAD_REQUEST: &str = "type.googleapis.com/google.rpc.BadRequest";

/// The answer to an accepted request: full success if it is the default value, else partial
/// success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Spans, points or records that were rejected and must not be sent again.
    pub rejected: u64,
    /// Why, or a warning if none was rejected; cut at 4 KiB.
    pub message: String,
}

impl Answer {
    /// The answer to a request whose events went into these classes.
    pub fn new(classes: &Classes, problems: &Problems) -> Answer {
        let mut message = problems.to_string();
        trim(&mut message);
        Answer {
            rejected: classes.rejected(),
            message,
        }
    }

    /// The body of the response.
    pub fn encode(&self, kind: Kind, encoding: Encoding) -> Vec<u8> {
        match encoding {
            Encoding::Protobuf => self.to_bytes(),
            Encoding::Json => self.to_json(kind).to_string().into_bytes(),
        }
    }

    /// The form to store for resent requests; it is the protobuf body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut partial = Vec::new();
        if self.rejected > 0 {
            partial.push(0x08);
            put_varint(&mut partial, self.rejected);
        }
        if !self.message.is_empty() {
            partial.push(0x12);
            put_bytes(&mut partial, self.message.as_bytes());
        }
        let mut body = Vec::new();
        if !partial.is_empty() {
            body.push(0x0a);
            put_bytes(&mut body, &partial);
        }
        body
    }

    /// Reads what [`Answer::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Answer, CodecError> {
        let mut answer = Answer::default();
        let mut body = Reader::new(bytes);
        if body.is_empty() {
            return Ok(answer);
        }
        if body.byte()? != 0x0a {
            return Err(CodecError::Invalid("answer"));
        }
        let mut partial = Reader::new(body.bytes()?);
        body.done()?;
        while !partial.is_empty() {
            match partial.byte()? {
                0x08 => answer.rejected = partial.varint()?,
                0x12 => partial.text()?.clone_into(&mut answer.message),
                _ => return Err(CodecError::Invalid("answer")),
            }
        }
        Ok(answer)
    }

    fn to_json(&self, kind: Kind) -> Json {
        let mut partial = Map::new();
        if self.rejected > 0 {
            let field = match kind {
                Kind::Traces => "rejectedSpans",
                Kind::Metrics => "rejectedDataPoints",
                Kind::Logs => "rejectedLogRecords",
            };
            partial.insert(field.to_owned(), Json::from(self.rejected.to_string()));
        }
        if !self.message.is_empty() {
            partial.insert("errorMessage".to_owned(), Json::from(self.message.as_str()));
        }
        if partial.is_empty() {
            json!({})
        } else {
            json!({ "partialSuccess": partial })
        }
    }
}

fn trim(message: &mut String) {
    message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
}

fn duration_json(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}.{:09}s", duration.as_secs(), duration.subsec_nanos())
    }
}
