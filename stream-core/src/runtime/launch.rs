//! Starting the threads of a process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::worker::ProducerFactory;
use super::{
    ControlEnvironment, ControlEvent, PurgePositions, Shared, State, Worker, WorkerCommand, WorkerEnvironment, WorkerFailure, WorkerStopped,
};
use crate::client::{DataConsumer, DeliveryReports, PollWaker, Producer};
use crate::config::{ClientRole, ProcessingGuarantee};
use crate::error::{Error, ErrorKind, Result};
use crate::fault::{SeededFault, is_seeded};
use crate::handler::{UncaughtErrorHandler, UncaughtResponse};
use crate::membership::{OffsetCommitter, TokenCell};
use crate::restore::{Cluster, RestoreCommand, Restorer, RestorerEnvironment, StoreSettings};
use crate::store::SharedStore;
use crate::time::Retry;

/// How long one attempt to register a transactional id takes; between two the worker looks whether the application is closing.
const INIT_ATTEMPT: Duration = Duration::from_secs(5);
/// After how long of that it looks whether the program asked for the end.
const INIT_STEP: Duration = Duration::from_millis(500);

/// A worker as the control thread sees it.
pub(super) struct WorkerHandle {
    commands: Sender<WorkerCommand>,
    waker: PollWaker,
    pub(super) thread: JoinHandle<()>,
}

impl WorkerHandle {
    /// Gives the worker a command, and lets it look. `false` when it is gone.
    pub(super) fn tell(&self, command: WorkerCommand) -> bool {
        let is_sent = self.commands.send(command).is_ok();
        self.waker.wake();
        is_sent
    }
}

/// Starts a worker. Its clients wait for the cluster on its own thread.
pub(super) fn start_worker(
    environment: &ControlEnvironment,
    index: usize,
    tokens: Arc<TokenCell>,
    committer: Arc<dyn OffsetCommitter>,
    purge: Arc<PurgePositions>,
    global_stores: Arc<[Arc<dyn SharedStore>]>,
) -> Result<WorkerHandle> {
    let (commands, receiver) = channel();
    let config = &environment.config;
    let consumer = DataConsumer::new(&config.client_properties(ClientRole::Main), &format!("worker-{index}"), &environment.context)?;
    let waker = consumer.waker();
    let worker = WorkerEnvironment {
        index,
        topology: Arc::clone(&environment.topology),
        settings: Arc::clone(&environment.settings),
        clock: Arc::clone(&environment.clock),
        handlers: environment.handlers.clone(),
        budget: Arc::clone(&environment.budget),
        tokens,
        committer,
        purge,
        global_stores,
        application: Arc::clone(&environment.application),
        waker: Arc::new({
            let waker = waker.clone();
            move || waker.wake()
        }),
        make_producer: producer_factory(environment, index),
        ending: Arc::clone(environment.shared.ending()),
        commands: receiver,
        events: environment.sender.clone(),
    };
    let (events, uncaught, shared) = (environment.sender.clone(), Arc::clone(&environment.uncaught), Arc::clone(&environment.shared));
    let thread = std::thread::Builder::new()
        .name(format!("kstreams-worker-{index}"))
        .spawn(move || {
            // Whatever happens in there, the control thread hears of the end: it waits for it.
            let ended = catch_unwind(AssertUnwindSafe(|| match Worker::new(worker, consumer) {
                Ok(worker) => worker.run(),
                Err(error) => Some(WorkerFailure::Uncaught(error.at(format_args!("start of worker {index}")))),
            }));
            let failure = ended.unwrap_or_else(|panic| Some(WorkerFailure::Uncaught(Error::panicked(&*panic))));
            let failure = failure.and_then(|failure| response(failure, &uncaught, shared.is_ending(), index));
            if events.send(ControlEvent::Stopped(WorkerStopped { worker: index, failure })).is_err() {
                tracing::debug!(worker = index, "the control thread is gone");
            }
        })
        .map_err(|error| Error::storage("the operating system gave no thread for a worker").with_source(error))?;
    Ok(WorkerHandle { commands, waker, thread })
}

/// What follows from the end of a worker; nothing, when it only noticed that the application ends.
fn response(failure: WorkerFailure, uncaught: &UncaughtErrorHandler, is_ending: bool, worker: usize) -> Option<(Error, UncaughtResponse)> {
    match failure {
        WorkerFailure::Uncaught(error) if error.kind() == ErrorKind::Closed && is_ending => {
            tracing::debug!(worker, %error, "the worker ends");
            None
        }
        WorkerFailure::Uncaught(error) => {
            // What follows from it is logged with the reason, once.
            tracing::debug!(worker, %error, "the worker failed");
            let response = catch_unwind(AssertUnwindSafe(|| uncaught(&error))).unwrap_or_else(|panic| {
                tracing::error!(worker, error = %Error::panicked(&*panic), "the uncaught-error handler failed; the application is closed");
                UncaughtResponse::ShutdownClient
            });
            Some((error, response))
        }
        WorkerFailure::AtClose(error) => Some((error, UncaughtResponse::ShutdownClient)),
    }
}

