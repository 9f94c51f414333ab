//! One record on its way: its future on the runtime, and how the result comes back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::{AsyncContext, AsyncProcessor};
use crate::error::{BoxError, Error, ErrorKind};
use crate::node::Wakeup;
use crate::processor::HeldRecord;
use crate::record::Record;

/// What a future gives: records to forward, or why its record failed.
pub(super) type Outcome<P> = Result<Vec<Record<<P as AsyncProcessor>::KeyOut, <P as AsyncProcessor>::ValueOut>>, BoxError>;

/// A record that came and is not done: waiting for its turn, running, or with a result that waits for earlier ones.
pub(super) struct InFlight<P: AsyncProcessor> {
    pub(super) held: HeldRecord,
    pub(super) key: P::KeyIn,
    /// The record, until its future begins.
    pub(super) waiting: Option<(Record<P::KeyIn, P::ValueIn>, AsyncContext)>,
    pub(super) deadline: Instant,
    pub(super) running: Option<AbortHandle>,
    pub(super) outcome: Option<Outcome<P>>,
}

/// Starts futures, and takes their results.
pub(super) struct Spawner<P: AsyncProcessor> {
    pub(super) runtime: Handle,
    pub(super) wakeup: Wakeup,
    pub(super) sender: Sender<(u64, Outcome<P>)>,
    pub(super) completed: Receiver<(u64, Outcome<P>)>,
    /// For the text of an error.
    pub(super) deadline: Duration,
}

impl<P: AsyncProcessor> Spawner<P> {
    /// Starts the future of a record.
    pub(super) fn start(
        &self,
        number: u64,
        processor: &Arc<P>,
        record: Record<P::KeyIn, P::ValueIn>,
        context: AsyncContext,
        deadline: Instant,
    ) -> AbortHandle {
        let completion = Completion::<P> { number, sender: self.sender.clone(), wakeup: self.wakeup.clone(), outcome: None };
        let (processor, missed) = (Arc::clone(processor), self.deadline);
        let task = async move {
            let mut completion = completion;
            let future = AssertUnwindSafe(async move { processor.process(record, context).await }).catch_unwind();
            completion.outcome = Some(match tokio::time::timeout_at(deadline.into(), future).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(panic)) => Err(Error::panicked(&*panic).into()),
                Err(_) => Err(missed_deadline(missed)),
            });
        };
        self.runtime.spawn(task).abort_handle()
    }
}

/// Delivers the result when the future ends, whatever ends it.
struct Completion<P: AsyncProcessor> {
    number: u64,
    sender: Sender<(u64, Outcome<P>)>,
    wakeup: Wakeup,
    outcome: Option<Outcome<P>>,
}

impl<P: AsyncProcessor> Drop for Completion<P> {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::User,
                "the tokio runtime dropped a future before it was done: it was shut down, or has no timers (`enable_time`)",
            )
            .into())
        });
        // Nobody listens any more when the task was closed: then nobody wants the result.
        if self.sender.send((self.number, outcome)).is_ok() {
            self.wakeup.wake();
        }
    }
}

/// Why a record failed whose result did not come in time.
#[cold]
pub(super) fn missed_deadline(deadline: Duration) -> BoxError {
    let ms = deadline.as_millis();
    Error::new(
        ErrorKind::User,
        format!("the async processor had no result within its deadline of {ms} ms; make it faster, let more run at a time, or give it longer (`AsyncOptions::with_deadline`)"),
    )
    .into()
}
