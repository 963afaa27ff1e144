//! One long TCP connection to the VIP with a request each 100 ms: does it live through a fault?

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::load::body;
use crate::netns::Namespace;

const PERIOD: Duration = Duration::from_millis(100);
/// Without an answer for so long the connection counts as dead.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A running keep-alive connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Result<Fate>>>,
}

/// What became of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    pub(crate) answers: u32,
    /// The longest time from a request to its answer.
    pub(crate) longest_pause: Duration,
    /// Why it ended before its time, if it did.
    pub(crate) broken: Option<String>,
}

impl Connection {
    pub(crate) fn open(client: &Namespace, to: SocketAddrV4) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = client.spawn(move || talk(to, &stopped));
        Self { stop, thread }
    }

    pub(crate) fn close(self) -> Result<Fate> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the keep-alive client panicked"))??
    }
}

fn talk(to: SocketAddrV4, stop: &AtomicBool) -> Result<Fate> {
    let mut stream = TcpStream::connect_timeout(&to.into(), TIMEOUT)
        .context("opening a keep-alive connection")?;
    stream.set_read_timeout(Some(TIMEOUT)).context("setting a time limit")?;
    let mut fate = Fate { answers: 0, longest_pause: Duration::ZERO, broken: None };
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        if let Err(error) = ask(&mut stream) {
            fate.broken = Some(format!("{error:#}"));
            break;
        }
        fate.answers += 1;
        fate.longest_pause = fate.longest_pause.max(asked.elapsed());
        std::thread::sleep(PERIOD);
    }
    Ok(fate)
}

fn ask(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: www\r\n\r\n").context("sending a request")?;
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    while body(&answer).is_none() {
        let length = stream.read(&mut part).context("waiting for an answer")?;
        if length == 0 {
            bail!("closed by the server");
        }
        answer.extend_from_slice(&part[..length]);
    }
    Ok(())
}
