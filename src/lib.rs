//! Diarch: a highly available pair of Linux Virtual Server directors. This page is the architecture.
//!
//! # What it does, in one minute
//!
//! Two machines, the *directors*, run the same daemon with the same configuration. A VRRP election
//! (RFC 9568) decides which of them is **Active** and holds the virtual IP addresses (VIPs). Both check
//! the real servers and keep their kernel's IPVS table equal to what should be there, so that a failover
//! only has to move addresses. Connections are balanced by the kernel: nothing here touches a packet of a
//! client.
//!
//! ```text
//!  files ──► config ─────────────┬───────────────────────────────┐
//!                                │                               │
//!            ┌───────────────────▼──┐ reports  ┌─────┐ requests ┌▼────┐
//!  packets ─►│ election             ├─────────►│ hub │◄─────────┤ api │◄── status.sock, admin.sock
//!  link ────►│  vrrp, address       │◄─────────┤     │          └─────┘
//!            └──┬───────────────────┘ configure│     │
//!               │ rtnetlink, ARP               │     │ desired table   ┌──────────┐
//!               ▼                     reports  │     ├────────────────►│ balancer │──► IPVS
//!            VIPs on interfaces     ┌─────────►│     │◄────────────────┤          │◄── (generic netlink)
//!                                   │          └──┬──┘ observed, drift └──────────┘
//!                            ┌──────┴─┐ configure │
//!  real servers ◄── probes ──┤ checks │◄──────────┘
//!                            └────────┘
//! ```
//!
//! # Threads
//!
//! | thread | runs | waits for | must never |
//! | --- | --- | --- | --- |
//! | main | [`daemon`]'s hub and [`daemon::api`]: one tokio runtime | reports, requests, signals | hold up anybody else: all it owes others is small messages |
//! | `election` | [`daemon::election`]: a runtime of its own | VRRP packets, timers, link changes | await anything slow; a late advertisement is a failover |
//! | `checks` | [`daemon::checks`]: a runtime of its own | sockets of probes, timers | block |
//! | `balancer` | [`daemon::balancer`]: plain blocking loop | a new desired table, or the next look at the kernel | — (it may block: IPVS dumps are slow, which is why it is alone) |
//!
//! No thread goes on without the others. One that panics closes its queue to the hub, which then stops the
//! daemon as SIGTERM would, only with an error: the VIPs are handed over (the election gives them up even
//! when it is the one to panic, or when main does), the IPVS table stays, and the service manager starts a
//! whole daemon again. A check that panics is no such case: it is started anew.
//!
//! Every queue between them is either a `watch` (the latest state wins) or bounded with its depth
//! explained at the constant. The hub alone believes: it owns what is known of real servers, the event
//! log, and the decision what the kernel should hold.
//!
//! # Layers
//!
//! `tests/layers.rs` holds this table. ● pure (no clock, no I/O, no async, no logging) · ○ effects.
//!
//! | module | | is | may use |
//! | --- | --- | --- | --- |
//! | [`net`] | ● | values everyone shares | – |
//! | [`vrrp`] | ● | RFC 9568: packets, timers, the state machine | `net` |
//! | [`address`] | ● | which VIPs to add and remove; ARP as bytes | `net` |
//! | [`ipvs`] | ● | the kernel's table as values; from one table to another | `net` |
//! | [`health`] | ● | from probe results to belief | – |
//! | [`check`] | ○ | probes, one file a kind | `net` |
//! | [`config`] | ● | files to domain values, or every mistake (`config::load` reads the files ○) | `vrrp`, `health`, `check`, `ipvs`, `net` |
//! | [`desired`] | ● | configuration and belief to the table the kernel should hold | `config`, `ipvs` |
//! | [`status`] | ● | the JSON that leaves the process, and nothing else does | – |
//! | [`kernel`] | ○ | rtnetlink and IPVS over generic netlink | `ipvs`, `address`, `net`, `sys` |
//! | [`wire`] | ○ | raw VRRP sockets, ARP packet sockets | `vrrp`, `address`, `net`, `sys` |
//! | [`sys`] | ○ | every `unsafe` block | – |
//! | [`daemon`] | ○ | threads, channels, start and stop | everything above |
//! | [`client`] | ○ | asks a running daemon | `status` |
//! | [`cli`] | ○ | the command line | `daemon`, `client`, `config`, `status` |
//!
//! # Invariants
//!
//! 1. The kernel is changed only by a plan: *desired* minus *observed*, computed by a pure function, for
//!    addresses as for IPVS. What another program changes is therefore repaired without code of its own.
//! 2. Nothing removes a working virtual service or a healthy real server from the kernel but the
//!    configuration saying so or a check failing: not start, stop, crash or reload.
//! 3. A VIP is on an interface only while its virtual router is Active (or finds out, right after a
//!    crash, whether it still is). It leaves before priority 0 is sent.
//! 4. A reload has no path of its own: the new configuration is published, and every part compares it
//!    with what it runs. What compares equal is not touched. A configuration with a mistake is never
//!    published.
//! 5. Time enters pure code as an argument. States own their timers.
//! 6. Bad input is counted, reported with place and cause, and changes nothing.
//!
//! # Where to begin reading
//!
//! [`vrrp`] for the election, [`desired`] and [`ipvs`] for the table, [`daemon`] for how it is wired. The
//! lab in `tests/lab` boots all of it on real IPVS.

pub mod address;
pub mod check;
pub mod cli;
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
