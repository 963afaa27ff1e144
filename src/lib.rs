//! Diarch: a highly available pair of Linux Virtual Server directors.

pub mod address;
pub mod net;
pub mod vrrp;
