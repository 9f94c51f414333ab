//! Global stores: every process keeps the whole of their topics, on one thread of its own; all workers read them.
//!
//! A record is applied when it comes, and is part of the store at once: there is no transaction. How far each partition was applied is
//! kept beside the stores, and written after them: a crash applies the last records once more.

mod positions;
mod thread;

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use positions::AppliedPositions;
pub(super) use thread::GlobalEvent;
use thread::{GlobalStore, GlobalThread, GlobalThreadEnvironment};

use super::{ControlEnvironment, ControlEvent};
use crate::client::{DataConsumer, PollWaker};
use crate::config::ClientRole;
use crate::error::{Error, Result, ResultExt};
use crate::id::TaskId;
use crate::store::{SharedStore, StoreOpen};

/// The global thread as the control thread sees it.
pub(super) struct GlobalHandle {
    close: Sender<()>,
    waker: PollWaker,
    thread: Option<JoinHandle<()>>,
    /// What the workers read.
    pub(super) stores: Arc<[Arc<dyn SharedStore>]>,
}

/// Flushes the stores and ends the thread: nobody has the stores' files behind it.
impl Drop for GlobalHandle {
    fn drop(&mut self) {
        if self.close.send(()).is_err() {
            tracing::debug!("the global thread is gone");
        }
        self.waker.wake();
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the global thread panicked outside user code");
        }
    }
}

/// Opens the global stores and starts the thread that keeps them; `None` when the topology has none.
///
/// # Errors
/// When a store cannot be opened, or a client cannot be made.
pub(super) fn start(environment: &ControlEnvironment) -> Result<Option<GlobalHandle>> {
    let subtopologies = environment.topology.global_subtopologies();
    if subtopologies.is_empty() {
        return Ok(None);
    }
    let mut stores = Vec::new();
    for subtopology in subtopologies {
        let id = TaskId::new(subtopology.id, 0);
        for &index in &subtopology.stores {
            let factory = &environment.topology.store(index).factory;
            let name = factory.name();
            let topic = subtopology.source_topics.first().map_or_else(|| Arc::from(name), Arc::clone);
            let opened = factory
                .open(&StoreOpen {
                    task: id,
                    directory: environment.directory.global_store_directory(name),
                    changelog_topic: topic,
                    persistent_memory_bytes: environment.config.persistent_memory_bytes(),
                    cache_max_bytes: 0,
                    clock: Arc::clone(&environment.clock),
                })
                .at(|| format!("global store {name}"))?;
            if let Some(reason) = &opened.quarantined {
                tracing::warn!(store = name, reason, "the global store's directory was set aside; it is rebuilt from its topic");
            }
            stores.push(GlobalStore { task: id, applied: opened.position, store: opened.store.share()? });
        }
    }
    let shared: Arc<[Arc<dyn SharedStore>]> = stores.iter().map(|store| Arc::clone(&store.store)).collect();

    let config = &environment.config;
    let consumer = DataConsumer::new(&config.client_properties(ClientRole::Global), "global", &environment.context)?;
    let admin = environment.admin("global")?;
    let (waker, (close, commands)) = (consumer.waker(), channel());
    let events = environment.sender.clone();
    let has_disk = environment.topology.global_subtopologies().iter().flat_map(|subtopology| &subtopology.stores);
    let has_disk = has_disk.into_iter().any(|index| environment.topology.store(*index).factory.is_persistent());
    let thread = GlobalThreadEnvironment {
        topology: Arc::clone(&environment.topology),
        settings: Arc::clone(&environment.settings),
        clock: Arc::clone(&environment.clock),
        handlers: environment.handlers.clone().for_global_topics(),
        application: Arc::clone(&environment.application),
        budget: Arc::clone(&environment.budget),
        metrics: subtopologies.iter().map(|subtopology| environment.shared.task_metrics(TaskId::new(subtopology.id, 0))).collect(),
        applied: has_disk.then(|| AppliedPositions::at(environment.directory.global_positions())),
        admin,
        commands,
        tell: Box::new(move |event| {
            if events.send(ControlEvent::Global(event)).is_err() {
                tracing::debug!("the control thread is gone");
            }
        }),
    };
    let thread = std::thread::Builder::new()
        .name("kstreams-global".to_owned())
        .spawn(move || GlobalThread::new(thread, consumer, stores).run())
        .map_err(|error| Error::storage("the operating system gave no thread for global stores").with_source(error))?;
    Ok(Some(GlobalHandle { close, waker, thread: Some(thread), stores: shared }))
}
