//! Which addresses may be connected to. A URL comes from an administrator or leads wherever its name's owner likes;
//! without this check a webhook would be a way into the network that the server stands in.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: u128,
    bits: u8,
    v4: bool,
}

/// The text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address, or one with a number of bits, such as 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError;

impl Network {
    const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Self {
        Self {
            address: Ipv4Addr::new(a, b, c, d).to_bits() as u128,
            bits,
            v4: true,
        }
    }

    const fn v6(first: [u16; 4], bits: u8) -> Self {
        let [a, b, c, d] = first;
        Self {
            address: Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_bits(),
            bits,
            v4: false,
        }
    }

    /// Whether an address lies in it. An IPv4 address that is written as an IPv6 one is taken for what it is.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (address, v4) = match ip.to_canonical() {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), true),
            IpAddr::V6(ip) => (ip.to_bits(), false),
        };
        let width: u32 = if v4 { 32 } else { 128 };
        let shift = width.saturating_sub(u32::from(self.bits));
        let shifted = |value: u128| value.checked_shr(shift).unwrap_or(0);
        v4 == self.v4 && shifted(address) == shifted(self.address)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_no_address| NetworkError)?;
        let (address, width, v4) = match address {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), 32, true),
            IpAddr::V6(ip) => (ip.to_bits(), 128, false),
        };
        let bits = match bits {
            None => width,
            Some(bits) => bits.parse().map_err(|_no_number| NetworkError)?,
        };
        if bits > width {
            return Err(NetworkError);
        }
        Ok(Self { address, bits, v4 })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match u32::try_from(self.address) {
            Ok(address) if self.v4 => IpAddr::V4(Ipv4Addr::from_bits(address)),
            Ok(_) | Err(_) => IpAddr::V6(Ipv6Addr::from_bits(self.address)),
        };
        write!(f, "{address}/{}", self.bits)
    }
}

/// What is not the public Internet: the blocks of the IANA special-purpose registries that are not globally reachable,
/// those that embed an IPv4 address and so could lead to any of these, and what is set aside for groups.
const NOT_PUBLIC: [Network; 32] = [
    Network::v4(0, 0, 0, 0, 8),
    Network::v4(10, 0, 0, 0, 8),
    Network::v4(100, 64, 0, 0, 10),
    Network::v4(127, 0, 0, 0, 8),
    Network::v4(169, 254, 0, 0, 16),
    Network::v4(172, 16, 0, 0, 12),
    Network::v4(192, 0, 0, 0, 24),
    Network::v4(192, 0, 2, 0, 24),
    Network::v4(192, 31, 196, 0, 24),
    Network::v4(192, 52, 193, 0, 24),
    Network::v4(192, 88, 99, 0, 24),
    Network::v4(192, 168, 0, 0, 16),
    Network::v4(192, 175, 48, 0, 24),
    Network::v4(198, 18, 0, 0, 15),
    Network::v4(198, 51, 100, 0, 24),
    Network::v4(203, 0, 113, 0, 24),
    Network::v4(224, 0, 0, 0, 4),
    Network::v4(240, 0, 0, 0, 4),
    // Unspecified, loopback, and IPv4 addresses in their oldest disguise.
    Network::v6([0, 0, 0, 0], 64),
    Network::v6([0x64, 0xff9b, 0, 0], 96),
    Network::v6([0x64, 0xff9b, 1, 0], 48),
    Network::v6([0x100, 0, 0, 0], 64),
    Network::v6([0x100, 0, 0, 1], 64),
    Network::v6([0x2001, 0, 0, 0], 23),
    Network::v6([0x2001, 0xdb8, 0, 0], 32),
    Network::v6([0x2002, 0, 0, 0], 16),
    Network::v6([0x3fff, 0, 0, 0], 20),
    Network::v6([0x5f00, 0, 0, 0], 16),
    Network::v6([0xfc00, 0, 0, 0], 7),
    Network::v6([0xfe80, 0, 0, 0], 10),
    Network::v6([0xfec0, 0, 0, 0], 10),
    Network::v6([0xff00, 0, 0, 0], 8),
];

/// Which addresses may be connected to: every public one, and the networks that an operator has allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    allowed: Vec<Network>,
}

impl Reach {
    /// The public Internet and these networks.
    pub fn new(allowed: Vec<Network>) -> Self {
        Self { allowed }
    }

    /// Whether this address may be connected to.
    pub fn admits(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.allowed.iter().any(|network| network.contains(ip))
            || !NOT_PUBLIC.iter().any(|network| network.contains(ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_public_addresses_are_admitted_however_they_are_written() {
        let reach = Reach::default();
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.255.255",
            "172.32.0.1",
            "192.167.1.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(reach.admits(ip(public)), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!reach.admits(ip(private)), "{private}");
        }
    }

    #[test]
    fn an_allowed_network_is_admitted_and_its_neighbours_are_not() {
        let reach = Reach::new(vec!["10.1.0.0/16".parse().unwrap(), "::1".parse().unwrap()]);
        for admitted in ["10.1.0.1", "10.1.255.255", "::ffff:10.1.2.3", "::1", "1.1.1.1"] {
            assert!(reach.admits(ip(admitted)), "{admitted}");
        }
        for refused in ["10.2.0.1", "10.0.255.255", "127.0.0.1", "::2"] {
            assert!(!reach.admits(ip(refused)), "{refused}");
        }
        let everything = Reach::new(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
        assert!(everything.admits(ip("127.0.0.1")) && everything.admits(ip("fe80::1")));
    }

    #[test]
    fn a_network_is_read_as_it_is_written() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("::1", "::1/128"),
            ("127.0.0.1", "127.0.0.1/32"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), shown);
        }
        for refused in [
            "",
            "10",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/-1",
            "localhost",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(refused.parse::<Network>(), Err(NetworkError), "{refused:?}");
        }
    }
}
