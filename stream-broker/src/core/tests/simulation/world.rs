//! A broker on a simulated disk, with a network that loses answers and a power switch.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use kafka_protocol::messages::{RequestKind, ResponseKind};

use crate::core::{Core, CoreConfig, Ids, Outbox, Outcome, Request, Ticket};
use crate::storage::tests::simulated::Simulated;
use crate::topic::internal::InternalTopics;

/// One request of so many is the last before a crash, which comes at any byte that it has the broker write.
const CRASH_ONE_IN: u64 = 40;
/// One answer of so many is lost.
const LOSS_ONE_IN: u64 = 40;

/// What became of a request.
#[expect(clippy::large_enum_variant, reason = "each is looked at once")]
pub(super) enum Sent {
    Answered(ResponseKind),
    /// The answer comes later: [`World::answer`].
    Parked(Ticket),
    /// Nobody knows whether it took effect.
    Lost,
}

/// What became of a parked request.
#[expect(clippy::large_enum_variant, reason = "each is looked at once")]
pub(super) enum Parked {
    Answered(ResponseKind),
    Waiting,
    Gone,
}

pub(super) struct World {
    config: CoreConfig,
    storage: Simulated,
    core: Core,
    pub(super) now: i64,
    chance: Ids,
    out: Outbox,
    parked: HashSet<Ticket>,
    answers: HashMap<Ticket, ResponseKind>,
    next_connection: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let mut chance = Ids::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let config = CoreConfig {
            internal_topics: InternalTopics { offsets_partitions: 1, transaction_partitions: 1, segment_bytes: 1 << 20 },
            checkpoint_interval_ms: 20_000,
            seed: chance.next(),
            ..CoreConfig::default()
        };
        let storage = Simulated::default();
        let now = 1_700_000_000_000;
        let core = Core::open(config.clone(), Arc::new(storage.clone()), now).expect("an empty disk");
        World {
            config,
            storage,
            core,
            now,
            chance,
            out: Outbox::default(),
            parked: HashSet::new(),
            answers: HashMap::new(),
            next_connection: 0,
        }
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.chance.next() % limit
    }

    pub(super) fn one_in(&mut self, limit: u64) -> bool {
        self.below(limit) == 0
    }

    fn handle(&mut self, version: i16, body: RequestKind) -> Ticket {
        self.next_connection += 1;
        let ticket = Ticket { connection: self.next_connection, request: 0 };
        let client_host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        self.core.handle(Request { ticket, version, client_id: Some("client"), client_host, body }, self.now, &mut self.out);
        ticket
    }

    fn collect(&mut self) {
        for (ticket, outcome) in self.out.drain() {
            if let Outcome::Answer(response) = outcome {
                self.parked.remove(&ticket);
                self.answers.insert(ticket, response);
            }
        }
    }

    /// Sends a request on a connection of its own.
    ///
    /// # Errors
    /// The broker does not come back from a crash.
    pub(super) fn send(&mut self, version: i16, body: impl Into<RequestKind>) -> Result<Sent, String> {
        let before = self.storage.changes();
        let crashes = self.one_in(CRASH_ONE_IN);
        let ticket = self.handle(version, body.into());
        if crashes {
            let made = self.storage.changes() - before;
            let whole = before + self.below(made as u64 + 1) as usize;
            let torn = if self.one_in(2) { self.below(120) as usize } else { 0 };
            let left = self.storage.after(whole, torn).or_else(|| self.storage.after(whole, 0));
            self.start_on(left.unwrap_or_else(|| self.storage.copy()))?;
            return Ok(Sent::Lost);
        }
        self.collect();
        if self.one_in(LOSS_ONE_IN) {
            self.give_up(ticket);
            return Ok(Sent::Lost);
        }
        Ok(match self.answers.remove(&ticket) {
            Some(response) => Sent::Answered(response),
            None => {
                self.parked.insert(ticket);
                Sent::Parked(ticket)
            }
        })
    }

    /// Asks without any trouble, to look at what there is.
    pub(super) fn ask(&mut self, version: i16, body: impl Into<RequestKind>) -> Result<ResponseKind, String> {
        let ticket = self.handle(version, body.into());
        self.collect();
        self.answers.remove(&ticket).ok_or_else(|| "a question is answered at once".to_owned())
    }

    pub(super) fn answer(&mut self, ticket: Ticket) -> Parked {
        match self.answers.remove(&ticket) {
            Some(response) => Parked::Answered(response),
            None if self.parked.contains(&ticket) => Parked::Waiting,
            None => Parked::Gone,
        }
    }

    /// The client closes the connection of a request.
    pub(super) fn give_up(&mut self, ticket: Ticket) {
        self.parked.remove(&ticket);
        self.answers.remove(&ticket);
        self.core.disconnected(ticket.connection);
    }

    /// Kills the broker between two requests.
    pub(super) fn crash(&mut self) -> Result<(), String> {
        self.start_on(self.storage.copy())
    }

    fn start_on(&mut self, storage: Simulated) -> Result<(), String> {
        self.out.drain();
        self.parked.clear();
        self.answers.clear();
        self.config.seed = self.chance.next();
        self.storage = storage;
        self.core = Core::open(self.config.clone(), Arc::new(self.storage.clone()), self.now)
            .map_err(|error| format!("the broker does not start after a crash: {error}"))?;
        Ok(())
    }

    /// Lets time pass; what is due is done at its time.
    pub(super) fn pass(&mut self, ms: i64) {
        let end = self.now + ms;
        while let Some(due) = self.core.next_deadline().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.core.tick(self.now, &mut self.out);
            self.collect();
        }
        self.now = end;
    }

    /// The clock jumps; what is due is done late.
    pub(super) fn jump(&mut self, ms: i64) {
        self.now += ms;
        self.core.tick(self.now, &mut self.out);
        self.collect();
    }
}
