//! Starting the threads of a process.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::worker::ProducerFactory;
use super::{ControlEnvironment, ControlEvent, PurgePositions, Worker, WorkerCommand, WorkerEnvironment, WorkerStopped};
use crate::client::{Admin, DataConsumer, DeliveryReports, PollWaker, Producer};
use crate::commit::fault::{SeededFault, is_seeded};
use crate::config::{ClientRole, ProcessingGuarantee};
use crate::error::{Error, ErrorKind, Result, ResultExt};
use crate::membership::{OffsetCommitter, TokenCell};
use crate::restore::{Cluster, RestoreCommand, Restorer, RestorerEnvironment, StoreSettings};
use crate::store::SharedStore;

/// How long one attempt to register a transactional id takes; between two the worker looks whether the application is closing.
const INIT_ATTEMPT: Duration = Duration::from_secs(5);

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
        uncaught: Arc::clone(&environment.uncaught),
        budget: Arc::clone(&environment.budget),
        tokens,
        committer,
        purge,
        global_stores,
        make_producer: producer_factory(environment, index),
        commands: receiver,
        events: environment.sender.clone(),
    };
    let (events, uncaught) = (environment.sender.clone(), Arc::clone(&environment.uncaught));
    let thread = std::thread::Builder::new()
        .name(format!("kstreams-worker-{index}"))
        .spawn(move || match Worker::new(worker, consumer) {
            Ok(worker) => worker.run(),
            Err(error) => {
                let error = error.at(format_args!("start of worker {index}"));
                let response = uncaught(&error);
                let stopped = WorkerStopped { worker: index, failure: Some((error, response)), tasks: Vec::new() };
                if events.send(ControlEvent::Stopped(stopped)).is_err() {
                    tracing::debug!("the control thread is gone");
                }
            }
        })
        .map_err(|error| Error::storage("the operating system gave no thread for a worker").with_source(error))?;
    Ok(WorkerHandle { commands, waker, thread })
}

/// A worker's producer is made on the worker's thread: under exactly-once it waits for the transactional id.
fn producer_factory(environment: &ControlEnvironment, index: usize) -> ProducerFactory {
    let properties = environment.config.client_properties(ClientRole::Producer);
    let context = Arc::clone(&environment.context);
    let timeout = environment.settings.task_timeout;
    let clock = Arc::clone(&environment.clock);
    let shared = Arc::clone(&environment.shared);
    // Offsets of delivery reports are only needed for changelogs.
    let has_changelogs = environment.topology.changelogs().any(|changelog| !changelog.is_source_topic());
    let reports = if has_changelogs { DeliveryReports::All } else { DeliveryReports::FailuresOnly };
    let transactional_id =
        (environment.settings.guarantee == ProcessingGuarantee::ExactlyOnceV2).then(|| environment.directory.transactional_id(index));
    Box::new(move || {
        let producer = Producer::new(&properties, transactional_id.as_deref(), reports, &format!("worker-{index}"), &context)?;
        if transactional_id.is_some() {
            let started = clock.monotonic();
            loop {
                if shared.is_ending() {
                    return Err(Error::new(ErrorKind::Closed, "the application is closing"));
                }
                let remaining = timeout.saturating_sub(clock.monotonic().saturating_sub(started));
                match producer.init_transactions(remaining.min(INIT_ATTEMPT)) {
                    Ok(()) => break,
                    Err(error) if error.kind() == ErrorKind::Retriable && !remaining.is_zero() => {
                        tracing::warn!(%error, "the transaction coordinator is not ready")
                    }
                    Err(error) => return Err(error).at(|| "start of transactions"),
                }
            }
        }
        Ok(producer)
    })
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
    let admin = Admin::new(&config.client_properties(ClientRole::Admin), "restore", &environment.context)?;
    let cluster = Cluster::new(admin, Arc::from(config.application_id()), guarantee, settings.admin_timeout);
    let events = environment.sender.clone();
    let restorer = RestorerEnvironment {
        topology: Arc::clone(&environment.topology),
        clock: Arc::clone(&environment.clock),
        budget: Arc::clone(&environment.budget),
        directory: Arc::clone(&environment.directory),
        settings: StoreSettings {
            persistent_memory_bytes: config.persistent_memory_bytes(),
            caching_enabled: config.cache_max_bytes() > 0,
            clock: Arc::clone(&environment.clock),
        },
        task_timeout: settings.task_timeout,
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
        .spawn(move || Restorer::new(restorer, consumer, cluster).run())
        .map_err(|error| Error::storage("the operating system gave no thread for restoration").with_source(error))?;
    Ok((sender, thread))
}
