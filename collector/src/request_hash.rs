//! What tells a resent request from a new one.

use std::fmt;
use std::sync::Arc;

use twox_hash::XxHash3_128;

use crate::decode::Kind;

/// Bytes of the secret that XXH3 mixes into a body.
const SECRET: usize = 192;

/// Hashes requests by the bytes of their decompressed bodies and their kinds.
///
/// XXH3 with 128 bits. Who makes bodies collide keeps its own from being counted; to hit another's, which it would have
/// to know before it is committed, it would have to know the secret as well.
#[derive(Clone)]
pub struct RequestHasher(Arc<Secrets>);

struct Secrets {
    traces: [u8; SECRET],
    metrics: [u8; SECRET],
    logs: [u8; SECRET],
}

impl RequestHasher {
    /// A hasher made from a secret that never changes, as hashes are kept over restarts.
    pub fn new(secret: &[u8]) -> RequestHasher {
        let of_kind = |context: &str| {
            let mut bytes = [0; SECRET];
            let mut hasher = blake3::Hasher::new_derive_key(context);
            hasher.update(secret).finalize_xof().fill(&mut bytes);
            bytes
        };
        RequestHasher(Arc::new(Secrets {
            traces: of_kind("sloburn request hash v2: traces"),
            metrics: of_kind("sloburn request hash v2: metrics"),
            logs: of_kind("sloburn request hash v2: logs"),
        }))
    }

    /// The same for the same kind and bytes.
    pub fn hash(&self, kind: Kind, body: &[u8]) -> [u8; 16] {
        let secret = match kind {
            Kind::Traces => &self.0.traces,
            Kind::Metrics => &self.0.metrics,
            Kind::Logs => &self.0.logs,
        };
        match XxHash3_128::oneshot_with_secret(secret, body) {
            Ok(hash) => hash.to_le_bytes(),
            Err(too_short) => unreachable!("{too_short}"),
        }
    }
}

/// Of no secret: for recordings that are read by whoever has them.
impl Default for RequestHasher {
    fn default() -> RequestHasher {
        RequestHasher::new(b"")
    }
}

impl fmt::Debug for RequestHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestHasher(…)")
    }
}