/// A worker's producer is made on the worker's thread: under exactly-once it waits for the transactional id.
fn producer_factory(environment: &ControlEnvironment, index: usize) -> ProducerFactory {
    let properties = environment.config.client_properties(ClientRole::Producer);
    let context = Arc::clone(&environment.context);
    let retry = environment.settings.retry;
    // In the middle of a record nothing else can be done; the group must not take that for a worker that is stuck.
    let patience = environment.config.max_poll_interval() / 2;
    let clock = Arc::clone(&environment.clock);
    let shared = Arc::clone(&environment.shared);
    // Offsets of delivery reports are only needed for changelogs.
    let has_changelogs = environment.topology.changelogs().any(|changelog| !changelog.is_source_topic());
    let reports = if has_changelogs { DeliveryReports::All } else { DeliveryReports::FailuresOnly };
    let transactional_id =
        (environment.settings.guarantee == ProcessingGuarantee::ExactlyOnceV2).then(|| environment.directory.transactional_id(index));
    Box::new(move || {
        let make = || {
            let ending = Arc::clone(shared.ending());
            Producer::new(&properties, transactional_id.as_deref(), reports, &format!("worker-{index}"), &context)
                .map(|producer| producer.given_up_when(Arc::new(move || ending.is_commit_over())).with_patience(patience))
        };
        let mut producer = make()?;
        if transactional_id.is_none() {
            return Ok(producer);
        }
        let mut attempts = Retry::default();
        loop {
            if shared.is_ending() || shared.ending().is_asked() {
                return Err(Error::new(ErrorKind::Closed, "the application is closing"));
            }
            let error = match init_transactions(&producer, INIT_ATTEMPT.min(retry.timeout), &shared) {
                Ok(()) => return Ok(producer),
                Err(error) => error.at("start of transactions"),
            };
            match error.kind() {
                ErrorKind::Retriable => {}
                // This one never works again.
                ErrorKind::Fenced | ErrorKind::Abortable => producer = make()?,
                _ => return Err(error),
            }
            tracing::warn!(%error, "the transaction coordinator is not ready");
            let backoff = attempts.failed(error, clock.monotonic(), &retry)?;
            shared.wait(backoff, State::is_ending);
        }
    })
}

/// One attempt, in steps, each of which resumes the one before; for no longer than the application runs.
fn init_transactions(producer: &Producer, timeout: Duration, shared: &Shared) -> Result<()> {
    let started = Instant::now();
    loop {
        let remaining = timeout.saturating_sub(started.elapsed());
        match producer.init_transactions(remaining.min(INIT_STEP)) {
            Err(error) if error.kind() == ErrorKind::Retriable && remaining > INIT_STEP && !shared.ending().is_asked() => {
                tracing::debug!(%error, "the transaction coordinator has not answered yet");
            }
            result => return result,
        }
    }
}

/// Starts the restore thread.
pub(super) fn start_restorer(environment: &ControlEnvironment) -> Result<(Sender<RestoreCommand>, JoinHandle<()>)> {
    let (sender, commands) = channel();
    let (config, settings) = (&environment.config, &environment.settings);
    let mut properties = config.client_properties(ClientRole::Restore);
    let mut guarantee = settings.guarantee;
    if is_seeded(SeededFault::RestoreUncommitted) {
        properties.insert("isolation.level".to_owned(), "read_uncommitted".to_owned());
        guarantee = ProcessingGuarantee::AtLeastOnce;
    }
    let consumer = DataConsumer::new(&properties, "restore", &environment.context)?;
    let admin = environment.admin("restore")?;
    let cluster = Cluster::new(admin, Arc::from(config.application_id()), guarantee, settings.admin_timeout);
    let (events, ended) = (environment.sender.clone(), environment.sender.clone());
    let restorer = RestorerEnvironment {
        topology: Arc::clone(&environment.topology),
        clock: Arc::clone(&environment.clock),
        budget: Arc::clone(&environment.budget),
        directory: Arc::clone(&environment.directory),
        settings: StoreSettings {
            persistent_memory_bytes: config.persistent_memory_bytes(),
            cache_max_bytes: config.cache_max_bytes(),
            clock: Arc::clone(&environment.clock),
        },
        retry: settings.retry,
        flush_max_bytes: settings.flush_max_bytes,
        tell: Box::new(move |event| {
            if events.send(ControlEvent::Restore(event)).is_err() {
                tracing::debug!("the control thread is gone");
            }
        }),
        commands,
    };
    let thread = std::thread::Builder::new()
        .name("kstreams-restore".to_owned())
        .spawn(move || {
            // Stores may be user code, too. Without this thread no task can start, so its end is the application's.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| Restorer::new(restorer, consumer, cluster).run())) {
                let error = Error::panicked(&*panic).at("restoration");
                if ended.send(ControlEvent::RestorationFailed(error)).is_err() {
                    tracing::debug!("the control thread is gone");
                }
            }
        })
        .map_err(|error| Error::storage("the operating system gave no thread for restoration").with_source(error))?;
    Ok((sender, thread))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handler(asked: &Arc<std::sync::Mutex<Vec<String>>>) -> UncaughtErrorHandler {
        let asked = Arc::clone(asked);
        Arc::new(move |error: &Error| {
            asked.lock().expect("unpoisoned").push(error.message().to_owned());
            UncaughtResponse::ShutdownApplication
        })
    }

    #[test]
    fn the_handler_decides_about_failures_and_not_about_the_end_that_was_asked_for() {
        let asked = Arc::default();
        let handler = handler(&asked);
        let closed = || WorkerFailure::Uncaught(Error::new(ErrorKind::Closed, "closed"));
        assert!(response(closed(), &handler, true, 0).is_none());
        let at_close = response(WorkerFailure::AtClose(Error::internal("at close")), &handler, true, 0);
        assert_eq!(at_close.map(|(_, response)| response), Some(UncaughtResponse::ShutdownClient));
        assert!(asked.lock().expect("unpoisoned").is_empty());

        for failure in [closed(), WorkerFailure::Uncaught(Error::internal("failed"))] {
            let decided = response(failure, &handler, false, 0);
            assert_eq!(decided.map(|(_, response)| response), Some(UncaughtResponse::ShutdownApplication));
        }
        assert_eq!(*asked.lock().expect("unpoisoned"), ["closed", "failed"]);
    }
}
