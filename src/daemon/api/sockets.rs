//! The socket files: who may hold them, who may connect.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Group;
use socket2::{Domain, SockAddr, Socket, Type};

/// For questions, by anybody.
pub(super) const STATUS: &str = "status.sock";
/// For orders, by [`ADMIN_GROUP`].
pub(super) const ADMIN: &str = "admin.sock";
const LOCK: &str = "diarch.lock";
/// Members may connect to `admin.sock`, where the group exists.
const ADMIN_GROUP: &str = "diarch";
/// Connections the kernel holds until we accept them.
const BACKLOG: i32 = 64;

/// Why the sockets cannot be had.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ApiError {
    #[error("cannot create the runtime directory {}", .path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot lock {}", .path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("another diarch daemon is running with the runtime directory {}", .directory.display())]
    AlreadyRunning { directory: PathBuf },
    #[error("{} is in the way: it is not a socket", .path.display())]
    NotASocket { path: PathBuf },
    #[error("cannot remove the stale socket {}", .path.display())]
    Stale { path: PathBuf, source: io::Error },
    #[error("cannot listen on {}", .path.display())]
    Listen { path: PathBuf, source: io::Error },
    #[error("cannot set owner and mode of {}", .path.display())]
    Mode { path: PathBuf, source: io::Error },
}

/// Both sockets, listening. Dropping it removes their files.
#[derive(Debug)]
pub struct Sockets {
    pub(super) status: Listener,
    pub(super) admin: Listener,
    /// Held as long as the sockets are: the one thing two daemons cannot both have.
    pub(super) _lock: Flock<File>,
}

/// One listening socket and its file.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: UnixListener,
    pub(super) path: PathBuf,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "socket file not removed");
        }
    }
}

/// Listens on both sockets in `runtime_dir`, which is created where it is missing.
///
/// A socket left by a daemon that was killed is taken over.
///
/// # Errors
/// Another daemon uses the directory, or the files cannot be made.
pub fn bind(runtime_dir: &Path) -> Result<Sockets, ApiError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(runtime_dir)
        .map_err(|source| ApiError::Directory { path: runtime_dir.to_owned(), source })?;
    let lock = lock(runtime_dir)?;
    let running = || ApiError::AlreadyRunning { directory: runtime_dir.to_owned() };
    for name in [STATUS, ADMIN] {
        if occupied(&runtime_dir.join(name))? {
            return Err(running());
        }
    }
    let status = listen(runtime_dir.join(STATUS), 0o666)?;
    let admin = listen(runtime_dir.join(ADMIN), 0o660)?;
    start_listening(&status)?;
    start_listening(&admin)?;
    Ok(Sockets { status, admin, _lock: lock })
}

/// The lock file stays behind when the daemon ends: removing it would let two daemons lock two files.
fn lock(runtime_dir: &Path) -> Result<Flock<File>, ApiError> {
    let path = runtime_dir.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|source| ApiError::Lock { path: path.clone(), source })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
        if errno == Errno::EWOULDBLOCK {
            ApiError::AlreadyRunning { directory: runtime_dir.to_owned() }
        } else {
            ApiError::Lock { path, source: errno.into() }
        }
    })
}

/// Whether somebody listens at `path`; removes a socket nobody listens at.
fn occupied(path: &Path) -> Result<bool, ApiError> {
    match fs::symlink_metadata(path) {
        Err(_) => return Ok(false),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ApiError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
        // Connected, or a full backlog, or no permission: somebody may well be there.
        Ok(_) | Err(_) => return Ok(true),
    }
    fs::remove_file(path).map_err(|source| ApiError::Stale { path: path.to_owned(), source })?;
    Ok(false)
}

/// Bound but not listening yet: nobody connects before the mode is right.
fn listen(path: PathBuf, mode: u32) -> Result<Listener, ApiError> {
    let bound = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        socket.bind(&SockAddr::unix(&path)?)?;
        Ok(socket)
    };
    let socket = bound().map_err(|source| ApiError::Listen { path: path.clone(), source })?;
    let listener = Listener { socket: socket.into(), path };
    fs::set_permissions(&listener.path, Permissions::from_mode(mode))
        .map_err(|source| ApiError::Mode { path: listener.path.clone(), source })?;
    Ok(listener)
}

fn start_listening(listener: &Listener) -> Result<(), ApiError> {
    socket2::SockRef::from(&listener.socket)
        .listen(BACKLOG)
        .map_err(|source| ApiError::Listen { path: listener.path.clone(), source })
}

/// Hands the file to [`ADMIN_GROUP`], where it exists and we may. Until then the socket is ours alone.
///
/// Blocks, for as long as the directory of users and groups takes to answer: on a machine that keeps it
/// elsewhere (LDAP), and has lost its network, for minutes.
pub(super) fn give_to_group(path: &Path) -> Result<(), ApiError> {
    let failed = |errno: Errno| ApiError::Mode { path: path.to_owned(), source: errno.into() };
    let Some(group) = Group::from_name(ADMIN_GROUP).map_err(failed)? else { return Ok(()) };
    let present =
        fs::metadata(path).map_err(|source| ApiError::Mode { path: path.to_owned(), source })?;
    if present.gid() == group.gid.as_raw() {
        // As under our unit, which forbids chown(2).
        return Ok(());
    }
    match nix::unistd::chown(path, None, Some(group.gid)) {
        // Not root and not a member: the socket stays ours alone, which is the safe side.
        Err(Errno::EPERM) => {
            tracing::warn!(path = %path.display(), group = ADMIN_GROUP, "may not give the socket to its group");
            Ok(())
        }
        other => other.map_err(failed),
    }
}
