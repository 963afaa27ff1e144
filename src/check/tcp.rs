//! `type = "tcp"`: the real server accepts a connection.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::{Failure, Outcome, Phase, Probe, Success};

/// What to ask. A bare connect has nothing to set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Spec {}

impl Spec {
    /// Makes the probe.
    #[expect(clippy::unused_self, reason = "the same call for every kind")]
    pub(super) fn prepare(&self) -> Prepared {
        Prepared(())
    }
}

/// A handshake, then a reset.
#[derive(Debug)]
pub struct Prepared(());

impl Probe for Prepared {
    async fn probe(&self, target: SocketAddr, limit: Duration) -> Outcome {
        match timeout(limit, connect(target)).await {
            Ok(Ok(())) => Ok(Success { detail: Cow::Borrowed("connected") }),
            Ok(Err(error)) => Err(Failure::from_io(&error)),
            Err(_) => Err(Failure::Timeout { phase: Phase::Connecting, limit }),
        }
    }
}

async fn connect(target: SocketAddr) -> io::Result<()> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Close with RST: no TIME_WAIT piles up at a thousand probes a second.
    socket.set_zero_linger()?;
    drop(socket.connect(target).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    /// For what never comes.
    const LIMIT: Duration = Duration::from_millis(300);
    /// For what comes at once, on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_listener_passes_and_sees_the_connection_reset() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address).await else {
                assert_eq!(address, "[::1]:0", "a machine may lack IPv6, not IPv4");
                continue;
            };
            let target = listener.local_addr().unwrap();
            let outcome = Spec {}.prepare().probe(target, PATIENCE).await;
            assert_eq!(outcome.unwrap().detail, "connected");
            let (mut stream, _) = listener.accept().await.unwrap();
            let error = stream.read(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        }
    }

    #[tokio::test]
    async fn a_closed_port_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        drop(listener);
        let failure = Spec {}.prepare().probe(target, PATIENCE).await.unwrap_err();
        assert_eq!(
            (failure.code(), failure.to_string().as_str()),
            ("connect_refused", "connection refused")
        );
    }

    #[tokio::test]
    async fn a_server_that_takes_no_more_connections_ends_at_the_deadline() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let target = listener.local_addr().unwrap();
        // The queue of never accepted connections is full after a few; then SYNs are dropped.
        let mut held = Vec::new();
        while let Ok(stream) = timeout(LIMIT, tokio::net::TcpStream::connect(target)).await {
            held.push(stream.unwrap());
            assert!(held.len() < 10, "the queue never fills");
        }
        let failure = Spec {}.prepare().probe(target, LIMIT).await.unwrap_err();
        assert_eq!(failure.code(), "connect_timeout");
        assert_eq!(failure.to_string(), "no connection within 300ms");
    }
}
