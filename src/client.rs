//! Client of the daemon's Unix sockets: one connection per request, each with a deadline.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::status::{Event, ProblemDocument, ReloadAnswer, Reloaded, Status};

/// Time for the daemon to answer a question.
pub const QUESTION_TIME: Duration = Duration::from_secs(6);
/// Time for the daemon to carry out an order.
pub const ORDER_TIME: Duration = Duration::from_secs(65);
/// Longest answer read, and longest line of a stream, bytes: beyond any real one.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ClientError {
    #[error("diarch is not running: no answer on {}", .socket.display())]
    NotRunning { socket: PathBuf, source: io::Error },
    #[error("may not connect to {}", .socket.display())]
    Denied { socket: PathBuf, source: io::Error },
    #[error("cannot connect to {}", .socket.display())]
    Connect { socket: PathBuf, source: io::Error },
    #[error("no answer on {} within {} s", .socket.display(), .limit.as_secs())]
    TimedOut { socket: PathBuf, limit: Duration },
    #[error("the connection to {} broke", .socket.display())]
    Broken { socket: PathBuf, source: hyper::Error },
    #[error("the daemon refused: {}", .0.detail.as_deref().unwrap_or(&.0.title))]
    Refused(Box<ProblemDocument>),
    #[error("the answer on {} cannot be understood: is it diarch that listens there?", .socket.display())]
    NotUnderstood { socket: PathBuf, source: Option<serde_json::Error> },
}

/// The sockets of one daemon.
#[derive(Debug, Clone)]
pub struct Client {
    questions: PathBuf,
    orders: PathBuf,
}

impl Client {
    /// A client of the daemon whose sockets are in `runtime_dir`. Connects to nothing yet.
    pub fn new(runtime_dir: &Path) -> Self {
        Self { questions: runtime_dir.join("status.sock"), orders: runtime_dir.join("admin.sock") }
    }

    /// The status document, and its text as the daemon wrote it.
    ///
    /// # Errors
    /// No daemon, no time, no sense.
    pub async fn status(&self) -> Result<(Status, String), ClientError> {
        let text = self.question("/v1/status").await?;
        Ok((parse(&self.questions, &text)?, text))
    }

    /// The newest kept events, at most `last`, oldest first.
    ///
    /// # Errors
    /// No daemon, no time, no sense.
    pub async fn events(&self, last: usize) -> Result<Vec<EventLine>, ClientError> {
        let text = self.question(&format!("/v1/events?n={last}")).await?;
        text.lines().map(|line| EventLine::parse(&self.questions, line)).collect()
    }

    /// The present state, the newest `last` events, and all to come.
    ///
    /// # Errors
    /// No daemon, no time, no sense.
    pub async fn follow(&self, last: usize) -> Result<EventStream, ClientError> {
        let target = format!("/v1/events?follow=1&n={last}");
        let begin = Exchange::begin(&self.questions, Method::GET, &target);
        let exchange = within(&self.questions, QUESTION_TIME, begin).await?;
        if exchange.status != StatusCode::OK {
            let text = within(&self.questions, QUESTION_TIME, exchange.read()).await?;
            return Err(refusal(&self.questions, &text));
        }
        Ok(EventStream { exchange, unread: Vec::new() })
    }

    /// Has the daemon read its files again and apply them.
    ///
    /// # Errors
    /// No daemon, no right, no time, no sense. A refused configuration is an answer, no error.
    pub async fn reload(&self) -> Result<ReloadAnswer, ClientError> {
        let (status, text) = whole(&self.orders, ORDER_TIME, Method::POST, "/v1/reload").await?;
        if status == StatusCode::OK {
            return Ok(ReloadAnswer::Applied(parse::<Reloaded>(&self.orders, &text)?));
        }
        match parse::<ProblemDocument>(&self.orders, &text)? {
            ProblemDocument { refused: Some(refused), .. } => Ok(ReloadAnswer::Refused(refused)),
            problem => Err(ClientError::Refused(Box::new(problem))),
        }
    }

    async fn question(&self, target: &str) -> Result<String, ClientError> {
        match whole(&self.questions, QUESTION_TIME, Method::GET, target).await? {
            (StatusCode::OK, text) => Ok(text),
            (_, text) => Err(refusal(&self.questions, &text)),
        }
    }
}

