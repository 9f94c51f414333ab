//! What the coordinator knows about one transactional id.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::state::State;

use crate::mistake::{self, Mistake};

/// The id of no producer.
pub(crate) const NO_PRODUCER_ID: i64 = -1;
/// The epoch of no producer, and of an id that was never initialised.
pub(crate) const NO_PRODUCER_EPOCH: i16 = -1;

/// A client never gets an epoch above this one: the last number is left for fencing whoever holds it.
const LAST_USABLE_EPOCH: i16 = i16::MAX - 1;

/// A producer as it names itself in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// The version of the protocol that a transaction goes by (`transaction.version`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TransactionVersion {
    /// A producer keeps its epoch from transaction to transaction.
    V0,
    /// As before; the records have tagged fields.
    V1,
    /// Every end of a transaction is a new epoch, so that nothing late gets into the next transaction; partitions are added by
    /// writing to them (KIP-890).
    V2,
}

impl TransactionVersion {
    /// The number in Kafka's records.
    pub(crate) fn level(self) -> i16 {
        match self {
            TransactionVersion::V0 => 0,
            TransactionVersion::V1 => 1,
            TransactionVersion::V2 => 2,
        }
    }

    /// The version of a number.
    pub(crate) fn from_level(level: i16) -> Option<Self> {
        [TransactionVersion::V0, TransactionVersion::V1, TransactionVersion::V2].into_iter().find(|version| version.level() == level)
    }
}

/// One transactional id and its current transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionMetadata {
    pub(crate) transactional_id: StrBytes,
    pub(crate) producer: Producer,
    /// The producer before the last bump, if it may go on under the new epoch: it named itself when it asked for the bump, and
    /// asks again because the answer was lost, or the coordinator took its epoch together with its transaction.
    pub(crate) last: Producer,
    /// The producer id that takes the place of the present one with the end of the transaction, because the epochs of that are used
    /// up; [`NO_PRODUCER_ID`] otherwise.
    pub(crate) next_producer_id: i64,
    /// The version of the protocol that the present transaction goes by.
    pub(crate) version: TransactionVersion,
    pub(crate) timeout_ms: i32,
    pub(crate) state: State,
    /// Offsets of a group are records in a partition of `__consumer_offsets`, so that is among them.
    pub(crate) partitions: BTreeMap<String, BTreeSet<i32>>,
    pub(crate) started_at: i64,
    pub(crate) updated_at: i64,
}

impl TransactionMetadata {
    pub(crate) fn new(transactional_id: StrBytes, producer_id: i64, now: i64) -> Self {
        TransactionMetadata {
            transactional_id,
            producer: Producer { id: producer_id, epoch: NO_PRODUCER_EPOCH },
            last: Producer { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH },
            next_producer_id: NO_PRODUCER_ID,
            version: TransactionVersion::V0,
            timeout_ms: 0,
            state: State::Empty,
            partitions: BTreeMap::new(),
            started_at: now,
            updated_at: now,
        }
    }

    /// When the coordinator aborts the transaction by itself; `None` if there is none.
    pub(crate) fn deadline(&self) -> Option<i64> {
        (self.state == State::Ongoing).then(|| self.started_at + i64::from(self.timeout_ms))
    }

    /// Checks that a request comes from the current producer and finds the id at rest or in a transaction.
    ///
    /// # Errors
    /// `INVALID_PRODUCER_ID_MAPPING`, `PRODUCER_FENCED`; `CONCURRENT_TRANSACTIONS` while markers are being written.
    pub(crate) fn check(&self, producer: Producer) -> Result<(), ResponseError> {
        if self.producer.id != producer.id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if self.producer.epoch != producer.epoch && !mistake::is_made(Mistake::FencingForgotten) {
            return Err(ResponseError::ProducerFenced);
        }
        if self.state.is_ending() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        Ok(())
    }

    /// Whether a producer that names itself in InitProducerId may be this one. The epoch is checked by
    /// [`TransactionMetadata::initialize`].
    pub(crate) fn may_be(&self, expected: Producer) -> bool {
        self.producer.epoch == NO_PRODUCER_EPOCH
            || expected.id == self.producer.id
            // A repeated request, whose first answer brought a new producer id.
            || (expected.id == self.last.id && expected.epoch >= LAST_USABLE_EPOCH)
    }

    /// Whether a producer that may go on needs a new producer id for it, because there is no epoch left to give.
    pub(crate) fn is_exhausted_for(&self, expected: Option<Producer>) -> bool {
        let goes_on = match expected {
            None => true,
            Some(expected) if self.producer.epoch > LAST_USABLE_EPOCH => expected == self.last,
            Some(expected) => expected == self.producer,
        };
        self.producer.epoch >= LAST_USABLE_EPOCH && goes_on
    }

