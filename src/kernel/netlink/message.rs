//! The frame of a netlink message (`struct nlmsghdr`, netlink(7)), without the payload's meaning.

use std::io::Cursor;

use neli::ToBytes;
use neli::consts::nl::NlmF;
use neli::err::SerError;

const HEADER: usize = 16;

/// A request, complete but for its sequence number.
#[derive(Debug, Clone)]
pub(in crate::kernel) struct Request {
    kind: u16,
    flags: NlmF,
    payload: Vec<u8>,
}

impl Request {
    /// A request of message type `kind`; `NLM_F_REQUEST` is added to `flags`.
    pub(in crate::kernel) fn new(
        kind: u16,
        flags: NlmF,
        payload: &impl ToBytes,
    ) -> Result<Self, SerError> {
        let mut cursor = Cursor::new(Vec::new());
        payload.to_bytes(&mut cursor)?;
        Ok(Self { kind, flags: flags | NlmF::REQUEST, payload: cursor.into_inner() })
    }

    /// Appends the request to a datagram, with these flags in addition.
    pub(super) fn write(&self, sequence: u32, more: NlmF, datagram: &mut Vec<u8>) {
        let length = HEADER + self.payload.len();
        datagram.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
        datagram.extend(self.kind.to_ne_bytes());
        datagram.extend((self.flags | more).bits().to_ne_bytes());
        datagram.extend(sequence.to_ne_bytes());
        datagram.extend(0_u32.to_ne_bytes());
        datagram.extend(&self.payload);
        datagram.resize(datagram.len().next_multiple_of(4), 0);
    }
}

/// One message of a received datagram.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Message<'a> {
    /// `nlmsg_type`.
    pub(in crate::kernel) kind: u16,
    /// `nlmsg_flags`.
    pub(in crate::kernel) flags: u16,
    /// The number of the request it answers, 0 in notifications.
    pub(in crate::kernel) sequence: u32,
    /// What follows the header.
    pub(in crate::kernel) payload: &'a [u8],
}

/// The lengths in a datagram contradict each other.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Malformed;

/// The messages of a datagram; stops after the first malformed one.
#[derive(Debug)]
pub(in crate::kernel) struct Messages<'a>(pub(in crate::kernel) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let datagram = std::mem::take(&mut self.0);
        let Some((message, length)) = first(datagram) else { return Some(Err(Malformed)) };
        // The last message may come without its padding.
        self.0 = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(message))
    }
}

fn first(datagram: &[u8]) -> Option<(Message<'_>, usize)> {
    let header: &[u8; HEADER] = datagram.first_chunk()?;
    let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
    let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
    let message = Message {
        kind: u16::from_ne_bytes([k0, k1]),
        flags: u16::from_ne_bytes([f0, f1]),
        sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
        payload: datagram.get(HEADER..length)?,
    };
    Some((message, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_framed_as_netlink_7_says() {
        let request = Request::new(0x15, NlmF::ACK, &[1_u8, 2, 3, 4, 5].as_slice()).unwrap();
        let mut datagram = Vec::new();
        request.write(7, NlmF::DUMP, &mut datagram);
        let literal = [
            [21, 0, 0, 0],
            [0x15, 0, 0x05, 0x03],
            [7, 0, 0, 0],
            [0, 0, 0, 0],
            [1, 2, 3, 4],
            [5, 0, 0, 0],
        ];
        let expected =
            if cfg!(target_endian = "little") { literal.concat() } else { datagram.clone() };
        assert_eq!(datagram, expected);
        let messages: Vec<_> = Messages(&datagram).collect();
        let payload = &[1, 2, 3, 4, 5];
        assert_eq!(messages, [Ok(Message { kind: 0x15, flags: 0x305, sequence: 7, payload })]);
    }

    #[test]
    fn a_length_beyond_the_datagram_or_below_the_header_is_malformed() {
        for length in [0_u32, 15, 17, u32::MAX] {
            let mut datagram = vec![0; 16];
            datagram[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(Messages(&datagram).collect::<Vec<_>>(), [Err(Malformed)], "{length}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Messages(&bytes).count() <= bytes.len() / HEADER + 1);
        }
    }
}
