//! The one HTTP client, and how a probe learns how far it has come.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use reqwest::{redirect, retry};
use tower_layer::Layer;
use tower_service::Service;

use crate::check::Phase;

tokio::task_local! {
    /// How far the probe that runs in this task has come.
    pub(super) static PHASE: Cell<Phase>;
}

/// The HTTP client all probes share: a client each costs kilobytes and a pool.
#[derive(Debug, Clone)]
pub struct Client(pub(super) reqwest::Client);

/// The HTTP client cannot be built.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client of the checks")]
pub struct ClientError(#[source] reqwest::Error);

impl Client {
    /// A client that asks exactly once, directly, and keeps nothing.
    ///
    /// # Errors
    /// When its parts cannot be set up.
    pub fn new() -> Result<Self, ClientError> {
        reqwest::Client::builder()
            .user_agent(concat!("diarch/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .http1_only()
            // Without a pool the connection is made within the probe's own future.
            .pool_max_idle_per_host(0)
            .connector_layer(NoteConnected)
            .build()
            .map(Self)
            .map_err(ClientError)
    }
}

/// Moves [`PHASE`] on when the connection stands.
#[derive(Debug, Clone, Copy)]
struct NoteConnected;

impl<S> Layer<S> for NoteConnected {
    type Service = Noting<S>;
    fn layer(&self, connector: S) -> Noting<S> {
        Noting(connector)
    }
}

#[derive(Debug, Clone)]
struct Noting<S>(S);

impl<S, R> Service<R> for Noting<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
    S::Response: 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            // Fails only outside a probe, where nobody asks for the phase.
            PHASE.try_with(|phase| phase.set(Phase::Waiting)).unwrap_or_default();
            Ok(connection)
        })
    }
}
