//! [`Producer`]: sends records, knows what was acknowledged, and commits transactions.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Properties;
use super::context::ClientContext;
use super::error::{Operation, code, from_native};
use super::native::producer::{NativeProducer, SlotAddress};
use super::native::{Callbacks, NativeError, PartitionList, timeout_ms};
use super::token::FencingToken;
use crate::error::{Error, Result};
use crate::id::TopicPartition;
use crate::record::OutgoingRecord;

/// What delivery reports are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryReports {
    /// Every record's: [`Producer::acknowledged`] knows offsets. For producers that write changelogs.
    All,
    /// Only failures: cheaper. For producers that write no changelog.
    FailuresOnly,
}

/// Where the acknowledged offsets of one changelog partition are noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliverySlot {
    number: Option<u32>,
    /// Which of a worker's producers, one after the other, gave it.
    generation: u32,
}

impl DeliverySlot {
    /// For records whose offsets do not matter.
    pub const UNTRACKED: Self = Self { number: None, generation: 0 };

    pub(crate) const fn new(number: u32) -> Self {
        Self { number: Some(number), generation: 0 }
    }

    /// Marks the slot as one of the `generation`-th producer.
    pub(crate) const fn of_generation(self, generation: u32) -> Self {
        Self { generation, ..self }
    }

    /// The slot, if the `generation`-th producer gave it. Slots of other producers have the same numbers: taken for its own, one would
    /// note the offsets of two changelog partitions.
    pub(crate) const fn within(self, generation: u32) -> Self {
        if self.generation == generation { self } else { Self::UNTRACKED }
    }
}

/// A position to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitOffset {
    /// The source partition.
    pub partition: TopicPartition,
    /// The offset of the next record to process.
    pub offset: i64,
    /// Metadata beside it; may be empty.
    pub metadata: String,
    /// The leader epoch of the last record, when known.
    pub leader_epoch: Option<i32>,
}

/// A producer, transactional or idempotent. It belongs to one thread, which serves it by sending, flushing or [`poll`](Self::poll)ing;
/// it can be moved to another. Dropping it gives up undelivered records and never waits for the cluster.
pub struct Producer {
    native: NativeProducer,
    name: Arc<str>,
    transactional: bool,
    reports: DeliveryReports,
    free_slots: RefCell<Vec<u32>>,
    partition_counts: RefCell<HashMap<Arc<str>, (i32, Instant)>>,
    unserved: Cell<u32>,
    /// How many records the queue holds, as far as is known: bytes count, too, and only the client counts them.
    capacity: Cell<usize>,
    /// How long a record waits for room in it.
    patience: Duration,
    is_over: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

/// How long a `send` waits for room in the producer's queue, at most. Whoever looks at [`Producer::is_congested`] between records hardly ever does.
const QUEUE_FULL_TIMEOUT: Duration = Duration::from_secs(60);
/// librdkafka's default for `queue.buffering.max.messages`.
const QUEUE_CAPACITY: usize = 100_000;
/// Sends between two looks at waiting reports.
const SENDS_PER_POLL: u32 = 256;
/// How long a partition count is believed: counts only grow, and an old one only sends to fewer partitions.
const PARTITION_COUNT_AGE: Duration = Duration::from_secs(60);

impl Producer {
    /// Creates a producer; with a `transactional_id` it must [`init_transactions`](Self::init_transactions) first.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when librdkafka does not take the properties. An unreachable cluster is no error yet.
    pub fn new(
        properties: &Properties,
        transactional_id: Option<&str>,
        reports: DeliveryReports,
        name: &str,
        context: &Arc<dyn ClientContext>,
    ) -> Result<Self> {
        let mut properties = properties.clone();
        if let Some(id) = transactional_id {
            properties.insert("transactional.id".to_owned(), id.to_owned());
        }
        if reports == DeliveryReports::FailuresOnly {
            properties.insert("delivery.report.only.error".to_owned(), "true".to_owned());
        }
        // 0 stands for no limit.
        let capacity = properties.get("queue.buffering.max.messages").and_then(|most| most.parse().ok()).unwrap_or(QUEUE_CAPACITY);
        let capacity = if capacity == 0 { usize::MAX } else { capacity };
        Ok(Self {
            native: NativeProducer::new(&properties, Callbacks::new(name, context))?,
            name: Arc::from(name),
            transactional: transactional_id.is_some(),
            reports,
            free_slots: RefCell::default(),
            partition_counts: RefCell::default(),
            unserved: Cell::new(0),
            capacity: Cell::new(capacity),
            patience: QUEUE_FULL_TIMEOUT,
            is_over: None,
        })
    }

    /// Calls wait for no broker any more as soon as `is_over` says so.
    pub(crate) fn given_up_when(mut self, is_over: Arc<dyn Fn() -> bool + Send + Sync>) -> Self {
        self.is_over = Some(is_over);
        self
    }

    /// A record waits for room in the queue for no longer than this, nor than a minute.
    pub(crate) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = self.patience.min(patience);
        self
    }