    /// Gives the id to a producer with the next epoch.
    ///
    /// # Errors
    /// `PRODUCER_FENCED` if `expected` is neither the current producer nor the one before it.
    pub(crate) fn initialize(&mut self, expected: Option<Producer>, timeout_ms: i32, now: i64) -> Result<Producer, ResponseError> {
        let bumped = self.producer.epoch.saturating_add(1);
        match expected {
            None => {
                self.producer.epoch = bumped;
                self.last.epoch = NO_PRODUCER_EPOCH;
            }
            Some(expected) if self.producer.epoch == NO_PRODUCER_EPOCH || expected.epoch == self.producer.epoch => {
                self.last.epoch = self.producer.epoch;
                self.producer.epoch = bumped;
            }
            // The answer to the bump was lost and the client asks again, or the coordinator has bumped by itself.
            Some(expected) if expected.epoch == self.last.epoch => {}
            Some(_) => return Err(ResponseError::ProducerFenced),
        }
        self.rest(timeout_ms, now);
        Ok(self.producer)
    }

    /// Gives the id to a producer with a new producer id, because the epochs of the old one are used up.
    pub(crate) fn rotate(&mut self, producer_id: i64, expected: Option<Producer>, timeout_ms: i32, now: i64) -> Producer {
        self.last = Producer { id: self.producer.id, epoch: expected.map_or(NO_PRODUCER_EPOCH, |expected| expected.epoch) };
        self.producer = Producer { id: producer_id, epoch: 0 };
        self.rest(timeout_ms, now);
        self.producer
    }

    fn rest(&mut self, timeout_ms: i32, now: i64) {
        self.state = State::Empty;
        self.timeout_ms = timeout_ms;
        self.updated_at = now;
    }

    /// Begins a transaction with its first partition or group, or goes on with it.
    pub(crate) fn begin(&mut self, version: TransactionVersion, now: i64) {
        self.version = version;
        if self.state != State::Ongoing {
            self.state = State::Ongoing;
            self.started_at = now;
        }
        self.updated_at = now;
    }

    /// Decides a transaction of version 0 or 1. Afterwards the id waits for [`TransactionMetadata::complete`].
    pub(crate) fn prepare(&mut self, commit: bool, now: i64) {
        self.state = if commit { State::PrepareCommit } else { State::PrepareAbort };
        self.updated_at = now;
    }

    /// Decides a transaction of version 2, or the abort of one that has not begun: the epoch of the producer becomes an old one, and the
    /// markers carry the new. The coordinator aborts so as well, whoever had begun: the producer that loses its transaction may still go
    /// on under the new epoch, by naming itself in InitProducerId before anybody else comes (KIP-588). `next_producer_id` is for a
    /// producer that has used up its epochs.
    pub(crate) fn prepare_with_bump(&mut self, commit: bool, next_producer_id: i64, now: i64) {
        if self.state != State::Ongoing {
            self.started_at = now;
        }
        if self.is_exhausted() {
            self.next_producer_id = next_producer_id;
        }
        self.last = self.producer;
        self.producer.epoch = self.producer.epoch.saturating_add(1);
        self.version = TransactionVersion::V2;
        self.prepare(commit, now);
    }

    /// Whether there is no epoch left for the time after the present transaction.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.producer.epoch >= LAST_USABLE_EPOCH
    }

    /// Whether EndTxn of version 2 asks once more for what has been done, because the answer, which had the new epoch, was lost.
    pub(crate) fn is_repeated_end(&self, producer: Producer) -> bool {
        let bumped = self.producer.id == producer.id && producer.epoch.checked_add(1) == Some(self.producer.epoch);
        bumped || self.is_repeated_over_rotation(producer)
    }

    /// As before, and the producer id is a new one since.
    fn is_repeated_over_rotation(&self, producer: Producer) -> bool {
        self.last.id == producer.id && producer.epoch == LAST_USABLE_EPOCH && self.producer.epoch == 0
    }

    /// Checks that EndTxn of version 2 comes from the producer of the present transaction, or from that of the last.
    ///
    /// # Errors
    /// `INVALID_PRODUCER_ID_MAPPING`, `PRODUCER_FENCED`.
    pub(crate) fn check_end(&self, producer: Producer) -> Result<(), ResponseError> {
        if self.producer.id != producer.id && !self.is_repeated_over_rotation(producer) {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        let present = self.producer == producer;
        let accepted = match self.state {
            State::Ongoing | State::Empty => present,
            State::PrepareCommit | State::PrepareAbort => self.is_repeated_end(producer),
            State::CompleteCommit | State::CompleteAbort => present || self.is_repeated_end(producer),
        };
        if accepted { Ok(()) } else { Err(ResponseError::ProducerFenced) }
    }

    /// Who the producer is from the end of the transaction on.
    pub(crate) fn producer_after_end(&self) -> Producer {
        match self.next_producer_id {
            NO_PRODUCER_ID => self.producer,
            id => Producer { id, epoch: 0 },
        }
    }

    /// All markers are written.
    pub(crate) fn complete(&mut self, now: i64) {
        self.state = match self.state {
            State::PrepareCommit => State::CompleteCommit,
            State::PrepareAbort => State::CompleteAbort,
            other => other,
        };
        self.producer = self.producer_after_end();
        self.next_producer_id = NO_PRODUCER_ID;
        self.partitions.clear();
        self.updated_at = now;
    }
}
