//! Small values as text: durations, sizes, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Units of time, longest first, in nanoseconds.
const UNITS: &[(&str, u64)] =
    &[("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)];

/// Why text is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadDuration {
    /// A number alone.
    NoUnit,
    /// No number, or a unit we do not have.
    Form,
}

/// `250ms`, `1s`, `1.5s`, `2m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, BadDuration> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or(BadDuration::Form)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !numeric(whole) || !numeric(fraction) || fraction.len() > 9 {
        return Err(BadDuration::Form);
    }
    if unit.is_empty() {
        return Err(BadDuration::NoUnit);
    }
    let &(_, scale) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(BadDuration::Form)?;
    // Saturated: every key has an upper bound far below.
    let whole: u64 = whole.parse().unwrap_or(u64::MAX);
    let power = 10_u64.saturating_pow(u32::try_from(fraction.len()).unwrap_or(9));
    let part: u64 = fraction.parse().unwrap_or(0);
    let part = u128::from(part).saturating_mul(scale.into()) / u128::from(power).max(1);
    let part = u64::try_from(part).unwrap_or(u64::MAX);
    Ok(Duration::from_nanos(whole.saturating_mul(scale).saturating_add(part)))
}

/// A duration the way the configuration writes it.
pub(super) fn show(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    for (unit, scale) in UNITS {
        let scale = u128::from(*scale);
        let fraction = *unit == "ms" && nanos >= 1_000_000_000;
        if nanos >= scale && nanos.is_multiple_of(scale) && !fraction {
            return format!("{}{unit}", nanos / scale);
        }
    }
    if nanos >= 1_000_000_000 {
        format!("{}s", duration.as_secs_f64())
    } else {
        format!("{}ms", duration.as_secs_f64() * 1000.0)
    }
}

/// `64KiB`, `1MiB`, `512`, in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let scale: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        "kB" => 1000,
        "MB" => 1_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// Why text is no usable address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadAddress {
    /// IPv6.
    Ipv6,
    /// Has a meaning of its own, named here.
    Special(&'static str),
    /// None at all.
    Form,
}

/// An IPv4 address one machine can have.
pub(super) fn address(text: &str) -> Result<IpAddr, BadAddress> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if inner.parse::<Ipv6Addr>().is_ok() {
        return Err(BadAddress::Ipv6);
    }
    let address: Ipv4Addr = text.parse().map_err(|_| BadAddress::Form)?;
    let first = address.octets().first().copied().unwrap_or(0);
    if address.is_unspecified() || first == 0 {
        Err(BadAddress::Special("means \"this network\""))
    } else if address.is_multicast() {
        Err(BadAddress::Special("is a multicast group"))
    } else if first >= 240 {
        Err(BadAddress::Special("is broadcast or reserved"))
    } else {
        Ok(address.into())
    }
}

/// Text short and plain enough to stand in a message.
pub(super) fn quote(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short}...") } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_number_and_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("1s", 1000),
            ("1.5s", 1500),
            ("0s", 0),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0.25h", 900_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "1 s", "-1s", "1.s", ".5s", "1d", "1.2.3s", "1ß", "1.0000000001s"] {
            assert_eq!(duration(text), Err(BadDuration::Form), "{text}");
        }
        assert_eq!(duration("5"), Err(BadDuration::NoUnit));
        let longest = duration("99999999999999999999999h").unwrap();
        assert!(longest > Duration::from_hours(1_000_000));
    }

    #[test]
    fn durations_are_shown_as_they_are_written() {
        for text in ["0s", "250ms", "1s", "1.5s", "90s", "2m", "1h", "0.5ms"] {
            assert_eq!(show(duration(text).unwrap()), text);
        }
        assert_eq!(show(Duration::from_secs(120)), "2m");
    }

    #[test]
    fn sizes_have_binary_and_decimal_units() {
        let sizes = [("512", 512), ("64KiB", 65536), ("1 MiB", 1_048_576), ("2kB", 2000)];
        for (text, bytes) in sizes {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5MiB", "1GiB", "99999999999999999999"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn only_addresses_a_machine_can_have_are_taken() {
        assert_eq!(address("192.168.0.3"), Ok(IpAddr::from([192, 168, 0, 3])));
        assert_eq!(address("2001:db8::1"), Err(BadAddress::Ipv6));
        assert_eq!(address("[::1]"), Err(BadAddress::Ipv6));
        for text in ["0.0.0.0", "0.1.2.3", "224.0.0.18", "255.255.255.255", "240.0.0.1"] {
            assert!(matches!(address(text), Err(BadAddress::Special(_))), "{text}");
        }
        for text in ["", "192.168.0", "192.168.0.300", "192.168.000.1", "www", "1.2.3.4:80"] {
            assert_eq!(address(text), Err(BadAddress::Form), "{text}");
        }
    }
}
