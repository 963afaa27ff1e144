//! IPVS by generic netlink: the real [`Kernel`].

use std::collections::BTreeMap;

use neli::consts::genl::{CtrlAttr, CtrlCmd};
use neli::consts::nl::NlmF;
use neli::err::SerError;
use neli::genl::{AttrTypeBuilder, Genlmsghdr, GenlmsghdrBuilder, NlattrBuilder};
use neli::types::GenlBuffer;
use neli::{FromBytesWithInput, attr::Attribute as _};
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;

use super::netlink::{NetlinkError, Request, Socket, built};
use crate::ipvs::wire::{self, Command, FoundDestination, FoundService};
use crate::ipvs::{
    Destination, DestinationKey, Kernel, KernelError, Observed, Refusal, ServiceKey, Step,
    VirtualService,
};
use crate::net::Family;

/// `GENL_ID_CTRL`: the family that knows the others.
const CONTROLLER: u16 = 0x10;

/// Steps encoded at a time: some 200 KiB, however long the plan.
const PART: usize = 1000;

/// The IPVS of the network namespace in which it is first used.
///
/// Opens its socket when needed. The family's number is looked up again when the kernel no longer
/// knows it, for it changes when the module is loaded anew.
#[derive(Debug, Default)]
pub struct Ipvs {
    socket: Option<Socket>,
    family: Option<u16>,
}

impl Ipvs {
    /// Nothing is asked of the kernel yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of IPVS, such as `(1, 2, 1)`. Loads the module if need be.
    ///
    /// # Errors
    /// When there is no IPVS, or no answer.
    pub fn version(&mut self) -> Result<(u8, u8, u8), KernelError> {
        let found = self.list(
            wire::message(Command::GetInfo, GenlBuffer::new()),
            NlmF::ACK,
            wire::version,
        )?;
        found.into_iter().next().ok_or_else(|| KernelError::Read(Box::new(NetlinkError::Malformed)))
    }

    /// The destinations of one virtual service, without reading the rest of the table.
    ///
    /// # Errors
    /// When there is no IPVS, no such service, or no answer.
    pub fn service(
        &mut self,
        key: ServiceKey,
    ) -> Result<BTreeMap<DestinationKey, Destination>, KernelError> {
        let found = self.destinations(key)?;
        Ok(found.into_iter().map(|found| (found.at, found.to)).collect())
    }

    /// The socket and the family's number. Asking for the family makes the kernel load the module.
    fn connect(&mut self) -> Result<(&mut Socket, u16), KernelError> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            none => none.insert(Socket::open(SockProtocol::NetlinkGeneric).map_err(unread)?),
        };
        let family = match self.family {
            Some(family) => family,
            None => *self.family.insert(look_up(socket)?),
        };
        Ok((socket, family))
    }

    fn list<T>(
        &mut self,
        message: Result<Genlmsghdr<u8, u16>, SerError>,
        more: NlmF,
        decode: impl Fn(&[u8]) -> Result<Option<T>, neli::err::DeError>,
    ) -> Result<Vec<T>, KernelError> {
        let message = message.map_err(|error| unread(NetlinkError::Encode(error)))?;
        let mut looked_up = self.family.is_none();
        loop {
            let (socket, family) = self.connect()?;
            let request = Request::new(family, NlmF::empty(), &message)
                .map_err(|error| unread(NetlinkError::Encode(error)))?;
            let decode = |_, payload: &[u8]| decode(payload).map_err(NetlinkError::Decode);
            match socket.ask(&request, more, decode).map_err(unread)? {
                Ok(found) => return Ok(found),
                Err(Errno::ENOENT) if !looked_up => {
                    self.family = None;
                    looked_up = true;
                }
                Err(Errno::EPERM) => return Err(Refusal::Permission.into()),
                Err(source) => {
                    let attempt = "list virtual services";
                    return Err(unread(NetlinkError::Refused { attempt, source }));
                }
            }
        }
    }

    fn destinations(&mut self, key: ServiceKey) -> Result<Vec<FoundDestination>, KernelError> {
        let family = match key {
            ServiceKey::Address(_, at) => Family::of(at.ip()),
            ServiceKey::Fwmark(family, _) => family,
        };
        let select = wire::select(key);
        self.list(select, NlmF::DUMP, |payload| wire::destination(family, payload))
    }

    /// Makes some changes in order; returns those that were not made, by place, and whether the
    /// kernel still answers.
    fn apply_part(
        &mut self,
        steps: &[Step],
    ) -> Result<(Vec<(usize, KernelError)>, bool), KernelError> {
        let (socket, family) = self.connect()?;
        let request = |step| Request::new(family, NlmF::empty(), &wire::request(step)?);
        let requests: Result<Vec<_>, _> = steps.iter().map(request).collect();
        let requests = requests.map_err(|error| unread(NetlinkError::Encode(error)))?;
        let batch = socket.batch(&requests);
        let refused = batch.refused.into_iter().filter_map(|(place, errno)| {
            let refusal = Refusal::of(errno as i32, steps.get(place)?);
            Some((place, KernelError::from(refusal)))
        });
        let mut failed: BTreeMap<usize, KernelError> = refused.collect();
        let answers = batch.lost.is_none();
        if let Some(error) = batch.lost {
            let unanswered = KernelError::Unanswered(Box::new(error));
            failed.entry(batch.answered).or_insert(unanswered);
            for place in batch.answered..steps.len() {
                failed.entry(place).or_insert(KernelError::Skipped);
            }
        }
        Ok((failed.into_iter().collect(), answers))
    }
}

