//! Fetches that wait: for `min_bytes` to arrive, or for `max_wait_ms` to pass.
//!
//! A held fetch keeps its request and is looked at again whenever one of its partitions changes; what it returns is read at
//! the moment it is answered, so nothing that was appended meanwhile is missed.

pub(crate) mod read;

use std::collections::{BTreeSet, HashMap};

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::protocol::StrBytes;

use crate::core::{Core, Outbox, Ticket};
use crate::topic::partition::Isolation;

/// A fetch that has not got enough yet.
#[derive(Debug)]
struct HeldFetch {
    request: FetchRequest,
    deadline: i64,
}

/// All held fetches, found by partition, by deadline and by connection.
#[derive(Debug, Default)]
pub(crate) struct HeldFetches {
    held: HashMap<Ticket, HeldFetch>,
    waiting: HashMap<StrBytes, HashMap<i32, Vec<Ticket>>>,
    deadlines: BTreeSet<(i64, Ticket)>,
    /// A connection has one request under way at a time.
    by_connection: HashMap<u64, Ticket>,
}

impl HeldFetches {
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// Holds a fetch until one of its partitions can satisfy it, or until `deadline`.
    pub(crate) fn hold(&mut self, ticket: Ticket, request: FetchRequest, deadline: i64) {
        for topic in &request.topics {
            let partitions = self.waiting.entry(topic.topic.0.clone()).or_default();
            for partition in &topic.partitions {
                partitions.entry(partition.partition).or_default().push(ticket);
            }
        }
        self.deadlines.insert((deadline, ticket));
        self.by_connection.insert(ticket.connection, ticket);
        self.held.insert(ticket, HeldFetch { request, deadline });
    }

    pub(crate) fn disconnected(&mut self, connection: u64) {
        if let Some(&ticket) = self.by_connection.get(&connection) {
            self.release(ticket);
        }
    }

    fn waiting_on(&self, topic: &str, partition: i32) -> Vec<Ticket> {
        self.waiting.get(topic.as_bytes()).and_then(|partitions| partitions.get(&partition)).cloned().unwrap_or_default()
    }

    fn release(&mut self, ticket: Ticket) -> Option<FetchRequest> {
        let HeldFetch { request, deadline } = self.held.remove(&ticket)?;
        self.deadlines.remove(&(deadline, ticket));
        self.by_connection.remove(&ticket.connection);
        for topic in &request.topics {
            let Some(partitions) = self.waiting.get_mut(&topic.topic.0) else {
                continue;
            };
            for partition in &topic.partitions {
                if let Some(tickets) = partitions.get_mut(&partition.partition) {
                    tickets.retain(|&t| t != ticket);
                    if tickets.is_empty() {
                        partitions.remove(&partition.partition);
                    }
                }
            }
            if partitions.is_empty() {
                self.waiting.remove(&topic.topic.0);
            }
        }
        Some(request)
    }
}

/// Answers the fetches held on a partition that now have enough.
pub(crate) fn wake(core: &mut Core, topic: &str, partition: i32, out: &mut Outbox) {
    for ticket in core.fetches.waiting_on(topic, partition) {
        let satisfied = core.fetches.held.get(&ticket).is_some_and(|fetch| read::is_satisfied(&core.topics, &fetch.request));
        if satisfied {
            answer(core, ticket, out);
        }
    }
}

/// Answers the fetches whose wait is over with what there is.
pub(crate) fn expire(core: &mut Core, now: i64, out: &mut Outbox) {
    while let Some(&(deadline, ticket)) = core.fetches.deadlines.first() {
        if deadline > now {
            break;
        }
        answer(core, ticket, out);
    }
}

fn answer(core: &mut Core, ticket: Ticket, out: &mut Outbox) {
    if let Some(request) = core.fetches.release(ticket) {
        out.answer(ticket, read::response(&core.topics, &request));
    }
}

/// The isolation that a request asks for.
pub(crate) fn isolation(request: &FetchRequest) -> Isolation {
    Isolation::from_wire(request.isolation_level)
}
