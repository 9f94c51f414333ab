//! A transactional producer, and those that it was before.

use std::collections::HashMap;

use kafka_protocol::messages::ResponseKind;
use kafka_protocol::protocol::StrBytes;

use super::auditor::{Auditor, Ending};
use super::requests::{self, PARTITIONS, Producer};
use super::world::{Sent, World};
use crate::harness::{body, text};

const CONCURRENT_TRANSACTIONS: i16 = 51;
const TIMEOUT_MS: i32 = 30_000;

struct Open {
    number: usize,
    partitions: Vec<i32>,
    /// The end that was asked for without an answer.
    ending: Option<bool>,
}

pub(super) struct Transactional {
    id: StrBytes,
    /// Its partition of the source.
    source: i32,
    producer: Option<Producer>,
    sequences: HashMap<i32, i32>,
    open: Option<Open>,
    /// Producers that were fenced.
    zombies: Vec<Producer>,
    /// It knows version 2 of transactions (KIP-890): partitions join a transaction with their first record, and each end brings a new epoch.
    version_2: bool,
    /// Those that will be when there is a new one.
    gone: Vec<Producer>,
}

/// The error code of an answer; `None` if it was lost.
fn code(sent: Sent, of: impl FnOnce(ResponseKind) -> i16) -> Option<i16> {
    match sent {
        Sent::Answered(response) => Some(of(response)),
        Sent::Parked(_) | Sent::Lost => None,
    }
}

fn added(response: ResponseKind) -> i16 {
    body!(AddPartitionsToTxn, response).results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
}

fn group_added(response: ResponseKind) -> i16 {
    body!(AddOffsetsToTxn, response).error_code
}

fn offset_added(response: ResponseKind) -> i16 {
    body!(TxnOffsetCommit, response).topics[0].partitions[0].error_code
}

fn ended(response: ResponseKind) -> i16 {
    body!(EndTxn, response).error_code
}

impl Transactional {
    pub(super) fn new(index: i32, version_2: bool) -> Self {
        Transactional {
            id: text(&format!("id-{index}")),
            source: index,
            producer: None,
            sequences: HashMap::new(),
            open: None,
            zombies: Vec::new(),
            version_2,
            gone: Vec::new(),
        }
    }

    /// The process ends; another takes its place.
    fn replace(&mut self) {
        self.gone.extend(self.producer.take());
        self.open = None;
    }

    pub(super) fn step(&mut self, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        let Some(producer) = self.producer else {
            return self.init(world);
        };
        if world.one_in(6) {
            self.zombie(world, auditor)?;
        }
        if world.one_in(12) {
            self.replace();
            return Ok(());
        }
        let Some(open) = &self.open else {
            return self.begin(producer, world, auditor);
        };
        if let Some(commit) = open.ending {
            return self.end(producer, commit, world, auditor);
        }
        match world.below(6) {
            0..=2 => self.produce(producer, world, auditor),
            3 => self.commit_offset(producer, world, auditor),
            _ => {
                let commit = !world.one_in(3);
                self.end(producer, commit, world, auditor)
            }
        }
    }

    fn init(&mut self, world: &mut World) -> Result<(), String> {
        if let Sent::Answered(response) = world.send(4, requests::init(Some(&self.id), TIMEOUT_MS))? {
            let response = body!(InitProducerId, response);
            match response.error_code {
                0 => {
                    self.producer = Some((response.producer_id.0, response.producer_epoch));
                    self.zombies.append(&mut self.gone);
                    self.sequences.clear();
                }
                CONCURRENT_TRANSACTIONS => {}
                code => return Err(format!("{} is refused a producer id: {code}", self.id)),
            }
        }
        Ok(())
    }

    fn begin(&mut self, producer: Producer, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        let first = world.below(PARTITIONS as u64) as i32;
        let partitions = if world.one_in(2) { vec![first, (first + 1) % PARTITIONS] } else { vec![first] };
        if self.version_2 {
            self.open = Some(Open { number: auditor.begin(), partitions, ending: None });
            return Ok(());
        }
        let sent = world.send(3, requests::add_partitions(&self.id, producer, partitions.clone()))?;
        match code(sent, added) {
            Some(0) => self.open = Some(Open { number: auditor.begin(), partitions, ending: None }),
            Some(CONCURRENT_TRANSACTIONS) => {}
            _ => self.replace(),
        }
        Ok(())
    }

