//! Times and lengths of time in words. Pure.

use jiff::Timestamp;

/// `5s`, `2m 10s`, `20m`, `3h 5m`, `3d 4h`: the two largest units, from `since` to `now`.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let pair = |large: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit} {small}{small_unit}"),
    };
    if days > 0 {
        pair(days, "d", hours % 24, "h")
    } else if hours > 0 {
        pair(hours, "h", minutes % 60, "m")
    } else if minutes > 0 {
        pair(minutes, "m", seconds % 60, "s")
    } else {
        format!("{seconds}s")
    }
}

/// `2026-11-22 16:18:21.004Z`: UTC, so that two directors' logs can be laid side by side, and to the
/// millisecond, since elections are shorter than a second.
pub(super) fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

/// `1 problem`, `2 problems`.
pub(super) fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn ages_have_two_units_at_most() {
        let since: Timestamp = "2026-11-22T16:18:21.9Z".parse().unwrap();
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (130, "2m 10s"),
            (1200, "20m"),
            (8300, "2h 18m"),
            (86400 * 3 + 4 * 3600 + 59, "3d 4h"),
            (-5, "0s"),
        ];
        for (seconds, text) in cases {
            assert_eq!(age(since, since + SignedDuration::from_secs(seconds)), text);
        }
        assert_eq!(moment(since), "2026-11-22 16:18:21.900Z");
    }
}
