//! What can go wrong between us and IPVS, in words: the kernel answers with bare numbers.

use std::error::Error;
use std::io;

use super::{Scheduler, Step};

/// The kernel's table could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// No generic netlink family of the name, and no module to provide it.
    #[error("the kernel has no IPVS")]
    Missing,
    /// The table could not be read.
    #[error("cannot read the IPVS table")]
    Read(#[source] Box<dyn Error + Send + Sync>),
    /// A step could not be sent, or whether it was carried out is unknown.
    #[error("no answer from the kernel: the change may or may not have been made")]
    Unanswered(#[source] Box<dyn Error + Send + Sync>),
    /// An earlier step went unanswered, so this one was not waited for.
    #[error("not carried out: an earlier change went unanswered")]
    Skipped,
    /// The kernel refused a step, or to be read.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl KernelError {
    /// What an operator can do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Missing => Some(
                "load it with `modprobe ip_vs`, or run a kernel built with CONFIG_IP_VS".to_owned(),
            ),
            Self::Refused(refusal) => refusal.remedy(),
            Self::Read(_) | Self::Unanswered(_) | Self::Skipped => None,
        }
    }
}

/// Why the kernel refuses a step.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// `EEXIST`
    #[error("it exists already: something else is changing the table too")]
    Exists,
    /// `ESRCH`
    #[error("the virtual service is not there: something else is changing the table too")]
    NoService,
    /// `ENOENT` on a destination.
    #[error("the destination is not there: something else is changing the table too")]
    NoDestination,
    /// `ENOENT` on a virtual service: its scheduler's module cannot be loaded.
    #[error("the kernel has no scheduler `{0}`")]
    NoScheduler(Scheduler),
    /// `EINVAL` on a destination.
    #[error(
        "the kernel takes no such destination: not a unicast address, or of another family than its service"
    )]
    BadDestination,
    /// `EINVAL` on a virtual service.
    #[error("the kernel takes no such virtual service")]
    BadService,
    /// `EAFNOSUPPORT`
    #[error("this kernel's IPVS does not know the address family")]
    Family,
    /// `EPERM`
    #[error("not permitted to use IPVS")]
    Permission,
    /// Any other error.
    #[error(transparent)]
    Other(io::Error),
}

impl Refusal {
    /// What `errno` means as the answer to `step` (`ip_vs_ctl.c` gives no extended text).
    pub fn of(errno: i32, step: &Step) -> Self {
        let scheduler = match step {
            Step::NewService(_, service) | Step::SetService(_, service) => Some(&service.scheduler),
            Step::DelService(_) | Step::NewDest(..) | Step::SetDest(..) | Step::DelDest(..) => None,
        };
        match (errno, scheduler) {
            (libc::EEXIST, _) => Self::Exists,
            (libc::ESRCH, _) => Self::NoService,
            (libc::ENOENT, Some(scheduler)) => Self::NoScheduler(scheduler.clone()),
            (libc::ENOENT, None) => Self::NoDestination,
            (libc::EINVAL, Some(_)) => Self::BadService,
            (libc::EINVAL, None) => Self::BadDestination,
            (libc::EAFNOSUPPORT, _) => Self::Family,
            (libc::EPERM, _) => Self::Permission,
            (errno, _) => Self::Other(io::Error::from_raw_os_error(errno)),
        }
    }

    /// What an operator can do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Exists | Self::NoService | Self::NoDestination => Some(
                "find what else changes IPVS on this machine (keepalived, ldirectord, kube-proxy)"
                    .to_owned(),
            ),
            Self::NoScheduler(scheduler) => {
                Some(format!("load it with `modprobe ip_vs_{scheduler}`"))
            }
            Self::BadDestination => {
                Some("a destination of the other family needs `forward = \"tunnel\"`".to_owned())
            }
            Self::Family => Some("run a kernel built with CONFIG_IP_VS_IPV6".to_owned()),
            Self::Permission => Some("give the daemon CAP_NET_ADMIN".to_owned()),
            Self::BadService | Self::Other(_) => None,
        }
    }
}
