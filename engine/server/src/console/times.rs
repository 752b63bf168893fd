//! Moments in words: how long ago, how long there is left.

use placet_model::Timestamp;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment as a page shows it.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// RFC 3339.
    pub(crate) iso: String,
    pub(crate) words: String,
}

/// How long ago it was.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> Moment {
    let passed = now.millis_since(at);
    let words =
        if passed < MINUTE { "just now".to_owned() } else { format!("{} ago", span(passed)) };
    Moment { iso: at.to_string(), words }
}

/// How long there is left.
pub(crate) fn left(end: Timestamp, now: Timestamp) -> Moment {
    let left = end.millis_since(now);
    let words = if left < 0 { "over".to_owned() } else { format!("{} left", span(left)) };
    Moment { iso: end.to_string(), words }
}

/// A length of time in its two largest units.
pub(crate) fn span(millis: i64) -> String {
    match millis {
        ..MINUTE => "under a minute".to_owned(),
        MINUTE..HOUR => format!("{} min", millis / MINUTE),
        HOUR..DAY => format!("{} h {} min", millis / HOUR, millis % HOUR / MINUTE),
        DAY.. => format!("{} d {} h", millis / DAY, millis % DAY / HOUR),
    }
}

/// A length of time that may be short.
pub(crate) fn length(millis: i64) -> String {
    match millis {
        ..=0 => "0 s".to_owned(),
        1..1000 => format!("{millis} ms"),
        1000..MINUTE => format!("{} s", millis / 1000),
        MINUTE.. => span(millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_told_in_their_two_largest_units() {
        for (millis, words) in [
            (0, "under a minute"),
            (MINUTE, "1 min"),
            (HOUR - 1, "59 min"),
            (HOUR + 5 * MINUTE, "1 h 5 min"),
            (7 * DAY - 1, "6 d 23 h"),
        ] {
            assert_eq!(span(millis), words);
        }
        for (millis, words) in
            [(-1, "0 s"), (0, "0 s"), (999, "999 ms"), (59_999, "59 s"), (MINUTE, "1 min")]
        {
            assert_eq!(length(millis), words);
        }
        let (now, later) = (Timestamp::from_millis(HOUR), Timestamp::from_millis(2 * HOUR));
        assert_eq!(left(later, now).words, "1 h 0 min left");
        assert_eq!(left(now, later).words, "over");
        assert_eq!(ago(now, later).words, "1 h 0 min ago");
        assert_eq!(ago(now, now).words, "just now");
    }
}
