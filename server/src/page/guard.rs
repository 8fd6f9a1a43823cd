//! Which addresses a page may be sent to.
//!
//! A receiver's URL is configuration, but the name in it is resolved by somebody else's DNS: without a guard,
//! whoever controls that name makes sloburn talk to hosts inside our network. So a name is resolved here, every
//! address it has is checked, and the connection goes to one of these addresses, not to the name again.
//! `allow_private = true` on a receiver lifts this for loopback and private networks, for that receiver.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

const DNS_TIMEOUT: Duration = Duration::from_secs(2);

/// What a receiver's connections may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// Public addresses.
    Public,
    /// Loopback and private networks too.
    Private,
}

/// An address that the guard does not let through.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the address {0} is not public; if it is meant, set `allow_private = true` for the receiver"
)]
pub(super) struct Blocked(IpAddr);

impl Guard {
    /// Refuses an address that pages must not go to.
    pub(super) fn check(self, address: IpAddr) -> Result<(), Blocked> {
        let allowed = match self {
            Guard::Public => is_public(address),
            Guard::Private => is_public(address) || is_private(address),
        };
        if allowed {
            Ok(())
        } else {
            Err(Blocked(address))
        }
    }

    /// Refuses the host of a URL if it is an address that pages must not go to; names are checked when they
    /// are resolved.
    pub(super) fn check_host(self, host: &str) -> Result<(), Blocked> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse().map_or(Ok(()), |address| self.check(address))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            let looked_up = tokio::net::lookup_host((name.as_str(), 0));
            let addresses: Vec<SocketAddr> = tokio::time::timeout(DNS_TIMEOUT, looked_up)
                .await
                .map_err(|_| NoAnswer)??
                .collect();
            for address in &addresses {
                guard.check(address.ip())?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The name server was silent.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the name was not resolved within {} seconds",
            DNS_TIMEOUT.as_secs()
        )
    }
}

impl std::error::Error for NoAnswer {}

/// Loopback, RFC 1918, carrier NAT, and unique local addresses.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || within(v4, [100, 64, 0, 0], 10),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_private(IpAddr::V4(v4)),
            None => v6.is_loopback() || v6.is_unique_local(),
        },
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Everything but what IANA's special-purpose registry sets aside.
fn is_public_v4(address: Ipv4Addr) -> bool {
    const SPECIAL: [([u8; 4], u32); 15] = [
        ([0, 0, 0, 0], 8),       // this network
        ([10, 0, 0, 0], 8),      // private
        ([100, 64, 0, 0], 10),   // carrier NAT
        ([127, 0, 0, 0], 8),     // loopback
        ([169, 254, 0, 0], 16),  // link-local, and with it cloud metadata
        ([172, 16, 0, 0], 12),   // private
        ([192, 0, 0, 0], 24),    // protocol assignments
        ([192, 0, 2, 0], 24),    // documentation
        ([192, 88, 99, 0], 24),  // 6to4 relays
        ([192, 168, 0, 0], 16),  // private
        ([198, 18, 0, 0], 15),   // benchmarks
        ([198, 51, 100, 0], 24), // documentation
        ([203, 0, 113, 0], 24),  // documentation
        ([224, 0, 0, 0], 4),     // multicast
        ([240, 0, 0, 0], 4),     // reserved, broadcast
    ];
    !SPECIAL
        .iter()
        .any(|&(network, bits)| within(address, network, bits))
}

/// Only global unicast, without the ranges in it that lead elsewhere (NAT64, mapped addresses, `SRv6`, unique
/// and link-local ones all lie outside).
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = first & 0xe000 == 0x2000;
    let protocols = first == 0x2001 && second < 0x0200; // Teredo, ORCHID, benchmarks
    let documentation =
        (first == 0x2001 && second == 0x0db8) || (first == 0x3fff && second < 0x1000);
    let six_to_four = first == 0x2002;
    global && !protocols && !documentation && !six_to_four
}

fn within(address: Ipv4Addr, network: [u8; 4], bits: u32) -> bool {
    (address.to_bits() ^ u32::from_be_bytes(network)).leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_blocked() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(Guard::Public.check(ip), Err(Blocked(ip)), "{address}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
        ] {
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(Guard::Public.check(ip), Ok(()), "{address}");
            assert_eq!(Guard::Private.check(ip), Ok(()), "{address}");
        }
    }

    #[test]
    fn private_networks_pass_when_allowed_but_metadata_never_does() {
        for address in [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "192.168.0.9",
            "fd00::7",
            "::ffff:127.0.0.1",
        ] {
            assert_eq!(
                Guard::Private.check(address.parse().unwrap()),
                Ok(()),
                "{address}"
            );
        }
        for address in [
            "169.254.169.254",
            "fe80::1",
            "::ffff:169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
        ] {
            assert!(
                Guard::Private.check(address.parse().unwrap()).is_err(),
                "{address}"
            );
        }
    }

    #[test]
    fn addresses_in_urls_are_checked_however_they_are_written() {
        for url in [
            "http://2130706433/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://169.254.169.254./",
            "http://127。0。0。1/",
            "http://①②⑦.0.0.1/",
        ] {
            let url: reqwest::Url = url.parse().unwrap();
            assert!(
                Guard::Public.check_host(url.host_str().unwrap()).is_err(),
                "{url}"
            );
        }
        assert_eq!(Guard::Public.check_host("example.com"), Ok(()));
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_a_blocked_address_is_refused() {
        let name = || "localhost".parse().unwrap();
        let refused = Guard::Public.resolve(name()).await.err().unwrap();
        assert!(refused.downcast_ref::<Blocked>().is_some(), "{refused}");
        assert!(Guard::Private.resolve(name()).await.is_ok());
    }
}
