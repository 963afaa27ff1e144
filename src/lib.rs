//! Diarch: a highly available pair of Linux Virtual Server directors.

pub mod net;