    fn is_over(&self) -> bool {
        self.is_over.as_ref().is_some_and(|is_over| is_over())
    }

    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it writes in transactions.
    pub fn is_transactional(&self) -> bool {
        self.transactional
    }

    /// Hands a record over; it is copied. A failed delivery shows in [`take_failure`](Self::take_failure) and at the next flush or commit.
    ///
    /// When the queue is full it serves reports until there is room, for at most a minute.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for a record that is too large, [`Fenced`](crate::ErrorKind::Fenced) once the producer was replaced, [`Retriable`](crate::ErrorKind::Retriable) when
    /// the queue stays full.
    #[inline]
    pub fn send(&self, record: &OutgoingRecord<'_>, delivery: DeliverySlot) -> Result<()> {
        let slot = delivery.number.map_or(SlotAddress::NONE, |slot| self.native.slot_address(slot as usize));
        let unserved = self.unserved.get() + 1;
        self.unserved.set(unserved % SENDS_PER_POLL);
        if unserved == SENDS_PER_POLL {
            self.native.client().poll(0);
        }
        match self.native.produce(record, slot)? {
            Ok(()) => Ok(()),
            Err(native) => self.send_again(record, slot, native),
        }
    }

    #[cold]
    fn send_again(&self, record: &OutgoingRecord<'_>, slot: SlotAddress, mut native: NativeError) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        while native.code == code::QUEUE_FULL && Instant::now() < deadline && !self.is_over() {
            self.capacity.set(self.capacity.get().min(self.native.outstanding()).max(1));
            // Returns as soon as a report comes; without reports the queue empties unseen, hence the short wait.
            self.native.client().poll(if self.reports == DeliveryReports::All { 100 } else { 1 });
            match self.native.produce(record, slot)? {
                Ok(()) => return Ok(()),
                Err(again) => native = again,
            }
        }
        Err(self.error(native, Operation::Produce).at(format_args!("producer {}, topic {}", self.name, record.topic)))
    }

    /// A slot for the acknowledged offsets of one changelog partition.
    pub fn track(&self) -> DeliverySlot {
        debug_assert!(self.reports == DeliveryReports::All, "a producer that reports failures only knows no offsets");
        // A record of the slot's former owner may be under way still; its offset would be taken for ours.
        let reused = if self.native.outstanding() == 0 { self.free_slots.borrow_mut().pop() } else { None };
        let slot = reused.unwrap_or_else(|| u32::try_from(self.native.add_slot()).unwrap_or(u32::MAX));
        self.native.reset_slot(slot as usize);
        DeliverySlot::new(slot)
    }

    /// Gives a slot back.
    pub fn untrack(&self, slot: DeliverySlot) {
        self.free_slots.borrow_mut().extend(slot.number);
    }

    /// The highest offset that was acknowledged in a slot; `None` when none was since the last reset.
    pub fn acknowledged(&self, slot: DeliverySlot) -> Option<i64> {
        self.native.acknowledged(slot.number? as usize)
    }

    /// Forgets what was acknowledged in a slot.
    pub fn reset_acknowledged(&self, slot: DeliverySlot) {
        if let Some(slot) = slot.number {
            self.native.reset_slot(slot as usize);
        }
    }

    /// The first delivery that failed since the last call.
    pub fn take_failure(&self) -> Option<Error> {
        let (partition, native) = self.native.client().callbacks().deliveries.take_failure()?;
        Some(self.error(native, Operation::Deliver).at(format_args!("producer {}, partition {partition}", self.name)))
    }

    /// Serves reports that wait; never blocks. An idle producer is polled now and then.
    pub fn poll(&self) {
        self.native.client().poll(0);
    }

    /// Whether the queue is so full that a record with many results might have to wait for room. Until it is not, nothing should be sent
    /// that can wait elsewhere.
    pub(crate) fn is_congested(&self) -> bool {
        let most = self.capacity.get() - self.capacity.get() / 10;
        if self.native.outstanding() < most {
            return false;
        }
        // Records whose reports nobody has served yet are counted, too.
        self.native.client().poll(0);
        self.native.outstanding() >= most
    }

    /// How many records are neither acknowledged nor failed.
    pub fn outstanding(&self) -> usize {
        self.native.outstanding()
    }

    /// Waits until every record is acknowledged.
    ///
    /// # Errors
    /// The first failed delivery; [`Retriable`](crate::ErrorKind::Retriable) when records are still under way after `timeout`; [`Fenced`](crate::ErrorKind::Fenced) once the
    /// producer was replaced.
    pub fn flush(&self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        // With all reports, the wait ends with the last one. With failures only nothing would wake it, so it looks each millisecond.
        let step = if self.reports == DeliveryReports::All { 100 } else { 1 };
        while self.native.outstanding() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            self.native.flush(timeout_ms(left).min(step));
            if let Some(failure) = self.take_failure() {
                return Err(failure);
            }
            if self.native.outstanding() == 0 {
                break;
            }
            if let Some(fatal) = self.native.client().fatal_error() {
                return Err(self.error(fatal, Operation::Produce).at(format_args!("producer {}", self.name)));
            }
            if left.is_zero() || self.is_over() {
                return Err(Error::retriable(format!(
                    "{} records were not acknowledged within {timeout:?}; check that the brokers can be reached",
                    self.native.outstanding()
                ))
                .at(format_args!("producer {}", self.name)));
            }
        }
        self.native.client().poll(0);
        self.take_failure().map_or(Ok(()), Err)
    }

    /// Registers the transactional id: fences producers that used it before and ends their transactions. Blocks.
    ///
    /// # Errors
    /// [`Retriable`](crate::ErrorKind::Retriable) when the cluster does not answer in time: call again.
    pub fn init_transactions(&self, timeout: Duration) -> Result<()> {
        self.checked(self.native.init_transactions(timeout_ms(timeout)), Operation::BeginTransaction)
    }

    /// Begins a transaction. Local; never blocks.
    ///
    /// # Errors
    /// [`Fenced`](crate::ErrorKind::Fenced) once the producer was replaced.
    pub fn begin_transaction(&self) -> Result<()> {
        self.checked(self.native.begin_transaction(), Operation::BeginTransaction)
    }

    /// Makes offsets part of the transaction, under the given membership. Blocks for `timeout` at most; after that the producer can only be
    /// dropped.
    ///
    /// # Errors
    /// [`Abortable`](crate::ErrorKind::Abortable) for a token that is not a member's, or an old generation; [`Fenced`](crate::ErrorKind::Fenced) when the outcome is unknown;
    /// [`Retriable`](crate::ErrorKind::Retriable): call again.
    pub fn send_offsets(&self, offsets: &[CommitOffset], token: &FencingToken, timeout: Duration) -> Result<()> {
        token.check()?;
        let mut list = PartitionList::with_capacity(offsets.len());
        for commit in offsets {
            list.push(&commit.partition.topic, commit.partition.partition, commit.offset, &commit.metadata, commit.leader_epoch)?;
        }
        let started = Instant::now();
        let is_over = || started.elapsed() >= timeout || self.is_over();
        self.checked(self.native.send_offsets(list, token, &is_over)?, Operation::EndTransaction)
    }

    /// Commits the transaction, after all of its records are acknowledged. Blocks.
    ///
    /// # Errors
    /// [`Retriable`](crate::ErrorKind::Retriable): call again, the commit resumes. [`Abortable`](crate::ErrorKind::Abortable): abort. [`Fenced`](crate::ErrorKind::Fenced): the outcome is unknown or
    /// the producer was replaced; drop it and make a new one, whose `init_transactions` settles what the old one left.
    pub fn commit_transaction(&self, timeout: Duration) -> Result<()> {
        if let Some(failure) = self.take_failure() {
            return Err(failure);
        }
        self.checked(self.native.commit_transaction(timeout_ms(timeout)), Operation::EndTransaction)
    }

    /// Aborts the transaction; records not yet sent are given up. Blocks.
    ///
    /// # Errors
    /// As [`commit_transaction`](Self::commit_transaction).
    pub fn abort_transaction(&self, timeout: Duration) -> Result<()> {
        // A report that waits here would be served in the next transaction and be taken for one of its failures.
        self.native.client().poll(0);
        let aborted = self.checked(self.native.abort_transaction(timeout_ms(timeout)), Operation::EndTransaction);
        self.take_failure();
        aborted
    }

    /// How many partitions a topic has; asked of the cluster at most once a minute.
    ///
    /// # Errors
    /// [`Retriable`](crate::ErrorKind::Retriable) when the topic does not exist or the cluster does not answer within `timeout`.
    pub fn partition_count(&self, topic: &Arc<str>, timeout: Duration) -> Result<i32> {
        let now = Instant::now();
        if let Some((count, asked)) = self.partition_counts.borrow().get(topic)
            && now.duration_since(*asked) < PARTITION_COUNT_AGE
        {
            return Ok(*count);
        }
        let count = self
            .native
            .partition_count(topic, timeout_ms(timeout))?
            .map_err(|native| self.error(native, Operation::Administer).at(format_args!("topic {topic}")))?;
        self.partition_counts.borrow_mut().insert(Arc::clone(topic), (count, now));
        Ok(count)
    }

    /// Gives up all records that are not acknowledged.
    pub fn purge(&self) {
        self.native.purge();
        self.native.client().poll(0);
    }

    fn checked(&self, result: Result<(), NativeError>, operation: Operation) -> Result<()> {
        result.map_err(|native| self.error(native, operation).at(format_args!("producer {}", self.name)))
    }

    fn error(&self, native: NativeError, operation: Operation) -> Error {
        from_native(self.native.client().with_fatal_cause(native), operation)
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("name", &self.name).field("transactional", &self.transactional).finish_non_exhaustive()
    }
}
