//! What became of a client's requests, in figures.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Request;

/// The figures a fault is judged by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) sent: usize,
    pub(crate) lost: usize,
    /// The longest time between two answers, or from the last answer to the end.
    pub(crate) longest_gap: Duration,
    /// Answers by the server that gave them.
    pub(crate) by_server: BTreeMap<String, usize>,
}

impl Summary {
    /// Sums up the requests that were sent at `from` or later, up to the moment `end`.
    pub(crate) fn of(requests: &[Request], from: Duration, end: Duration) -> Self {
        let mut summary = Self::default();
        let mut answers = vec![from];
        for request in requests.iter().filter(|request| request.sent >= from) {
            summary.sent += 1;
            match &request.answer {
                Some((at, server)) => {
                    answers.push(*at);
                    *summary.by_server.entry(server.clone()).or_default() += 1;
                }
                None => summary.lost += 1,
            }
        }
        answers.push(end);
        answers.sort_unstable();
        let gaps = answers.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        summary.longest_gap = gaps.max().unwrap_or_default();
        summary
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    fn request(sent: u64, answered: Option<(u64, &str)>) -> Request {
        let answer = answered.map(|(at, server)| (ms(at), server.to_owned()));
        Request { sent: ms(sent), answer }
    }

    pub(crate) fn gap() {
        let requests = [
            request(0, Some((2, "rs1"))),
            request(10, None),
            request(20, None),
            request(30, Some((33, "rs2"))),
            request(40, Some((41, "rs1"))),
        ];
        let summary = Summary::of(&requests, ms(0), ms(45));
        assert_eq!((summary.sent, summary.lost), (5, 2));
        assert_eq!(summary.longest_gap, ms(31));
    }

    pub(crate) fn open_gap() {
        let requests = [request(0, Some((2, "rs1"))), request(10, None)];
        assert_eq!(Summary::of(&requests, ms(0), ms(510)).longest_gap, ms(508));
    }

    pub(crate) fn by_server() {
        let requests = [
            request(0, Some((1, "rs1"))),
            request(10, Some((11, "rs2"))),
            request(20, Some((21, "rs1"))),
        ];
        let summary = Summary::of(&requests, ms(10), ms(22));
        assert_eq!(summary.by_server, BTreeMap::from([("rs1".into(), 1), ("rs2".into(), 1)]));
    }
}
