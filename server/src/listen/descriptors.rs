//! File descriptors: how many there are, and how many of them may be connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::ConnectionLimits;

/// Descriptors that are never connections of others: the store, log, listeners, and calls to receivers of pages.
const OWN: usize = 96;

/// As many as are asked for, if the system lets us choose.
const WANTED: u64 = 16 << 10;

/// Connections that look at pages, beside those that send.
const LOOKING: usize = 256;

/// Raises the limit of open files as far as it may be raised; answers what it is then.
pub(crate) fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let wanted = limit.maximum.unwrap_or(u64::MAX).min(WANTED);
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limit.maximum,
    };
    let now = if wanted > current && setrlimit(Resource::Nofile, raised).is_ok() {
        wanted
    } else {
        current
    };
    usize::try_from(now).unwrap_or(usize::MAX)
}

/// The limits of those who send and of those who look, with so many descriptors: what one of them takes is not taken
/// from the other.
pub(crate) fn divide(
    limits: &ConnectionLimits,
    descriptors: usize,
) -> (ConnectionLimits, ConnectionLimits) {
    let free = descriptors.saturating_sub(OWN).max(8);
    let looking = LOOKING.min(free / 4);
    let with = |connections: usize| ConnectionLimits {
        connections,
        // Half, so that no single address can shut the others out.
        per_address: limits.per_address.min(connections.div_ceil(2)),
        ..limits.clone()
    };
    let sending = with(limits.connections.min(free - looking));
    (sending, with(looking))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_descriptors_are_divided_and_many_are_not_all_taken() {
        let limits = ConnectionLimits::default();
        for (descriptors, sending, looking) in [
            (16_384, 1024, 256),
            (1024, 696, 232),
            (256, 120, 40),
            (10, 6, 2),
        ] {
            let (senders, lookers) = divide(&limits, descriptors);
            assert_eq!(senders.connections, sending, "{descriptors}");
            assert_eq!(lookers.connections, looking, "{descriptors}");
            assert_eq!(senders.per_address, sending / 2, "{descriptors}");
        }
    }
}
