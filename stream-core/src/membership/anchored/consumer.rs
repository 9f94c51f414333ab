//! The membership consumer: subscribed to the anchors, never fetching.
//!
//! What the group assigns and what a librdkafka client fetches are independent of each other: it joins with what it was offered, not
//! with what it was told to fetch. So every rebalance is answered with an empty list, and no record ever comes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use crate::client::error::from_native;
use crate::client::native::{NativeError, PartitionList, group};
use crate::client::{BridgedContext, ClientContext, CommitOffset, Operation, Properties};
use crate::error::{Error, ErrorKind, Result};
use crate::membership::token::CurrentMember;

/// How long a process that leaves waits for the coordinator's answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A rebalance event of the client, to be answered later.
#[derive(Debug)]
pub(super) enum Rebalance {
    Offered(Vec<(String, i32)>),
    AskedBack { partitions: Vec<(String, i32)>, is_lost: bool },
}

/// The callbacks of the consumer. The one for rebalances only writes down what is asked: a hand-over takes as long as commits take,
/// and no callback may.
pub(super) struct MembershipContext {
    bridged: BridgedContext,
    asked: Mutex<VecDeque<Rebalance>>,
    /// Answers at once, with nothing written down: the consumer is being closed, or it never runs tasks.
    answers_at_once: AtomicBool,
}

impl MembershipContext {
    fn asked(&self) -> MutexGuard<'_, VecDeque<Rebalance>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl rdkafka::ClientContext for MembershipContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = <BridgedContext as rdkafka::ClientContext>::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.bridged.log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.bridged.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        rdkafka::ClientContext::error(&self.bridged, error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<rdkafka::client::OAuthToken, Box<dyn std::error::Error>> {
        self.bridged.generate_oauth_token(config)
    }
}

impl ConsumerContext for MembershipContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let is_assign = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.answers_at_once.load(Ordering::Acquire) {
            if let Err(error) = answer(consumer, is_assign) {
                tracing::debug!(%error, "a rebalance could not be answered");
            }
            return;
        }
        // The list belongs to the event.
        let partitions = list.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect();
        self.asked().push_back(if is_assign {
            Rebalance::Offered(partitions)
        } else {
            Rebalance::AskedBack { partitions, is_lost: consumer.assignment_lost() }
        });
    }
}

fn answer(consumer: &BaseConsumer<MembershipContext>, is_assign: bool) -> Result<(), KafkaError> {
    let none = TopicPartitionList::new();
    if is_assign { consumer.incremental_assign(&none) } else { consumer.incremental_unassign(&none) }
}

/// A client that is a member of the group.
pub(super) struct MembershipConsumer {
    consumer: BaseConsumer<MembershipContext>,
    /// Assign (`true`) or revoke: the client waits for its answer.
    unanswered: Mutex<Option<bool>>,
}

impl MembershipConsumer {
    /// Joins the group. `answers_at_once`: it is a member, but its tasks are not run.
    pub(super) fn join(properties: &Properties, topics: &[&str], context: &Arc<dyn ClientContext>, answers_at_once: bool) -> Result<Self> {
        let mut config = ClientConfig::new();
        for (name, value) in properties {
            config.set(name, value);
        }
        let context = MembershipContext {
            bridged: BridgedContext::new("membership", context),
            asked: Mutex::default(),
            answers_at_once: AtomicBool::new(answers_at_once),
        };
        let failed = |error: KafkaError| {
            Error::invalid("the membership consumer could not be made; check the settings of the consumer").with_source(error)
        };
        let consumer: BaseConsumer<MembershipContext> = config.create_with_context(context).map_err(failed)?;
        let consumer = Self { consumer, unanswered: Mutex::new(None) };
        consumer.subscribe(topics)?;
        Ok(consumer)
    }

    pub(super) fn subscribe(&self, topics: &[&str]) -> Result<()> {
        self.consumer
            .subscribe(topics)
            .map_err(|error| Error::internal(format!("the client refuses to subscribe to {}", topics.join(", "))).with_source(error))
    }

    /// Leaves the group without closing the client.
    pub(super) fn unsubscribe(&self) {
        self.consumer.unsubscribe();
    }

    /// Reads which topics there are. When a subscribed one appeared or grew, the client joins anew, and the group assigns once more; without
    /// this, it looks only every `topic.metadata.refresh.interval.ms`. Only the list of all topics has that effect.
    pub(super) fn refresh_metadata(&self, timeout: Duration) {
        if let Err(error) = self.consumer.fetch_metadata(None, timeout) {
            tracing::debug!(%error, "the topics could not be read");
        }
    }

    /// Serves the client for at most `timeout`, less when something happens. An error is one that ends the membership.
    pub(super) fn poll(&self, timeout: Duration) -> Result<()> {
        match self.consumer.poll(timeout) {
            None => {}
            Some(Ok(_)) => return Err(Error::internal("the membership consumer received a record, although it fetches nothing")),
            Some(Err(error)) => {
                // A fatal error is announced as just that; its code is kept by the client.
                let fatal = self.consumer.client().fatal_error();
                if let Some(failure) = failure(&error, fatal) {
                    return Err(failure);
                }
            }
        }
        Ok(())
    }

