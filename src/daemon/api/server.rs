//! Connections: accepted up to a limit, each with a bounded life.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::unistd::{Uid, User};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::patience::Patience;
use super::routes;
use super::sockets::{Listener, Sockets, give_to_group};
use super::{ApiError, Request};
use crate::status::Actor;

/// Connections at a time, per socket: so many readers are never needed, and each costs memory.
const CONNECTIONS: usize = 64;
/// Longest head of a request, bytes.
const HEAD_LIMIT: usize = 64 * 1024;
/// Time for a client to send the head of its request.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// Time after which a peer that takes no byte is dropped.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);
/// Longest life of a connection that is no stream: more than the slowest order takes.
const LIFE: Duration = Duration::from_secs(90);
/// Time for streams to bring out their last lines when the daemon stops.
const FAREWELL: Duration = Duration::from_millis(250);
/// Pause after a failed `accept`: descriptors may be short, and spinning would not help.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Time to find a user's name: directories of users may be far away.
const NAME_TIME: Duration = Duration::from_secs(1);

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 112\r\n\r\n\
    {\"type\":\"urn:diarch:busy\",\"title\":\"busy\",\"status\":503,\"detail\":\"too many connections at a time\",\"refused\":null}\n";

impl Sockets {
    /// Starts to answer clients with what the hub says, in a task of the current runtime.
    ///
    /// # Errors
    /// The sockets cannot be used by the runtime.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn serve(self, requests: mpsc::Sender<Request>) -> Result<Serving, ApiError> {
        let Self { status, admin, _lock: lock } = self;
        let path = admin.path.clone();
        // Not awaited: neither the election nor a client has to wait for it.
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = give_to_group(&path) {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "admin socket has no group"
                );
            }
        }));
        let status = Door::new(status, Access::Questions)?;
        let admin = Door::new(admin, Access::Orders)?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            receive(status, admin, requests).await;
            drop(lock);
        });
        Ok(Serving { task })
    }
}

/// The sockets at work. Dropping it ends every connection and removes the socket files.
#[derive(Debug)]
#[must_use = "dropping it ends the service"]
pub struct Serving {
    task: JoinSet<()>,
}

impl Serving {
    /// Waits for the end, which begins when the hub drops its receiver of [`Request`]s: the socket
    /// files go, and streams have 250 ms to bring out their last lines.
    pub async fn finish(mut self) {
        while self.task.join_next().await.is_some() {}
    }
}

/// Takes clients until the hub has gone.
async fn receive(status: Door, admin: Door, requests: mpsc::Sender<Request>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // Stopping first; then admin, so that questions cannot starve orders. All are cancel safe.
            biased;
            () = requests.closed() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            client = admin.next() => admit(client, &requests, &mut connections),
            client = status.next() => admit(client, &requests, &mut connections),
        }
    }
    drop((status, admin));
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(FAREWELL, all).await.is_err() {
        connections.shutdown().await;
    }
}

fn admit(
    client: Option<(UnixStream, Client, OwnedSemaphorePermit)>,
    requests: &mpsc::Sender<Request>,
    connections: &mut JoinSet<()>,
) {
    if let Some((stream, client, permit)) = client {
        let requests = requests.clone();
        connections.spawn(async move {
            converse(stream, client, requests).await;
            drop(permit);
        });
    }
}

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Questions,
    Orders,
}

/// One socket, its limit, and its file, which goes when this goes.
struct Door {
    socket: UnixListener,
    places: Arc<Semaphore>,
    access: Access,
    _file: Listener,
}

impl Door {
    fn new(file: Listener, access: Access) -> Result<Self, ApiError> {
        let usable = file.socket.try_clone().and_then(UnixListener::from_std);
        let socket =
            usable.map_err(|source| ApiError::Listen { path: file.path.clone(), source })?;
        Ok(Self { socket, places: Arc::new(Semaphore::new(CONNECTIONS)), access, _file: file })
    }

    /// The next client that gets a place; `None` when there was one that got none. Cancel safe.
    async fn next(&self) -> Option<(UnixStream, Client, OwnedSemaphorePermit)> {
        let stream = match self.socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "client cannot be accepted");
                sleep(ACCEPT_PAUSE).await;
                return None;
            }
        };
        let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() else {
            turn_away(&stream);
            return None;
        };
        let uid = stream.peer_cred().ok()?.uid();
        Some((stream, Client { access: self.access, uid, streams: Arc::default() }, permit))
    }
}

/// Tells a client that there is no place; one that cannot even hear that is just dropped.
fn turn_away(stream: &UnixStream) {
    if let Err(error) = stream.try_write(FULL) {
        tracing::debug!(%error, "client turned away without a word");
    }
}

/// The one at the other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Client {
    access: Access,
    uid: u32,
    /// Its connection has become a stream.
    streams: Arc<AtomicBool>,
}

impl Client {
    /// Whether it may give orders.
    pub(super) fn is_admin(&self) -> bool {
        self.access == Access::Orders
    }

    /// Lets its connection live longer than [`LIFE`].
    pub(super) fn keep_open(&self) {
        self.streams.store(true, Ordering::Relaxed);
    }

    /// Who it is, for the record.
    pub(super) async fn actor(&self) -> Actor {
        let uid = self.uid;
        let find = tokio::task::spawn_blocking(move || User::from_uid(Uid::from_raw(uid)));
        match timeout(NAME_TIME, find).await {
            Ok(Ok(Ok(Some(user)))) => Actor::peer(uid, Some(&user.name)),
            _ => Actor::peer(uid, None),
        }
    }
}

async fn converse(stream: UnixStream, client: Client, requests: mpsc::Sender<Request>) {
    let streams = Arc::clone(&client.streams);
    let service = service_fn(move |request| {
        let (client, requests) = (client.clone(), requests.clone());
        async move { Ok::<_, Infallible>(routes::answer(&client, &requests, request).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HEAD_LIMIT)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(Patience::new(stream, WRITE_PATIENCE)), service);
    let mut connection = pin!(connection);
    let end = match timeout(LIFE, connection.as_mut()).await {
        Ok(end) => end,
        Err(_) if streams.load(Ordering::Relaxed) => connection.await,
        Err(_) => return,
    };
    if let Err(error) = end {
        tracing::debug!(%error, "connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::FULL;

    #[test]
    fn the_answer_to_one_too_many_states_its_own_length() {
        let text = std::str::from_utf8(FULL).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
        serde_json::from_str::<crate::status::ProblemDocument>(body).unwrap();
    }
}
