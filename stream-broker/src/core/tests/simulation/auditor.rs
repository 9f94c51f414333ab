//! What clients were told, and whether what is there agrees with it.

use std::collections::{BTreeMap, HashMap, HashSet};

use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::protocol::StrBytes;

use super::requests::{self, PARTITIONS, SOURCE, TOPIC};
use super::world::World;
use crate::harness::body;
use crate::log::batch::{BatchHeader, HEADER_BYTES};
use crate::log::records::Records;

/// How a transaction ended, as its client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nobody asked for its commit.
    None,
    /// Its commit was asked for and not answered.
    InDoubt,
    Committed,
}

#[derive(Debug)]
struct Transaction {
    /// Partition, offset and value of what was acknowledged.
    written: Vec<(i32, i64, u64)>,
    /// Partition and offset.
    committing: Option<(i32, i64)>,
    ending: Ending,
}

/// The committed offset of a partition: what was acknowledged last, and what came after it without an answer.
#[derive(Debug)]
struct Committed {
    acknowledged: i64,
    in_doubt: Vec<i64>,
}

impl Default for Committed {
    fn default() -> Self {
        Committed { acknowledged: -1, in_doubt: Vec::new() }
    }
}

#[derive(Default)]
pub(super) struct Auditor {
    transactions: Vec<Transaction>,
    /// The transaction of each value that was sent in one.
    of_transaction: HashMap<u64, usize>,
    /// Records outside of transactions.
    acknowledged: Vec<(i32, i64, u64)>,
    committed: BTreeMap<(&'static str, i32), Committed>,
    /// Who was given a partition in a generation.
    owners: HashMap<(i32, i32), StrBytes>,
    newest_generation: i32,
    /// Members of generations that are over.
    past: Vec<(StrBytes, i32)>,
    next_value: u64,
}

impl Auditor {
    /// A number that was not used before, for a record or an offset.
    pub(super) fn fresh(&mut self) -> u64 {
        self.next_value += 1;
        self.next_value
    }

    pub(super) fn acknowledged(&mut self, partition: i32, offset: i64, value: u64) {
        self.acknowledged.push((partition, offset, value));
    }

    pub(super) fn begin(&mut self) -> usize {
        self.transactions.push(Transaction { written: Vec::new(), committing: None, ending: Ending::None });
        self.transactions.len() - 1
    }

    pub(super) fn sending(&mut self, transaction: usize, value: u64) {
        self.of_transaction.insert(value, transaction);
    }

    pub(super) fn written(&mut self, transaction: usize, partition: i32, offset: i64, value: u64) {
        self.transactions[transaction].written.push((partition, offset, value));
    }

    pub(super) fn committing(&mut self, transaction: usize, partition: i32, offset: i64) {
        self.transactions[transaction].committing = Some((partition, offset));
    }

    pub(super) fn ended(&mut self, transaction: usize, ending: Ending) {
        self.transactions[transaction].ending = ending;
        if let Some((partition, offset)) = self.transactions[transaction].committing {
            match ending {
                Ending::None => {}
                Ending::InDoubt => self.offset_in_doubt(SOURCE, partition, offset),
                Ending::Committed => self.offset_committed(SOURCE, partition, offset),
            }
        }
    }

    pub(super) fn offset_committed(&mut self, topic: &'static str, partition: i32, offset: i64) {
        self.committed.insert((topic, partition), Committed { acknowledged: offset, in_doubt: Vec::new() });
    }

    pub(super) fn offset_in_doubt(&mut self, topic: &'static str, partition: i32, offset: i64) {
        self.committed.entry((topic, partition)).or_default().in_doubt.push(offset);
    }

    /// A member was given partitions.
    pub(super) fn assigned(&mut self, generation: i32, member: &StrBytes, partitions: &[u8]) -> Result<(), String> {
        self.newest_generation = self.newest_generation.max(generation);
        for &partition in partitions {
            let owner = self.owners.entry((generation, i32::from(partition))).or_insert_with(|| member.clone());
            if owner != member {
                return Err(format!("in generation {generation} partition {partition} was given to {owner} and to {member}"));
            }
        }
        self.past.push((member.clone(), generation));
        Ok(())
    }

    /// A member of a generation committed an offset.
    pub(super) fn member_committed(&mut self, generation: i32, partition: i32, offset: i64) -> Result<(), String> {
        if generation < self.newest_generation {
            return Err(format!("a commit of generation {generation} was accepted after generation {} began", self.newest_generation));
        }
        self.offset_committed(TOPIC, partition, offset);
        Ok(())
    }

    /// A member of a generation that is over.
    pub(super) fn past_member(&self, choice: u64) -> Option<(StrBytes, i32)> {
        let past: Vec<_> = self.past.iter().filter(|(_, generation)| *generation < self.newest_generation).collect();
        let index = choice as usize % past.len().max(1);
        past.get(index).map(|past| (*past).clone())
    }