/// An event, and its text as the daemon wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLine {
    /// What it says.
    pub event: Event,
    /// One line of JSON, without its end.
    pub text: String,
}

impl EventLine {
    fn parse(socket: &Path, line: &str) -> Result<Self, ClientError> {
        Ok(Self { event: parse(socket, line)?, text: line.to_owned() })
    }
}

/// Events as they happen.
#[derive(Debug)]
pub struct EventStream {
    exchange: Exchange,
    unread: Vec<u8>,
}

impl EventStream {
    /// The next event, however long it takes; `None` when the daemon ends the stream: it stops, or
    /// we were too slow. Cancel safe.
    ///
    /// # Errors
    /// The connection breaks, or makes no sense.
    pub async fn next(&mut self) -> Result<Option<EventLine>, ClientError> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line);
                return EventLine::parse(&self.exchange.socket, text.trim_end()).map(Some);
            }
            match self.exchange.data().await? {
                Some(bytes) if self.unread.len() < ANSWER_LIMIT => {
                    self.unread.extend_from_slice(&bytes);
                }
                Some(_) => return Err(self.exchange.not_understood()),
                None => return Ok(None),
            }
        }
    }
}

/// One request and its answer, as far as it was read. Dropping it closes the connection.
#[derive(Debug)]
struct Exchange {
    socket: PathBuf,
    status: StatusCode,
    body: Incoming,
    /// Drives the connection.
    _connection: JoinSet<()>,
}

impl Exchange {
    async fn begin(socket: &Path, method: Method, target: &str) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(socket)
            .await
            .map_err(|error| ClientError::connect(socket, error))?;
        let broken = |source| ClientError::Broken { socket: socket.to_owned(), source };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
        });
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().unwrap_or_default();
        request.headers_mut().insert(HOST, HeaderValue::from_static("diarch"));
        let response = sender.send_request(request).await.map_err(broken)?;
        Ok(Self {
            socket: socket.to_owned(),
            status: response.status(),
            body: response.into_body(),
            _connection: driver,
        })
    }

    /// The next piece of the body. Cancel safe.
    async fn data(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            let broken = |source| ClientError::Broken { socket: self.socket.clone(), source };
            if let Ok(data) = frame.map_err(broken)?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// The whole body.
    async fn read(mut self) -> Result<String, ClientError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.data().await? {
            if bytes.len() > ANSWER_LIMIT {
                return Err(self.not_understood());
            }
            bytes.extend_from_slice(&piece);
        }
        String::from_utf8(bytes).map_err(|_| self.not_understood())
    }

    fn not_understood(&self) -> ClientError {
        ClientError::NotUnderstood { socket: self.socket.clone(), source: None }
    }
}

impl ClientError {
    fn connect(socket: &Path, source: io::Error) -> Self {
        let socket = socket.to_owned();
        let kind = source.kind();
        if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
            Self::NotRunning { socket, source }
        } else if kind == io::ErrorKind::PermissionDenied {
            Self::Denied { socket, source }
        } else {
            Self::Connect { socket, source }
        }
    }

    /// Whether time ran out, here or in the daemon.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::Refused(problem) => problem.status == StatusCode::GATEWAY_TIMEOUT.as_u16(),
            Self::NotRunning { .. }
            | Self::Denied { .. }
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::NotUnderstood { .. } => false,
        }
    }
}

async fn whole(
    socket: &Path,
    limit: Duration,
    method: Method,
    target: &str,
) -> Result<(StatusCode, String), ClientError> {
    let exchange = async {
        let exchange = Exchange::begin(socket, method, target).await?;
        Ok((exchange.status, exchange.read().await?))
    };
    within(socket, limit, exchange).await
}

async fn within<T>(
    socket: &Path,
    limit: Duration,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    match timeout(limit, work).await {
        Ok(end) => end,
        Err(_) => Err(ClientError::TimedOut { socket: socket.to_owned(), limit }),
    }
}

fn parse<T: DeserializeOwned>(socket: &Path, text: &str) -> Result<T, ClientError> {
    serde_json::from_str(text).map_err(|source| ClientError::NotUnderstood {
        socket: socket.to_owned(),
        source: Some(source),
    })
}

/// What an answer that is not the one asked for says.
fn refusal(socket: &Path, text: &str) -> ClientError {
    match parse::<ProblemDocument>(socket, text) {
        Ok(problem) => ClientError::Refused(Box::new(problem)),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests;
