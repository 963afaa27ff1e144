//! Events as one JSON object per line: a list that ends, or a stream that goes on.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinSet;

use super::EventsAnswer;
use crate::status::{Event, Kind};

/// Lines on their way to one client; behind them stands the lag the hub's broadcast allows.
const LINES_AHEAD: usize = 16;

/// One event as a line.
fn line(event: &Event) -> Bytes {
    let mut text = serde_json::to_vec(event).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

/// The kept events.
pub(super) fn list(answer: &EventsAnswer) -> Bytes {
    let mut text = Vec::new();
    answer.backlog.iter().for_each(|event| text.extend_from_slice(&line(event)));
    text.into()
}

/// The present state, the kept events, and every one to come.
///
/// Ends when the daemon stops, and for a client that falls too far behind: its last line says so,
/// and it may ask again with `since`. Dropping it ends the work behind it.
#[derive(Debug)]
pub(super) struct Lines {
    ready: mpsc::Receiver<Bytes>,
    _pump: JoinSet<()>,
}

impl Lines {
    pub(super) fn follow(answer: EventsAnswer) -> Self {
        let (lines, ready) = mpsc::channel(LINES_AHEAD);
        let mut tasks = JoinSet::new();
        tasks.spawn(pump(answer, lines));
        Self { ready, _pump: tasks }
    }
}

async fn pump(answer: EventsAnswer, lines: mpsc::Sender<Bytes>) {
    let EventsAnswer { backlog, current, mut live } = answer;
    let begin = current.into_iter().map(Arc::new).chain(backlog);
    for event in begin {
        if lines.send(line(&event)).await.is_err() {
            return;
        }
    }
    let mut missed = 0_u64;
    loop {
        let event = match live.recv().await {
            Ok(event) => event,
            Err(broadcast::error::RecvError::Lagged(more)) => {
                missed = missed.saturating_add(more);
                continue;
            }
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let event = if missed == 0 { event } else { Arc::new(lost(&event, missed)) };
        if lines.send(line(&event)).await.is_err() {
            return;
        }
        if missed > 0 {
            tracing::info!(missed, "reader of events is too slow, dropped");
            return;
        }
    }
}

/// The last line for a client that missed as many events before `next`. It has no id: only what is
/// kept has.
fn lost(next: &Event, missed: u64) -> Event {
    let since = next.id.saturating_sub(missed).saturating_sub(1);
    let kind = Kind::Other("events.lost".to_owned());
    let detail = format!("too slow a reader: {missed} events missed, ask again with since={since}");
    Event::new(0, next.time, &next.node, kind, "daemon").because("slow_reader", detail)
}

impl Body for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.ready.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}