    /// The next event to be worked off. Its answer is due afterwards.
    pub(super) fn next_rebalance(&self) -> Option<Rebalance> {
        let rebalance = self.consumer.context().asked().pop_front()?;
        *self.lock_unanswered() = Some(matches!(rebalance, Rebalance::Offered(_)));
        Some(rebalance)
    }

    /// Answers an assign (or else revoke) event, if one waits for that.
    pub(super) fn answer(&self, is_assign: bool) -> Result<()> {
        let mut unanswered = self.lock_unanswered();
        if *unanswered != Some(is_assign) {
            return Ok(());
        }
        *unanswered = None;
        drop(unanswered);
        answer(&self.consumer, is_assign).map_err(|error| Error::retriable("a rebalance could not be answered").with_source(error))
    }

    /// Commits offsets as this member; waits for the answer until `is_over`.
    pub(super) fn commit(&self, offsets: &[CommitOffset], is_over: &dyn Fn() -> bool) -> Result<()> {
        let mut list = PartitionList::with_capacity(offsets.len());
        for commit in offsets {
            list.push(&commit.partition.topic, commit.partition.partition, commit.offset, &commit.metadata, commit.leader_epoch)?;
        }
        let committed = group::commit(&self.consumer, &list, is_over)?.map_err(refused)?;
        match committed.iter().find(|entry| entry.error != 0) {
            Some(entry) => Err(refused(NativeError::from_code(entry.error)).at(format_args!("{}-{}", entry.topic, entry.partition))),
            None => Ok(()),
        }
    }

    fn lock_unanswered(&self) -> MutexGuard<'_, Option<bool>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CurrentMember for MembershipConsumer {
    fn current(&self) -> Option<(String, i32)> {
        group::member(&self.consumer)
    }
}

/// Leaves the group and closes the client. One whose broker holds the connection and does not answer is not waited for longer than
/// [`CLOSE_TIMEOUT`]: it goes on closing on a thread of its own, and the group notices after `session.timeout.ms`.
pub(super) fn close(consumer: Arc<MembershipConsumer>) {
    let (closing, closed) = channel::<()>();
    let thread = std::thread::Builder::new().name("kstreams-leave".to_owned()).spawn(move || {
        drop(consumer);
        drop(closing);
    });
    match thread {
        Ok(_) if closed.recv_timeout(CLOSE_TIMEOUT) == Err(RecvTimeoutError::Timeout) => {
            tracing::warn!("the coordinator does not answer; the group notices after `session.timeout.ms` that this process has left");
        }
        Ok(_) => {}
        // The consumer was dropped with the thread that could not be.
        Err(error) => tracing::debug!(%error, "the operating system gave no thread to leave the group on"),
    }
}

impl Drop for MembershipConsumer {
    /// Closing waits until every rebalance event is answered, and every request that is under way.
    fn drop(&mut self) {
        let context = self.consumer.context();
        context.answers_at_once.store(true, Ordering::Release);
        let waiting = self.lock_unanswered().take().into_iter();
        let stashed: Vec<bool> = context.asked().drain(..).map(|rebalance| matches!(rebalance, Rebalance::Offered(_))).collect();
        for is_assign in waiting.chain(stashed) {
            if let Err(error) = answer(&self.consumer, is_assign) {
                tracing::debug!(%error, "a rebalance could not be answered before the close");
            }
        }
    }
}

/// What a refused commit means for its tasks. An old generation is no reason to give them up: as long as the member id is the same,
/// the client joins the next generation with its tasks; a repeated commit asks for a new lease, which decides.
fn refused(native: NativeError) -> Error {
    const ILLEGAL_GENERATION: i32 = 22;
    const UNKNOWN_MEMBER_ID: i32 = 25;
    const REBALANCE_IN_PROGRESS: i32 = 27;
    let code = native.code;
    let error = from_native(native, Operation::Administer);
    match code {
        ILLEGAL_GENERATION | REBALANCE_IN_PROGRESS => error.with_kind(ErrorKind::Retriable),
        UNKNOWN_MEMBER_ID => error.with_kind(ErrorKind::Fenced),
        _ => error,
    }
}

/// An error that ends the membership; all others pass by themselves.
fn failure(error: &KafkaError, fatal: Option<(RDKafkaErrorCode, String)>) -> Option<Error> {
    let is_fatal = fatal.is_some();
    let (code, reason) = match fatal {
        Some(fatal) => fatal,
        None => (error.rdkafka_error_code()?, String::new()),
    };
    let native = NativeError { fatal: is_fatal, ..NativeError::with_reason(code as i32, &reason) };
    let is_denied = matches!(
        code,
        RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::InconsistentGroupProtocol
            | RDKafkaErrorCode::InvalidSessionTimeout
    );
    let described = from_native(native, Operation::Consume);
    if is_denied {
        let advice = match code {
            RDKafkaErrorCode::InconsistentGroupProtocol => {
                "another program, or another version, is in the group of this application id with another assignor; stop it or choose another id"
            }
            RDKafkaErrorCode::InvalidSessionTimeout => {
                "`session.timeout.ms` must lie between the broker's `group.min.session.timeout.ms` and `group.max.session.timeout.ms`"
            }
            _ => "grant this principal Read on the group and Read and Describe on the source topics",
        };
        return Some(Error::invalid(format!("the group refuses this process; {advice}")).with_source(described));
    }
    if is_fatal {
        return Some(described);
    }
    tracing::warn!(error = %described, "the membership consumer reports an error");
    None
}
