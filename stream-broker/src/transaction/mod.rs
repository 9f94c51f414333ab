//! The transaction coordinator: transactional ids, their producers and their transactions, as each client's version of the protocol has
//! them (see [`TransactionVersion`]).
//!
//! [`Transactions`] decides; [`logged`] writes each decision to `__transaction_state`; [`end`] carries it out by writing markers to
//! the partitions and completing the offsets of the groups. In between an id is in a `Prepare…` state, and every request for it is
//! told to come again.

mod log;
mod marker;
mod metadata;
mod record;
mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use crate::core::{Core, CoreConfig, Outbox};
use crate::topic::internal::CONSUMER_OFFSETS;

pub(crate) use log::logged;
pub(crate) use marker::end;
use metadata::TransactionMetadata;
pub(crate) use metadata::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Producer, TransactionVersion};
pub(crate) use state::State;

/// `transaction.remove.expired.transaction.cleanup.interval.ms`
const EXPIRATION_CHECK_INTERVAL_MS: i64 = 3_600_000;

/// The answer to InitProducerId.
#[derive(Debug)]
pub(crate) enum Initialization {
    /// The producer may begin.
    Ready(Producer),
    /// A transaction is open and is aborted first; then the client has to ask again.
    AbortFirst,
}

/// What is to be done about EndTxn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The transaction is decided: its markers are to be written. The producer goes on as this one.
    Prepared(Producer),
    /// It has ended this way before: the answer to the first request, with this producer, was lost.
    Repeated(Producer),
}

/// All transactional ids of the broker.
#[derive(Debug)]
pub(crate) struct Transactions {
    ids: HashMap<StrBytes, TransactionMetadata>,
    /// Transactional ids by the producer id that each has now.
    by_producer: HashMap<i64, StrBytes>,
    /// When open transactions time out.
    deadlines: BTreeSet<(i64, StrBytes)>,
    /// Decided transactions whose markers are to be written again, and when.
    unfinished: BTreeSet<(i64, StrBytes)>,
    next_producer_id: i64,
    next_expiration_check: Option<i64>,
    max_timeout_ms: i32,
    expiration_ms: i64,
}

impl Transactions {
    pub(crate) fn new(config: &CoreConfig) -> Self {
        Transactions {
            ids: HashMap::new(),
            by_producer: HashMap::new(),
            deadlines: BTreeSet::new(),
            unfinished: BTreeSet::new(),
            next_producer_id: 0,
            next_expiration_check: None,
            max_timeout_ms: config.transaction_max_timeout_ms,
            expiration_ms: config.transactional_id_expiration_ms,
        }
    }

    /// A producer id that was never given out.
    pub(crate) fn next_producer_id(&mut self) -> i64 {
        let id = self.next_producer_id;
        self.next_producer_id += 1;
        id
    }

    /// The producer id that will be given out next.
    pub(crate) fn peek_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// Gives out no producer id below this one.
    pub(crate) fn begin_producer_ids_at(&mut self, id: i64) {
        self.next_producer_id = self.next_producer_id.max(id);
    }

    /// Makes a transactional id what it was, or was written to be.
    pub(crate) fn restore(&mut self, transactional_id: &StrBytes, transaction: Option<TransactionMetadata>) {
        if let Some(present) = self.ids.remove(transactional_id) {
            self.by_producer.remove(&present.producer.id);
            self.deadlines.remove(&(present.started_at + i64::from(present.timeout_ms), transactional_id.clone()));
        }
        if let Some(transaction) = transaction {
            // Not the text that was given, which may be part of a request's frame.
            let id = transaction.transactional_id.clone();
            self.by_producer.insert(transaction.producer.id, id.clone());
            self.ids.insert(id, transaction);
            self.reschedule(transactional_id);
        }
    }

    /// Has the markers of a decided transaction written again at a time.
    pub(crate) fn end_again(&mut self, transactional_id: &StrBytes, at: i64) {
        self.unfinished.insert((at, transactional_id.clone()));
    }

    /// Has the markers of all decided transactions written, after a restart.
    pub(crate) fn end_all_decided(&mut self, now: i64) {
        let decided = self.ids.values().filter(|transaction| transaction.state.is_ending());
        self.unfinished.extend(decided.map(|transaction| (now, transaction.transactional_id.clone())));
    }