    fn produce(&mut self, producer: Producer, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let number = open.number;
        let partition = open.partitions[world.below(open.partitions.len() as u64) as usize];
        let sequence = self.sequences.get(&partition).copied().unwrap_or(0);
        let value = auditor.fresh();
        auditor.sending(number, value);
        let request = requests::produce(Some(&self.id), producer, partition, sequence, value, world.now);
        match world.send(if self.version_2 { 12 } else { 9 }, request)? {
            Sent::Answered(response) => {
                let answer = body!(Produce, response).responses.remove(0).partition_responses.remove(0);
                if answer.error_code == 0 {
                    self.sequences.insert(partition, sequence + 1);
                    auditor.written(number, partition, answer.base_offset, value);
                } else {
                    self.replace();
                }
            }
            Sent::Parked(_) | Sent::Lost => self.replace(),
        }
        Ok(())
    }

    fn commit_offset(&mut self, producer: Producer, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        let Some(number) = self.open.as_ref().map(|open| open.number) else {
            return Ok(());
        };
        if !self.version_2 && code(world.send(3, requests::add_offsets(&self.id, producer))?, group_added) != Some(0) {
            self.replace();
            return Ok(());
        }
        let offset = auditor.fresh() as i64;
        let version = if self.version_2 { 5 } else { 3 };
        let sent = world.send(version, requests::commit_in_transaction(&self.id, producer, self.source, offset))?;
        match code(sent, offset_added) {
            Some(0) => auditor.committing(number, self.source, offset),
            _ => self.replace(),
        }
        Ok(())
    }

    fn end(&mut self, producer: Producer, commit: bool, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let sent = world.send(if self.version_2 { 5 } else { 3 }, requests::end(&self.id, producer, commit))?;
        let mut next = producer;
        let code = code(sent, |response| {
            let response = body!(EndTxn, response);
            next = (response.producer_id.0, response.producer_epoch);
            response.error_code
        });
        match code {
            Some(0) => {
                if self.version_2 && next != producer {
                    self.producer = Some(next);
                    self.sequences.clear();
                }
                if commit {
                    auditor.ended(open.number, Ending::Committed);
                }
                self.open = None;
            }
            Some(CONCURRENT_TRANSACTIONS) => {}
            Some(_) => self.replace(),
            None => {
                if commit {
                    auditor.ended(open.number, Ending::InDoubt);
                }
                open.ending = Some(commit);
            }
        }
        Ok(())
    }

    /// A producer that was replaced wakes up and goes on as if nothing had happened.
    fn zombie(&mut self, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        let Some(zombie) = self.zombies.get(world.below(self.zombies.len().max(1) as u64) as usize).copied() else {
            return Ok(());
        };
        let (id, partition) = (self.id.clone(), world.below(PARTITIONS as u64) as i32);
        let (what, code) = match world.below(4) {
            0 => ("EndTxn", code(world.send(3, requests::end(&id, zombie, true))?, ended)),
            1 => ("AddPartitionsToTxn", code(world.send(3, requests::add_partitions(&id, zombie, vec![partition]))?, added)),
            2 => {
                let request = requests::commit_in_transaction(&id, zombie, self.source, auditor.fresh() as i64);
                ("TxnOffsetCommit", code(world.send(3, request)?, offset_added))
            }
            _ => {
                let request = requests::produce(Some(&id), zombie, partition, 0, auditor.fresh(), world.now);
                let written = |response| body!(Produce, response).responses[0].partition_responses[0].error_code;
                ("Produce", code(world.send(9, request)?, written))
            }
        };
        if code == Some(0) { Err(format!("{what} of {zombie:?} was accepted after {:?} took its place", self.producer)) } else { Ok(()) }
    }
}
