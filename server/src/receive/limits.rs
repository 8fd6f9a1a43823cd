//! What a sender may cost us: every bound of the receiving side, with its reason.

use std::time::Duration;

/// Bounds on OTLP requests. The defaults are the product's; the configuration may change them.
#[derive(Clone, Debug)]
pub struct ReceiveLimits {
    /// Largest payload in bytes, after decompression. Default 64 MiB, which the OTLP specification recommends.
    pub request_bytes: usize,
    /// Bytes of payload, on the wire and decompressed, that all requests together may hold in memory while they are
    /// read and decoded. Default 256 MiB; never less than two requests of the largest size, so that one always fits.
    pub in_flight_bytes: usize,
    /// How many times larger than on the wire a payload may become, beyond its first MiB. Default 100: telemetry
    /// with its random ids compresses some 5 to 50 times, a bomb more than 1000 times.
    pub inflate_ratio: usize,
    /// Time for a request's body to arrive, to which each byte adds by `body_bytes_per_second`. Default 10 s.
    pub body_time: Duration,
    /// Slowest steady pace of a body, in bytes per second. Default 4 KiB.
    pub body_bytes_per_second: usize,
    /// Time after which a body is given up however steadily it arrives. Default 60 s.
    pub body_time_most: Duration,
    /// How long a request waits for memory before it is told to come back. Default 8 s: below the 10 s after which
    /// exporters give up.
    pub hold: Duration,
    /// Payloads above this size are decoded on a blocking thread, so that the others' answers do not wait for them.
    /// In bytes, default 256 KiB: about 1 ms of decoding.
    pub inline_bytes: usize,
}

impl Default for ReceiveLimits {
    fn default() -> ReceiveLimits {
        ReceiveLimits {
            request_bytes: 64 << 20,
            in_flight_bytes: 256 << 20,
            inflate_ratio: 100,
            body_time: Duration::from_secs(10),
            body_bytes_per_second: 4 << 10,
            body_time_most: Duration::from_mins(1),
            hold: Duration::from_secs(8),
            inline_bytes: 256 << 10,
        }
    }
}

impl ReceiveLimits {
    /// Bytes that a payload of `wire_bytes` may become when it is decompressed.
    pub(super) fn inflated_bytes(&self, wire_bytes: usize) -> usize {
        const FREE: usize = 1 << 20;
        let by_ratio = FREE.saturating_add(wire_bytes.saturating_mul(self.inflate_ratio));
        by_ratio.min(self.request_bytes)
    }

    /// Time within which a body of which `bytes` have come must be complete or have gone on.
    pub(super) fn body_deadline(&self, bytes: usize) -> Duration {
        let seconds = bytes / self.body_bytes_per_second.max(1);
        let earned = Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX));
        self.body_time
            .saturating_add(earned)
            .min(self.body_time_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_may_grow_by_one_mebibyte_and_a_hundredfold_up_to_the_largest_request() {
        let limits = ReceiveLimits::default();
        let cases = [
            ("a tiny body has one MiB", 0, 1 << 20),
            (
                "64 KiB become 7.25 MiB at most",
                64 << 10,
                (1 << 20) + (6400 << 10),
            ),
            ("a large body has the largest request", 10 << 20, 64 << 20),
            ("no overflow", usize::MAX, 64 << 20),
        ];
        for (case, wire, most) in cases {
            assert_eq!(limits.inflated_bytes(wire), most, "{case}");
        }
    }

    #[test]
    fn a_body_earns_time_by_arriving_but_not_for_ever() {
        let limits = ReceiveLimits::default();
        assert_eq!(limits.body_deadline(0), Duration::from_secs(10));
        assert_eq!(limits.body_deadline(40 << 10), Duration::from_secs(20));
        assert_eq!(limits.body_deadline(64 << 20), Duration::from_mins(1));
    }
}
