//! A core with a hand-moved clock, for tests of what takes time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use kafka_protocol::messages::{RequestKind, ResponseKind};
use kafka_protocol::protocol::StrBytes;

use crate::core::{Core, CoreConfig, Outbox, Outcome, Request, Ticket};
use crate::storage::tests::simulated::Simulated;

/// See the module.
pub(crate) struct Harness {
    pub(crate) core: Core,
    pub(crate) now: i64,
    out: Outbox,
    answers: HashMap<Ticket, ResponseKind>,
    next_request: u64,
}

/// The body of a response of a known kind.
macro_rules! body {
    ($kind:ident, $response:expr) => {
        match $response {
            kafka_protocol::messages::ResponseKind::$kind(body) => body,
            other => panic!("unexpected {other:?}"),
        }
    };
}

pub(crate) use body;

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

impl Harness {
    pub(crate) fn new(config: CoreConfig) -> Self {
        Harness { core: Core::new(config), now: 1_000_000, out: Outbox::default(), answers: HashMap::new(), next_request: 0 }
    }

    /// A broker on a storage, as the last one there left it.
    pub(crate) fn on(storage: &Simulated, config: CoreConfig, now: i64) -> Self {
        let core = Core::open(config, Arc::new(storage.clone()), now).expect("the storage can be read");
        Harness { core, now, out: Outbox::default(), answers: HashMap::new(), next_request: 0 }
    }

    pub(crate) fn create_topic(&mut self, name: &str, partitions: i32) {
        let config = self.core.topics.new_config(Default::default()).expect("the defaults are valid");
        let id = self.core.ids.uuid();
        self.core.topics.create(name, id, partitions, config, self.now).expect("memory");
    }

    /// Sends a request on a connection of its own; the answer may come later.
    pub(crate) fn send(&mut self, version: i16, body: impl Into<RequestKind>) -> Ticket {
        self.next_request += 1;
        let ticket = Ticket { connection: self.next_request, request: 0 };
        let request =
            Request { ticket, version, client_id: Some("client"), client_host: IpAddr::V4(Ipv4Addr::LOCALHOST), body: body.into() };
        self.core.handle(request, self.now, &mut self.out);
        self.collect();
        ticket
    }

    /// The answer to an earlier request, if it has come.
    pub(crate) fn answer(&mut self, ticket: Ticket) -> Option<ResponseKind> {
        self.answers.remove(&ticket)
    }

    /// Sends a request that is answered at once.
    pub(crate) fn call(&mut self, version: i16, body: impl Into<RequestKind>) -> ResponseKind {
        let ticket = self.send(version, body);
        self.answer(ticket).expect("an answer at once")
    }

    /// Lets time pass, with a tick at every deadline, as the event loop does it.
    pub(crate) fn pass(&mut self, ms: i64) {
        let end = self.now + ms;
        while let Some(due) = self.core.next_deadline().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.core.tick(self.now, &mut self.out);
            self.collect();
        }
        self.now = end;
    }

    pub(crate) fn disconnect(&mut self, ticket: Ticket) {
        self.core.disconnected(ticket.connection);
    }

    fn collect(&mut self) {
        for (ticket, outcome) in self.out.drain() {
            if let Outcome::Answer(response) = outcome {
                let earlier = self.answers.insert(ticket, response);
                assert!(earlier.is_none(), "a request is answered once");
            }
        }
    }
}