impl Kernel for Ipvs {
    fn observe(&mut self) -> Result<Observed, KernelError> {
        let message = wire::message(Command::GetService, GenlBuffer::new());
        let services = self.list(message, NlmF::DUMP, wire::service)?;
        let mut observed = Observed { version: Some(self.version()?), ..Observed::default() };
        for FoundService { key, settings, altered } in services {
            let mut destinations = BTreeMap::new();
            for found in self.destinations(key)? {
                destinations.insert(found.at, found.to);
                observed.traffic.insert((key, found.at), found.connections);
                if found.altered {
                    observed.altered.destinations.insert((key, found.at));
                }
            }
            if altered {
                observed.altered.services.insert(key);
            }
            observed.table.insert(key, VirtualService { settings, destinations });
        }
        Ok(observed)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<(usize, KernelError)> {
        let mut failed = Vec::new();
        for (part, first) in steps.chunks(PART).zip((0..).step_by(PART)) {
            let made = self.apply_part(part);
            let answers = made.as_ref().is_ok_and(|(_, answers)| *answers);
            let refused = made.map_or_else(|error| vec![(0, error)], |(refused, _)| refused);
            failed.extend(refused.into_iter().map(|(place, error)| (first + place, error)));
            if !answers {
                let told = failed.last().map_or(first, |(place, _)| place + 1);
                failed.extend((told..steps.len()).map(|place| (place, KernelError::Skipped)));
                break;
            }
        }
        failed
    }
}

fn unread(error: NetlinkError) -> KernelError {
    KernelError::Read(Box::new(error))
}

fn look_up(socket: &mut Socket) -> Result<u16, KernelError> {
    let request = lookup_request().map_err(|error| unread(NetlinkError::Encode(error)))?;
    let found = socket.ask(&request, NlmF::ACK, |_, payload| family(payload)).map_err(unread)?;
    match found {
        Ok(found) => found.into_iter().next().ok_or(KernelError::Missing),
        Err(Errno::ENOENT) => Err(KernelError::Missing),
        Err(source) => {
            let attempt = "look up the generic netlink family IPVS";
            Err(unread(NetlinkError::Refused { attempt, source }))
        }
    }
}

fn lookup_request() -> Result<Request, SerError> {
    let kind = built(AttrTypeBuilder::default().nla_type(CtrlAttr::FamilyName).build())?;
    let name = built(NlattrBuilder::default().nla_type(kind).nla_payload("IPVS").build())?;
    let message = GenlmsghdrBuilder::default()
        .cmd(CtrlCmd::Getfamily)
        .version(1)
        .attrs(std::iter::once(name).collect())
        .build();
    Request::new(CONTROLLER, NlmF::empty(), &built(message)?)
}

fn family(payload: &[u8]) -> Result<Option<u16>, NetlinkError> {
    let mut cursor = std::io::Cursor::new(payload);
    let message =
        Genlmsghdr::<CtrlCmd, CtrlAttr>::from_bytes_with_input(&mut cursor, payload.len());
    let message = message.map_err(NetlinkError::Decode)?;
    let id = |attribute: &neli::genl::Nlattr<CtrlAttr, _>| {
        let wanted = *attribute.nla_type().nla_type() == CtrlAttr::FamilyId;
        wanted.then(|| attribute.get_payload_as::<u16>())
    };
    message.attrs().iter().find_map(id).transpose().map_err(NetlinkError::Decode)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_familys_number_is_found_among_other_attributes() {
        let mut answer = vec![1, 2, 0, 0, 9, 0, 2, 0];
        answer.extend(b"IPVS\0\0\0\0");
        answer.extend([6, 0, 1, 0]);
        answer.extend(0x1c_u16.to_ne_bytes());
        answer.extend([0, 0]);
        assert_eq!(family(&answer).unwrap(), Some(0x1c));
    }

    #[test]
    fn a_kernel_without_ipvs_is_told_with_its_remedy() {
        let remedy = KernelError::Missing.remedy().unwrap();
        assert!(remedy.contains("modprobe ip_vs") && remedy.contains("CONFIG_IP_VS"), "{remedy}");
    }

    proptest! {
        #[test]
        fn arbitrary_answers_never_panic(answer in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(family(&answer).is_err() || answer.len() >= 4);
        }
    }
}
