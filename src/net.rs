//! Network values that several modules share: interface names, hardware addresses, families.

use std::fmt;
use std::net::IpAddr;

/// Address family of a virtual router or a virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "names say it")]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// The family `address` belongs to.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }
}

/// Name of a network interface: 1–15 bytes, no `/`, no white space (`dev_valid_name` of the kernel).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfName(String);

/// Text that cannot name a network interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot name a network interface: 1 to 15 characters, no `/`, `:` or white space")]
pub struct BadIfName(pub String);

impl IfName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for IfName {
    type Error = BadIfName;
    fn try_from(name: &str) -> Result<Self, BadIfName> {
        let forbidden = |c: char| c == '/' || c == ':' || c.is_whitespace();
        let valid = !name.is_empty() && name.len() <= 15 && name != "." && name != "..";
        if valid && !name.contains(forbidden) {
            Ok(Self(name.to_owned()))
        } else {
            Err(BadIfName(name.to_owned()))
        }
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// The address every station listens to.
    pub const BROADCAST: Self = Self([0xff; 6]);
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|byte| write!(f, ":{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_follow_the_kernels_rule() {
        for good in ["eth0", "enp0s31f6.100", "a", "fifteen-letters"] {
            assert_eq!(IfName::try_from(good).unwrap().as_str(), good);
        }
        for bad in ["", "sixteen-letters-", "eth/0", "eth 0", "eth0:1", ".", ".."] {
            assert!(IfName::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hardware_addresses_print_as_usual() {
        assert_eq!(MacAddr([0, 0, 0x5e, 0, 1, 51]).to_string(), "00:00:5e:00:01:33");
    }
}
