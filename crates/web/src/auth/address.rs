//! Where a request comes from. X-Forwarded-For counts only as far as proxies of ours wrote it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use axum::http::HeaderMap;

/// A network such as `10.0.0.0/8`, `fd00::/8` or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: u128,
    bits: u8,
}

/// A text that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is no network; write an address such as 10.0.0.1 or a network such as 10.0.0.0/8")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || NetworkError(text.to_owned());
        let (address, length) = text.trim().split_once('/').map_or((text.trim(), None), |(a, l)| (a, Some(l)));
        let address: IpAddr = address.parse().map_err(|_| fault())?;
        let (widest, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let length: u8 = length.map_or(Ok(widest), str::parse).map_err(|_| fault())?;
        if length > widest {
            return Err(fault());
        }
        let bits = length + offset;
        Ok(Self { base: number(address) & mask(bits), bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from(self.base), self.bits)
    }
}

impl Network {
    /// Whether the address lies inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        number(address) & mask(self.bits) == self.base
    }
}

fn mask(bits: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

// IPv4 addresses are compared as they are mapped into IPv6, so one listening socket for both makes no difference.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

/// The client's address: the peer, or, when the peer is a proxy of ours, the last address in X-Forwarded-For that is not.
pub(crate) fn client(peer: Option<SocketAddr>, headers: &HeaderMap, proxies: &[Network]) -> Option<IpAddr> {
    let mut nearest = peer?.ip();
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for hop in forwarded.into_iter().rev() {
        if !proxies.iter().any(|network| network.contains(nearest)) {
            break;
        }
        let Ok(address) = hop.parse() else { break };
        nearest = address;
    }
    Some(nearest)
}

/// The addresses that are counted as one client: a household has a whole /64 of IPv6, so counting single addresses there would count
/// nothing.
pub fn client_group(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_none() => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
        other => other.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_is_one_neighbour() {
        let same = |one: &str, other: &str| client_group(one.parse().unwrap()) == client_group(other.parse().unwrap());
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(!same("203.0.113.5", "203.0.113.6"));
        assert!(same("203.0.113.5", "::ffff:203.0.113.5"));
        assert!(!same("::ffff:203.0.113.5", "::ffff:203.0.113.6"));
    }

    fn from(peer: &str, forwarded: &str, proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        if !forwarded.is_empty() {
            headers.insert("x-forwarded-for", forwarded.parse().unwrap());
        }
        let proxies: Vec<Network> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        client(Some(SocketAddr::new(peer.parse().unwrap(), 1)), &headers, &proxies).unwrap().to_string()
    }

    #[test]
    fn a_forwarded_address_counts_only_from_a_proxy_of_ours() {
        assert_eq!(from("203.0.113.5", "198.51.100.1", &[]), "203.0.113.5");
        assert_eq!(from("10.1.2.3", "198.51.100.1", &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(from("10.1.2.3", "", &["10.0.0.0/8"]), "10.1.2.3");
        // What the client itself wrote stands before what our proxy wrote.
        assert_eq!(from("10.1.2.3", "127.0.0.1, 198.51.100.1", &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(from("10.1.2.3", "198.51.100.1, 10.9.9.9", &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(from("::ffff:10.1.2.3", "nonsense", &["10.0.0.0/8"]), "::ffff:10.1.2.3");
    }

    #[test]
    fn networks_are_read_and_refused() {
        assert!("10.0.0.0/8".parse::<Network>().unwrap().contains("10.255.0.1".parse().unwrap()));
        assert!(!"10.0.0.1".parse::<Network>().unwrap().contains("10.0.0.2".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!("::/0".parse::<Network>().unwrap().contains("8.8.8.8".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "localhost", "10.0.0.0/-1", "fd00::/129"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