    /// What is known of a transactional id.
    pub(crate) fn get(&self, transactional_id: &StrBytes) -> Option<&TransactionMetadata> {
        self.ids.get(transactional_id)
    }

    /// All transactional ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TransactionMetadata> {
        self.ids.values()
    }

    /// InitProducerId of a transactional producer. `expected` is the producer that the client has been so far, if it says.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `INVALID_TRANSACTION_TIMEOUT`, `PRODUCER_FENCED`; `CONCURRENT_TRANSACTIONS` while markers are
    /// being written.
    pub(crate) fn initialize(
        &mut self,
        transactional_id: &StrBytes,
        timeout_ms: i32,
        expected: Option<Producer>,
        now: i64,
    ) -> Result<Initialization, ResponseError> {
        if transactional_id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        if timeout_ms <= 0 || timeout_ms > self.max_timeout_ms {
            return Err(ResponseError::InvalidTransactionTimeout);
        }
        if !self.ids.contains_key(transactional_id) {
            let producer_id = self.next_producer_id();
            // Not the text of the request, which would keep its whole frame in memory.
            let id = StrBytes::from_string(transactional_id.as_str().to_owned());
            self.by_producer.insert(producer_id, id.clone());
            let transaction = TransactionMetadata::new(id.clone(), producer_id, now);
            self.ids.insert(id, transaction);
        }
        let new_producer_id = self.next_producer_id;
        let transaction = self.existing(transactional_id)?;
        if expected.is_some_and(|expected| !transaction.may_be(expected)) {
            return Err(ResponseError::ProducerFenced);
        }
        match transaction.state {
            State::PrepareCommit | State::PrepareAbort => Err(ResponseError::ConcurrentTransactions),
            State::Ongoing => {
                self.prepare_with_bump(transactional_id, false, now)?;
                Ok(Initialization::AbortFirst)
            }
            State::Empty | State::CompleteCommit | State::CompleteAbort => {
                if !transaction.is_exhausted_for(expected) {
                    return transaction.initialize(expected, timeout_ms, now).map(Initialization::Ready);
                }
                let old = transaction.producer.id;
                let producer = transaction.rotate(new_producer_id, expected, timeout_ms, now);
                self.next_producer_id += 1;
                if let Some(id) = self.by_producer.remove(&old) {
                    self.by_producer.insert(producer.id, id);
                }
                Ok(Initialization::Ready(producer))
            }
        }
    }

    /// AddPartitionsToTxn: the producer is about to write to these partitions, which exist.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `INVALID_PRODUCER_ID_MAPPING`, `PRODUCER_FENCED`, `CONCURRENT_TRANSACTIONS`.
    pub(crate) fn add_partitions<'a>(
        &mut self,
        transactional_id: &StrBytes,
        producer: Producer,
        partitions: impl IntoIterator<Item = (&'a str, i32)>,
        version: TransactionVersion,
        now: i64,
    ) -> Result<(), ResponseError> {
        let transaction = self.existing(transactional_id)?;
        transaction.check(producer)?;
        for (topic, partition) in partitions {
            if !transaction.partitions.contains_key(topic) {
                transaction.partitions.insert(topic.to_owned(), BTreeSet::new());
            }
            if let Some(indexes) = transaction.partitions.get_mut(topic) {
                indexes.insert(partition);
            }
        }
        transaction.begin(version, now);
        self.reschedule(transactional_id);
        Ok(())
    }

    /// Whether partitions are part of the producer's open transaction.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `INVALID_PRODUCER_ID_MAPPING`, `PRODUCER_FENCED`, `CONCURRENT_TRANSACTIONS`.
    pub(crate) fn verify_partitions<'a>(
        &mut self,
        transactional_id: &StrBytes,
        producer: Producer,
        partitions: impl IntoIterator<Item = (&'a str, i32)>,
    ) -> Result<Vec<bool>, ResponseError> {
        let transaction = self.existing(transactional_id)?;
        transaction.check(producer)?;
        let is_part = |(topic, index): (&str, i32)| transaction.partitions.get(topic).is_some_and(|indexes| indexes.contains(&index));
        Ok(partitions.into_iter().map(is_part).collect())
    }

    /// Checks that a TxnOffsetCommit belongs to the open transaction of its producer. `partition` is the one of `__consumer_offsets`
    /// where the group is.
    ///
    /// # Errors
    /// `INVALID_PRODUCER_ID_MAPPING`; `INVALID_PRODUCER_EPOCH` for a fenced producer; `CONCURRENT_TRANSACTIONS`;
    /// `INVALID_TXN_STATE` if the group was not added.
    pub(crate) fn check_group(&self, transactional_id: &StrBytes, producer: Producer, partition: i32) -> Result<(), ResponseError> {
        let transaction = self.ids.get(transactional_id).ok_or(ResponseError::InvalidProducerIdMapping)?;
        match transaction.check(producer) {
            // No version of this request knows PRODUCER_FENCED.
            Err(ResponseError::ProducerFenced) => return Err(ResponseError::InvalidProducerEpoch),
            other => other?,
        }
        let added = transaction.partitions.get(CONSUMER_OFFSETS).is_some_and(|indexes| indexes.contains(&partition));
        if transaction.state == State::Ongoing && added { Ok(()) } else { Err(ResponseError::InvalidTxnState) }
    }

    /// EndTxn of a client that goes by version 0 or 1.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, `INVALID_PRODUCER_ID_MAPPING`, `PRODUCER_FENCED`, `CONCURRENT_TRANSACTIONS`; `INVALID_TXN_STATE`
    /// if there is no transaction or it ended the other way.
    pub(crate) fn prepare_end(
        &mut self,
        transactional_id: &StrBytes,
        producer: Producer,
        commit: bool,
        now: i64,
    ) -> Result<Ending, ResponseError> {
        let transaction = self.existing(transactional_id)?;
        if transaction.state.is_ending() {
            let same = (transaction.state == State::PrepareCommit) == commit;
            let rightful = transaction.check(producer);
            return Err(match rightful {
                Err(ResponseError::ConcurrentTransactions) if !same => ResponseError::InvalidTxnState,
                Err(error) => error,
                Ok(()) => ResponseError::ConcurrentTransactions,
            });
        }
        transaction.check(producer)?;
        match (transaction.state, commit) {
            (State::Ongoing, _) => {
                transaction.version = TransactionVersion::V0;
                transaction.prepare(commit, now);
                self.reschedule(transactional_id);
                Ok(Ending::Prepared(producer))
            }
            (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(Ending::Repeated(producer)),
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    /// EndTxn of a client that goes by version 2. A transaction that has not begun may be aborted as well: the client cannot know
    /// whether a write of its own has begun one.
    ///
    /// # Errors
    /// As [`Transactions::prepare_end`].
    pub(crate) fn prepare_end_with_bump(
        &mut self,
        transactional_id: &StrBytes,
        producer: Producer,
        commit: bool,
        now: i64,
    ) -> Result<Ending, ResponseError> {
        let transaction = self.existing(transactional_id)?;
        transaction.check_end(producer)?;
        let repeated = transaction.is_repeated_end(producer);
        match (transaction.state, commit) {
            (State::PrepareCommit, true) | (State::PrepareAbort, false) => Err(ResponseError::ConcurrentTransactions),
            (State::CompleteCommit, true) | (State::CompleteAbort, false) if repeated => Ok(Ending::Repeated(transaction.producer)),
            (State::Ongoing, _) => self.prepare_with_bump(transactional_id, commit, now).map(Ending::Prepared),
            (State::Empty | State::CompleteCommit | State::CompleteAbort, false) if !repeated => {
                self.prepare_with_bump(transactional_id, false, now).map(Ending::Prepared)
            }
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    /// Decides a transaction and gives its producer the next epoch; a new producer id with the end, if there is no epoch left. Returns
    /// who the producer will be.
    fn prepare_with_bump(&mut self, transactional_id: &StrBytes, commit: bool, now: i64) -> Result<Producer, ResponseError> {
        let next = self.next_producer_id;
        let transaction = self.existing(transactional_id)?;
        transaction.prepare_with_bump(commit, next, now);
        let after = transaction.producer_after_end();
        if after.id == next {
            self.next_producer_id += 1;
        }
        self.reschedule(transactional_id);
        Ok(after)
    }

    /// All markers of the transaction are written.
    pub(crate) fn complete(&mut self, transactional_id: &StrBytes, now: i64) {
        if let Some(transaction) = self.ids.get_mut(transactional_id) {
            let old = transaction.producer.id;
            transaction.complete(now);
            let new = transaction.producer.id;
            if old != new
                && let Some(id) = self.by_producer.remove(&old)
            {
                self.by_producer.insert(new, id);
            }
        }
    }

    /// The next transaction that has been open for too long.
    fn next_timed_out(&mut self, now: i64) -> Option<StrBytes> {
        while let Some((deadline, _)) = self.deadlines.first()
            && *deadline <= now
            && let Some((_, id)) = self.deadlines.pop_first()
        {
            if self.ids.get(&id).and_then(TransactionMetadata::deadline).is_some_and(|deadline| deadline <= now) {
                return Some(id);
            }
        }
        None
    }

    /// The next decided transaction whose markers are to be written again.
    fn next_unfinished(&mut self, now: i64) -> Option<StrBytes> {
        self.unfinished.first().filter(|(at, _)| *at <= now)?;
        self.unfinished.pop_first().map(|(_, id)| id)
    }

    /// Aborts a transaction that has been open for too long, and fences its producer.
    fn prepare_timeout(&mut self, transactional_id: &StrBytes, now: i64) -> Result<(), ResponseError> {
        self.prepare_with_bump(transactional_id, false, now).map(|_| ())
    }

    /// Forgets ids that have been at rest for `transactional.id.expiration.ms`, and names them.
    fn expire_ids(&mut self, now: i64) -> Vec<StrBytes> {
        let check = *self.next_expiration_check.get_or_insert(now + EXPIRATION_CHECK_INTERVAL_MS);
        if check > now {
            return Vec::new();
        }
        self.next_expiration_check = Some(now + EXPIRATION_CHECK_INTERVAL_MS);
        let oldest = now - self.expiration_ms;
        let is_over = |transaction: &&TransactionMetadata| {
            let at_rest = transaction.state != State::Ongoing && !transaction.state.is_ending();
            at_rest && transaction.updated_at <= oldest
        };
        let expired: Vec<StrBytes> = self.ids.values().filter(is_over).map(|transaction| transaction.transactional_id.clone()).collect();
        for id in &expired {
            self.restore(id, None);
        }
        expired
    }

    /// The earliest time at which [`tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        let timeout = self.deadlines.first().map(|(deadline, _)| *deadline);
        let expiration = self.next_expiration_check.filter(|_| !self.ids.is_empty());
        let unfinished = self.unfinished.first().map(|(at, _)| *at);
        timeout.into_iter().chain(expiration).chain(unfinished).min()
    }

    fn existing(&mut self, transactional_id: &StrBytes) -> Result<&mut TransactionMetadata, ResponseError> {
        if transactional_id.is_empty() {
            return Err(ResponseError::InvalidRequest);
        }
        self.ids.get_mut(transactional_id).ok_or(ResponseError::InvalidProducerIdMapping)
    }

    /// Looks at an open transaction again at a time, although it is over.
    fn postpone(&mut self, transactional_id: &StrBytes, until: i64) {
        if let Some(transaction) = self.ids.get(transactional_id) {
            self.deadlines.remove(&(transaction.started_at + i64::from(transaction.timeout_ms), transactional_id.clone()));
        }
        self.deadlines.insert((until, transactional_id.clone()));
    }

    fn reschedule(&mut self, transactional_id: &StrBytes) {
        let Some(transaction) = self.ids.get(transactional_id) else {
            return;
        };
        let deadline = transaction.started_at + i64::from(transaction.timeout_ms);
        let entry = (deadline, transaction.transactional_id.clone());
        if transaction.deadline().is_some() {
            self.deadlines.insert(entry);
        } else {
            self.deadlines.remove(&entry);
        }
    }
}

/// How long to wait after a disk error before a transaction that timed out is aborted again.
const RETRY_MS: i64 = 1_000;

/// Does what is due at `now`: aborts transactions that have been open for too long, forgets unused ids.
pub(crate) fn tick(core: &mut Core, now: i64, out: &mut Outbox) {
    while let Some(id) = core.transactions.next_timed_out(now) {
        if logged(core, &id, now, |transactions| transactions.prepare_timeout(&id, now)).is_ok() {
            end(core, &id, now, out);
        } else {
            core.transactions.postpone(&id, now + RETRY_MS);
        }
    }
    while let Some(id) = core.transactions.next_unfinished(now) {
        end(core, &id, now, out);
    }
    let expired = core.transactions.expire_ids(now);
    log::forget(core, &expired, now);
}
