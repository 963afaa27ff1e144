//! The daemon: threads, channels, start and stop. The only module that knows all others.

pub mod api;
pub mod balancer;
pub mod checks;
