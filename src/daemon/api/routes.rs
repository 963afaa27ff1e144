//! One request, one answer.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::lines::{self, Lines};
use super::server::Client;
use super::{EventsAnswer, Request};
use crate::status::{ProblemDocument, ReloadAnswer};

/// What goes back.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// Longest body of a request, bytes.
const BODY_LIMIT: usize = 64 * 1024;
/// Time for a client to send its body.
const BODY_TIME: Duration = Duration::from_secs(5);
/// Time for the hub to answer a question: it only copies.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Time for a reload: it reads files and waits for the kernel.
const RELOAD_TIME: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Status,
    Events,
    Live,
    Ready,
    Reload,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/v1/status" => Some(Self::Status),
            "/v1/events" => Some(Self::Events),
            "/livez" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            "/v1/reload" => Some(Self::Reload),
            _ => None,
        }
    }

    const fn method(self) -> Method {
        match self {
            Self::Status | Self::Events | Self::Live | Self::Ready => Method::GET,
            Self::Reload => Method::POST,
        }
    }
}

/// Answers `request`, always: whatever goes wrong is an answer too.
pub(super) async fn answer(
    client: &Client,
    requests: &mpsc::Sender<Request>,
    request: hyper::Request<Incoming>,
) -> Answer {
    let Some(route) = Route::of(request.uri().path()) else {
        return refuse(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path");
    };
    if *request.method() != route.method() {
        return wrong_method(route);
    }
    match route {
        Route::Status => match ask(requests, ANSWER_TIME, Request::Status).await {
            Ok(status) => json(StatusCode::OK, "application/json", &*status),
            Err(refusal) => refusal,
        },
        Route::Events => events(client, requests, request.uri().query()).await,
        Route::Live => health(ask(requests, ANSWER_TIME, Request::Live).await),
        Route::Ready => health(ask(requests, ANSWER_TIME, Request::Ready).await),
        Route::Reload => reload(client, requests, request.into_body()).await,
    }
}

/// Puts one question to the hub. `Err` is the answer for the client when the hub gives none.
async fn ask<T>(
    requests: &mpsc::Sender<Request>,
    limit: Duration,
    question: impl FnOnce(oneshot::Sender<T>) -> Request,
) -> Result<T, Answer> {
    let (reply, answer) = oneshot::channel();
    let exchange = async {
        requests.send(question(reply)).await.ok()?;
        answer.await.ok()
    };
    match timeout(limit, exchange).await {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => {
            Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the daemon is stopping"))
        }
        Err(_) => {
            let detail = format!("the daemon did not answer within {} s", limit.as_secs());
            Err(refuse(StatusCode::GATEWAY_TIMEOUT, "timed-out", &detail))
        }
    }
}

fn health(found: Result<Result<(), String>, Answer>) -> Answer {
    match found {
        Ok(Ok(())) => {
            whole(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from_static(b"ok\n"))
        }
        Ok(Err(why)) => refuse(StatusCode::SERVICE_UNAVAILABLE, "not-healthy", &why),
        Err(refusal) => refusal,
    }
}

async fn events(client: &Client, requests: &mpsc::Sender<Request>, query: Option<&str>) -> Answer {
    let query = match EventsQuery::parse(query.unwrap_or_default()) {
        Ok(query) => query,
        Err(detail) => return refuse(StatusCode::BAD_REQUEST, "bad-request", &detail),
    };
    let EventsQuery { follow, since, mut last } = query;
    if follow && since.is_none() && last.is_none() {
        // A stream begins with the present state; the past is for those who ask for it.
        last = Some(0);
    }
    let question = |reply| Request::Events { since, last, reply };
    let found: EventsAnswer = match ask(requests, ANSWER_TIME, question).await {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let body = if follow {
        client.keep_open();
        Lines::follow(found).boxed_unsync()
    } else {
        Full::new(lines::list(&found)).boxed_unsync()
    };
    respond(StatusCode::OK, "application/x-ndjson", body)
}

/// Parameters of `GET /v1/events`.
#[derive(Debug, Default, PartialEq, Eq)]
struct EventsQuery {
    follow: bool,
    since: Option<u64>,
    last: Option<usize>,
}

impl EventsQuery {
    fn parse(query: &str) -> Result<Self, String> {
        let mut parsed = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let bad = |expected: &str| format!("`{name}` expects {expected}, not `{value}`");
            match name {
                "follow" => match value {
                    "1" | "true" => parsed.follow = true,
                    "0" | "false" => parsed.follow = false,
                    _ => return Err(bad("0 or 1")),
                },
                "since" => {
                    parsed.since = Some(value.parse().map_err(|_| bad("the id of an event"))?);
                }
                "n" => parsed.last = Some(value.parse().map_err(|_| bad("a number of events"))?),
                _ => return Err(format!("unknown parameter `{name}`: follow, since, n")),
            }
        }
        Ok(parsed)
    }
}

async fn reload(client: &Client, requests: &mpsc::Sender<Request>, body: Incoming) -> Answer {
    if !client.is_admin() {
        let detail = "this socket only answers questions; orders go to admin.sock";
        return refuse(StatusCode::FORBIDDEN, "read-only", detail);
    }
    if let Err(refusal) = no_parameters(body).await {
        return refusal;
    }
    let actor = client.actor().await;
    match ask(requests, RELOAD_TIME, |reply| Request::Reload { actor, reply }).await {
        Ok(ReloadAnswer::Applied(reloaded)) => json(StatusCode::OK, "application/json", &reloaded),
        Ok(ReloadAnswer::Refused(refused)) => problem(&ProblemDocument {
            kind: "urn:diarch:configuration-refused".to_owned(),
            title: "the configuration was refused".to_owned(),
            status: StatusCode::UNPROCESSABLE_ENTITY.as_u16(),
            detail: Some(format!("the daemon keeps running on {}", refused.digest)),
            refused: Some(refused),
        }),
        Err(refusal) => refusal,
    }
}

/// Reads the body of an order that takes no parameters: nothing, or an empty JSON object.
async fn no_parameters(body: Incoming) -> Result<(), Answer> {
    let too_large = || {
        let detail = format!("the body is longer than {BODY_LIMIT} bytes");
        refuse(StatusCode::PAYLOAD_TOO_LARGE, "too-large", &detail)
    };
    if body.size_hint().lower() > BODY_LIMIT as u64 {
        return Err(too_large());
    }
    let bad = |detail: &str| refuse(StatusCode::BAD_REQUEST, "bad-request", detail);
    match timeout(BODY_TIME, Limited::new(body, BODY_LIMIT).collect()).await {
        Err(_) => Err(refuse(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body did not arrive")),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(bad("the body cannot be read")),
        Ok(Ok(body)) => match body.to_bytes().trim_ascii() {
            b"" | b"{}" => Ok(()),
            _ => Err(bad("this order takes no parameters: send no body, or {}")),
        },
    }
}

fn wrong_method(route: Route) -> Answer {
    let method = route.method();
    let detail = format!("this path only answers {method}");
    let mut answer = refuse(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", &detail);
    if let Ok(value) = HeaderValue::from_str(method.as_str()) {
        answer.headers_mut().insert(ALLOW, value);
    }
    answer
}

fn refuse(status: StatusCode, kind: &str, detail: &str) -> Answer {
    problem(&ProblemDocument {
        kind: format!("urn:diarch:{kind}"),
        title: kind.replace('-', " "),
        status: status.as_u16(),
        detail: Some(detail.to_owned()),
        refused: None,
    })
}

fn problem(document: &ProblemDocument) -> Answer {
    let status = StatusCode::from_u16(document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, "application/problem+json", document)
}

fn json(status: StatusCode, content_type: &'static str, value: &impl Serialize) -> Answer {
    match serde_json::to_vec(value) {
        Ok(mut text) => {
            text.push(b'\n');
            whole(status, content_type, text.into())
        }
        Err(error) => {
            tracing::error!(%error, "answer cannot be written as JSON");
            whole(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", Bytes::new())
        }
    }
}

fn whole(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    respond(status, content_type, Full::new(body).boxed_unsync())
}

fn respond(
    status: StatusCode,
    content_type: &'static str,
    body: UnsyncBoxBody<Bytes, Infallible>,
) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
