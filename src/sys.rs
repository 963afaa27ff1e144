//! Every `unsafe` block of the crate: safe signatures out, a `SAFETY:` comment on each.
#![expect(unsafe_code, reason = "what nix and socket2 do not wrap; forbidden everywhere else")]

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use socket2::{SockAddr, SockAddrStorage};
use tokio::io::unix::AsyncFd;

/// Watches a socket for tokio, by a duplicate of its descriptor: close both together.
///
/// # Errors
/// When there are no more descriptors, or it is of a kind that cannot be watched.
///
/// # Panics
/// Outside of a tokio runtime with I/O enabled.
pub fn watch(socket: BorrowedFd<'_>) -> io::Result<AsyncFd<OwnedFd>> {
    let duplicate = socket.try_clone_to_owned()?;
    // SAFETY: an `OwnedFd` is open and the same descriptor for as long as it lives, and the
    // `AsyncFd` owns this one.
    Ok(unsafe { AsyncFd::register(duplicate) }?)
}

/// The address of a packet(7) socket: frames of `ethertype` on the interface of that index.
///
/// # Errors
/// When the index is beyond what the kernel can number.
pub fn packet_address(index: u32, ethertype: u16) -> Result<SockAddr, std::num::TryFromIntError> {
    let family = libc::sa_family_t::try_from(libc::AF_PACKET)?;
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>())?;
    let index = i32::try_from(index)?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is one of the types `sockaddr_storage` is made for: smaller, no
    // stricter aligned, and valid when all zero.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = family;
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = index;
    // SAFETY: the storage holds an initialised `sockaddr_ll`, and that is its length.
    Ok(unsafe { SockAddr::new(storage, length) })
}

/// Keeps memory that was freed for the next use, instead of giving it back to the kernel page by page:
/// what reading a large configuration took serves the table made from it, and the next reload.
#[cfg(target_env = "gnu")]
pub fn keep_freed_memory() {
    const THRESHOLD: libc::c_int = 32 << 20;
    for parameter in [libc::M_MMAP_THRESHOLD, libc::M_TRIM_THRESHOLD] {
        // SAFETY: mallopt(3) sets one number under the allocator's own lock; both parameters take any
        // size. It can refuse, which leaves things as they were.
        let _refused = unsafe { libc::mallopt(parameter, THRESHOLD) };
    }
}

/// Nothing to be set: this is about the GNU C library's allocator.
#[cfg(not(target_env = "gnu"))]
pub fn keep_freed_memory() {}