    /// Looks at everything. `at_rest` says that no transaction is open any more.
    pub(super) fn audit(&mut self, world: &mut World, at_rest: bool) -> Result<(), String> {
        let uncommitted = read(world, 0)?;
        let committed = read(world, 1)?;
        let mut seen = HashSet::new();
        for (place, value) in &uncommitted {
            if !seen.insert(*value) {
                return Err(format!("{value} is there twice, again at {place:?}"));
            }
        }
        let places: HashMap<u64, (i32, i64)> = uncommitted.iter().map(|(place, value)| (*value, *place)).collect();
        let visible: HashMap<u64, (i32, i64)> = committed.iter().map(|(place, value)| (*value, *place)).collect();
        for &(partition, offset, value) in &self.acknowledged {
            if places.get(&value) != Some(&(partition, offset)) {
                return Err(format!("{value} was acknowledged at {partition}:{offset} and is not there"));
            }
            if at_rest && !visible.contains_key(&value) {
                return Err(format!("{value}, outside of transactions, stays invisible"));
            }
        }
        for (_, value) in &committed {
            if let Some(&transaction) = self.of_transaction.get(value)
                && self.transactions[transaction].ending == Ending::None
            {
                return Err(format!("{value} is visible, but nobody asked for the commit of its transaction {transaction}"));
            }
        }
        for (number, transaction) in self.transactions.iter().enumerate() {
            let shown = transaction.written.iter().filter(|(partition, offset, value)| visible.get(value) == Some(&(*partition, *offset)));
            let shown = shown.count();
            // Open transactions of others hide what comes after them for a while.
            let whole = shown == transaction.written.len();
            let lost = at_rest && transaction.ending == Ending::Committed && !whole;
            let torn = at_rest && transaction.ending == Ending::InDoubt && !whole && shown > 0;
            if lost || torn {
                return Err(format!(
                    "{shown} of {} records of transaction {number} are visible: {transaction:?}",
                    transaction.written.len()
                ));
            }
        }
        self.audit_offsets(world)
    }

    fn audit_offsets(&mut self, world: &mut World) -> Result<(), String> {
        let answer = body!(OffsetFetch, world.ask(8, requests::committed())?);
        let topics = answer.groups.into_iter().flat_map(|group| group.topics);
        for topic in topics {
            let name = if topic.name.as_str() == TOPIC { TOPIC } else { SOURCE };
            for partition in topic.partitions {
                let known = self.committed.entry((name, partition.partition_index)).or_default();
                let found = partition.committed_offset;
                if found != known.acknowledged && !known.in_doubt.contains(&found) {
                    return Err(format!("{name}-{}: {found} is committed; it should be {known:?}", partition.partition_index));
                }
            }
        }
        Ok(())
    }
}

fn read(world: &mut World, isolation_level: i8) -> Result<Vec<((i32, i64), u64)>, String> {
    let mut found = Vec::new();
    for partition in 0..PARTITIONS {
        // An answer ends with its segment.
        let mut offset = Some(0);
        while let Some(from) = offset {
            let answer = body!(Fetch, world.ask(11, requests::fetch(partition, from, isolation_level))?);
            let data = &answer.responses[0].partitions[0];
            if data.error_code != 0 {
                return Err(format!("partition {partition} cannot be read from {from} on: error {}", data.error_code));
            }
            offset = collect(data, &mut found);
        }
    }
    Ok(found)
}

/// The records that a consumer hands out: without markers, and without those of transactions that the answer calls aborted. Where it goes
/// on, if there was anything.
fn collect(data: &PartitionData, found: &mut Vec<((i32, i64), u64)>) -> Option<i64> {
    let bytes = data.records.clone().unwrap_or_default();
    let mut rest = &bytes[..];
    let mut aborted: Vec<(i64, i64)> =
        data.aborted_transactions.iter().flatten().map(|transaction| (transaction.first_offset, transaction.producer_id.0)).collect();
    aborted.sort_unstable_by(|one, other| other.cmp(one));
    let mut aborting = HashSet::new();
    let mut next = None;
    while let Some(header) = BatchHeader::read(rest) {
        let Some((batch, after)) = rest.split_at_checked(header.size) else {
            break;
        };
        rest = after;
        next = Some(header.last_offset() + 1);
        while aborted.last().is_some_and(|(first, _)| *first <= header.last_offset()) {
            aborting.extend(aborted.pop().map(|(_, producer)| producer));
        }
        if header.is_control() {
            aborting.remove(&header.producer_id);
            continue;
        }
        if header.is_transactional() && aborting.contains(&header.producer_id) {
            continue;
        }
        for record in Records::new(&batch[HEADER_BYTES..]).map_while(Result::ok) {
            let value = record.value.and_then(|value| value.try_into().ok()).map_or(0, u64::from_be_bytes);
            found.push(((data.partition_index, header.base_offset + i64::from(record.offset_delta)), value));
        }
    }
    next
}
