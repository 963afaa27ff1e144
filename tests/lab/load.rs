//! The client: a new TCP connection with one HTTP request each ten milliseconds, come what may.

pub(crate) mod summary;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, Socket, Type};

use crate::netns::Namespace;

/// Open loop: the next request is sent at its time, whatever became of the one before.
const PERIOD: Duration = Duration::from_millis(10);
/// A request without an answer by then is lost; less than TCP's first retransmission (1 s),
/// so that a lost SYN is a lost request.
const TIMEOUT: Duration = Duration::from_millis(500);

/// One request, with times since the lab's epoch.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) sent: Duration,
    /// When the answer came, and which server's it was.
    pub(crate) answer: Option<(Duration, String)>,
}

/// A running client.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<Mutex<Vec<Request>>>,
    thread: JoinHandle<Result<Result<()>>>,
}

impl Load {
    pub(crate) fn start(client: &Namespace, to: SocketAddrV4, epoch: Instant) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(Mutex::new(Vec::new()));
        let state = (Arc::clone(&stop), Arc::clone(&done));
        let thread = client.spawn(move || Client { to, epoch, done: state.1 }.run(&state.0));
        Self { stop, done, thread }
    }

    /// Sends no more, waits for the outstanding answers, and returns all requests in the order
    /// sent.
    pub(crate) fn stop(self) -> Result<Vec<Request>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the client panicked"))???;
        let mut requests = std::mem::take(&mut *lock(&self.done));
        requests.sort_by_key(|request| request.sent);
        Ok(requests)
    }
}

fn lock(requests: &Mutex<Vec<Request>>) -> MutexGuard<'_, Vec<Request>> {
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request on its way.
struct Pending {
    sent: Duration,
    socket: Socket,
    connected: bool,
    answer: Vec<u8>,
}

enum Progress {
    Waiting,
    Lost,
    Answered(String),
}

struct Client {
    to: SocketAddrV4,
    epoch: Instant,
    done: Arc<Mutex<Vec<Request>>>,
}

impl Client {
    fn run(&self, stop: &AtomicBool) -> Result<()> {
        let mut pending: Vec<Pending> = Vec::new();
        let mut next = self.epoch.elapsed();
        loop {
            let stopping = stop.load(Ordering::Relaxed);
            if stopping && pending.is_empty() {
                return Ok(());
            }
            let now = self.epoch.elapsed();
            if !stopping && now >= next {
                next += PERIOD;
                match connect(self.to) {
                    Ok(socket) => pending.push(Pending {
                        sent: now,
                        socket,
                        connected: false,
                        answer: Vec::new(),
                    }),
                    Err(_) => self.finish(now, None),
                }
            }
            let wait = next.saturating_sub(self.epoch.elapsed()).min(PERIOD);
            let ready = wait_for(&pending, wait)?;
            self.advance(&mut pending, &ready);
        }
    }

    /// Takes each request as far as it goes without waiting.
    fn advance(&self, pending: &mut Vec<Pending>, ready: &[bool]) {
        let mut ready = ready.iter();
        pending.retain_mut(|request| {
            let progress =
                if ready.next() == Some(&true) { request.advance() } else { Progress::Waiting };
            let now = self.epoch.elapsed();
            match progress {
                Progress::Waiting if now < request.sent + TIMEOUT => return true,
                Progress::Waiting | Progress::Lost => self.finish(request.sent, None),
                Progress::Answered(server) => self.finish(request.sent, Some((now, server))),
            }
            false
        });
    }

    fn finish(&self, sent: Duration, answer: Option<(Duration, String)>) {
        lock(&self.done).push(Request { sent, answer });
    }
}

impl Pending {
    fn advance(&mut self) -> Progress {
        if !self.connected {
            if self.socket.take_error().ok().flatten().is_some() {
                return Progress::Lost;
            }
            let request = b"GET / HTTP/1.1\r\nHost: www\r\nConnection: close\r\n\r\n";
            self.connected = true;
            return match self.socket.write_all(request) {
                Ok(()) => Progress::Waiting,
                Err(_) => Progress::Lost,
            };
        }
        let mut part = [0; 1024];
        match self.socket.read(&mut part) {
            Ok(0) => Progress::Lost,
            Ok(length) => {
                self.answer.extend_from_slice(&part[..length]);
                body(&self.answer).map_or(Progress::Waiting, Progress::Answered)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Progress::Waiting,
            Err(_) => Progress::Lost,
        }
    }
}

/// The line after the head of an answer, once it is complete.
pub(crate) fn body(answer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, body) = text.split_once("\r\n\r\n")?;
    body.strip_suffix('\n').map(str::to_owned)
}

fn connect(to: SocketAddrV4) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).context("socket")?;
    socket.set_nonblocking(true).context("making a socket non-blocking")?;
    match socket.connect(&SocketAddr::V4(to).into()) {
        Err(error) if error.raw_os_error() != Some(nix::errno::Errno::EINPROGRESS as i32) => {
            Err(error).context("connecting")
        }
        _ => Ok(socket),
    }
}

/// Which of the sockets can go on?
fn wait_for(pending: &[Pending], wait: Duration) -> Result<Vec<bool>> {
    let wanted = |request: &Pending| {
        if request.connected { PollFlags::POLLIN } else { PollFlags::POLLOUT }
    };
    let mut sockets: Vec<PollFd<'_>> = pending
        .iter()
        .map(|request| PollFd::new(request.socket.as_fd(), wanted(request)))
        .collect();
    // Rounded up: polling with 0 ms in the last millisecond would burn the only processor.
    let wait = PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::ZERO);
    poll(&mut sockets, wait).context("waiting for answers")?;
    Ok(sockets.iter().map(|socket| socket.any() == Some(true)).collect())
}
