//! The kernel's load-balancing table (IPVS): what it can hold, and how to get from one table to another.

mod error;
mod model;
mod plan;
mod sync;
pub(crate) mod wire;

pub use error::{KernelError, Refusal};
pub use model::{
    Connections, Destination, DestinationKey, Forwarding, Protocol, Scheduler, Service, ServiceKey,
    Table, Traffic, UnknownScheduler, VirtualService,
};
pub use plan::{Altered, Desired, Plan, Step, plan};
pub use sync::{Kernel, Observed, Report, sync};
