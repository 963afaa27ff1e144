//! Diarch: a highly available pair of Linux Virtual Server directors.

pub mod address;
pub mod check;
pub mod client;
pub mod config;
pub mod daemon;
pub mod desired;
pub mod health;
pub mod ipvs;
pub mod kernel;
pub mod net;
pub mod status;
pub mod sys;
pub mod vrrp;
pub mod wire;
