//! One request, one answer.

use std::borrow::Cow;
use std::cell::Cell;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use regex::bytes::Regex;
use reqwest::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, Url};
use tokio::time::timeout;

use super::client::PHASE;
use super::{BodyMatch, Client, Spec};
use crate::check::{BadSpec, Failure, Outcome, Phase, Probe, Success};

/// A [`Spec`] taken apart: what is sent, and what is accepted.
#[derive(Debug)]
pub(super) struct Question {
    method: Method,
    path: String,
    headers: HeaderMap,
    status: Vec<(u16, u16)>,
    /// `status` as operators write it.
    expected: Arc<str>,
    body: Option<Condition>,
}

#[derive(Debug)]
struct Condition {
    pattern: Regex,
    /// The pattern as shown.
    wanted: Arc<str>,
    max_body: u64,
}

impl Question {
    pub(super) fn new(spec: &Spec) -> Result<Self, BadSpec> {
        let method = Method::from_bytes(spec.method.as_bytes())
            .map_err(|_| BadSpec::Method(spec.method.clone()))?;
        let example = SocketAddr::from(([127, 0, 0, 1], 80));
        let origin_form = spec.path.starts_with('/') && !spec.path.contains('#');
        if !origin_form || url(example, &spec.path).is_none() {
            return Err(BadSpec::Path(spec.path.clone()));
        }
        let body =
            spec.body.as_ref().map(|body| Condition::new(body, spec.max_body)).transpose()?;
        Ok(Self {
            method,
            path: spec.path.clone(),
            headers: headers(spec)?,
            status: spec.status.clone(),
            expected: ranges(&spec.status).into(),
            body,
        })
    }
}

impl Condition {
    fn new(body: &BodyMatch, max_body: u64) -> Result<Self, BadSpec> {
        let (expression, wanted) = match body {
            BodyMatch::Contains(text) => (Cow::Owned(regex::escape(text)), format!("{text:?}")),
            BodyMatch::Regex(text) => (Cow::Borrowed(text.as_str()), format!("/{text}/")),
        };
        let pattern = Regex::new(&expression)
            .map_err(|source| BadSpec::Regex { text: expression.clone().into_owned(), source })?;
        Ok(Self { pattern, wanted: wanted.into(), max_body })
    }
}

fn headers(spec: &Spec) -> Result<HeaderMap, BadSpec> {
    let field = |name: &str, value: &str| {
        let bad = || BadSpec::Header { name: name.to_owned(), value: value.to_owned() };
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        Ok((parsed, HeaderValue::from_str(value).map_err(|_| bad())?))
    };
    let mut headers = HeaderMap::new();
    // The connection serves one probe; let the server be the one to keep TIME_WAIT.
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    for (name, value) in &spec.headers {
        let (name, value) = field(name, value)?;
        if name == CONNECTION {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    if let Some(host) = &spec.host {
        let (name, value) = field(HOST.as_str(), host)?;
        headers.insert(name, value);
    }
    Ok(headers)
}

fn ranges(status: &[(u16, u16)]) -> String {
    let one = |&(low, high): &(u16, u16)| {
        if low == high { low.to_string() } else { format!("{low}-{high}") }
    };
    status.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn url(target: SocketAddr, path: &str) -> Option<Url> {
    let mut text = String::with_capacity(64);
    write!(text, "http://{target}{path}").ok()?;
    Url::parse(&text).ok()
}

/// An HTTP probe with everything compiled.
#[derive(Debug)]
pub struct Prepared {
    client: Client,
    question: Question,
}

impl Prepared {
    pub(super) fn new(client: Client, question: Question) -> Self {
        Self { client, question }
    }

    async fn ask(&self, target: SocketAddr) -> Outcome {
        let Question { method, path, headers, status, expected, body } = &self.question;
        let url = url(target, path).ok_or_else(|| Failure::Local(format!("bad path `{path}`")))?;
        let request = self.client.0.request(method.clone(), url).headers(headers.clone());
        let answer = request.send().await.map_err(|error| classify(&error))?;
        let got = answer.status().as_u16();
        if !status.iter().any(|&(low, high)| (low..=high).contains(&got)) {
            return Err(Failure::Status { got, expected: expected.clone() });
        }
        if let Some(condition) = body {
            PHASE.with(|phase| phase.set(Phase::Reading));
            condition.hold(answer).await?;
        }
        Ok(Success { detail: Cow::Owned(format!("HTTP {got}")) })
    }
}

impl Probe for Prepared {
    async fn probe(&self, target: SocketAddr, limit: Duration) -> Outcome {
        let asking = async {
            let late = |_| Failure::Timeout { phase: PHASE.with(Cell::get), limit };
            timeout(limit, self.ask(target)).await.map_err(late)?
        };
        PHASE.scope(Cell::new(Phase::Connecting), asking).await
    }
}

impl Condition {
    /// Reads up to the cap and looks for the pattern in that.
    async fn hold(&self, mut answer: Response) -> Result<(), Failure> {
        let cap = usize::try_from(self.max_body).unwrap_or(usize::MAX);
        let mut body = Vec::new();
        let mut truncated_at = None;
        while let Some(chunk) = answer.chunk().await.map_err(|error| classify(&error))? {
            let room = cap.saturating_sub(body.len());
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if chunk.len() >= room {
                truncated_at = Some(self.max_body);
                break;
            }
        }
        if self.pattern.is_match(&body) {
            return Ok(());
        }
        Err(Failure::Body { wanted: self.wanted.clone(), truncated_at })
    }
}

/// Finds what matters in the client's chain of causes.
fn classify(error: &reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut found = None;
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            found = Some(Failure::from_io(io));
        } else if let Some(hyper) = error.downcast_ref::<hyper::Error>() {
            if hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled() {
                return Failure::Closed;
            }
            if hyper.is_parse() {
                return Failure::BadAnswer(hyper.to_string());
            }
        }
        cause = error.source();
    }
    found.unwrap_or_else(|| Failure::Other(innermost(error)))
}

fn innermost(error: &dyn Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}
