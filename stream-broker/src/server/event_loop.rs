//! The event loop.
//!
//! It reads frames, hands requests to the core, and sends what the core answers. Nothing in it blocks but the wait for
//! events. No client can hold up another: a connection does a bounded amount of work each turn, and one whose answers are not
//! read is not read from either.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::Duration;

use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use tracing::{debug, warn};

use super::clock::Clock;
use super::command::Command;
use super::connection::{Connection, ReadOutcome};
use super::frame::{self, Incoming, Origin};
use crate::api;
use crate::core::{Core, Outbox, Outcome, Request, Ticket};
use crate::fault::gate::{Delivery, Gate};

const WAKER: Token = Token(0);
const LISTENER: Token = Token(1);
const FIRST_CONNECTION: usize = 2;

/// Requests from inside the process bear this connection.
const INTERNAL: u64 = u64::MAX;

const SCRATCH_BYTES: usize = 256 << 10;
/// Work of one connection before the others have their turn.
const REQUESTS_PER_TURN: usize = 64;
/// Turns of connections before the next look at events.
const TURNS_BETWEEN_EVENTS: usize = 256;
/// How long to wait before accepting again when the process has run out of file descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Limits of every connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `socket.request.max.bytes`.
    pub(crate) request_max_bytes: usize,
    /// Unsent bytes above which a connection's next request is left in the socket.
    pub(crate) unsent_max_bytes: usize,
}

/// See the module.
pub(crate) struct EventLoop {
    poll: Poll,
    address: SocketAddr,
    listener: Option<TcpListener>,
    accept_failed: bool,
    connections: HashMap<Token, Connection>,
    next_token: usize,
    runnable: VecDeque<Token>,
    core: Core,
    /// Where faults strike.
    gate: Gate,
    outbox: Outbox,
    commands: Receiver<Command>,
    internal: HashMap<u64, SyncSender<ResponseKind>>,
    next_internal: u64,
    clock: Clock,
    limits: Limits,
    scratch: Vec<u8>,
}

impl EventLoop {
    /// The loop's poll and the waker for its commands.
    ///
    /// # Errors
    /// The operating system refuses the resources.
    pub(crate) fn poll() -> io::Result<(Poll, Arc<Waker>)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok((poll, waker))
    }

    /// A loop that listens already.
    ///
    /// # Errors
    /// The listener cannot be watched.
    pub(crate) fn new(
        poll: Poll,
        mut listener: TcpListener,
        core: Core,
        commands: Receiver<Command>,
        limits: Limits,
        clock: Clock,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(EventLoop {
            poll,
            address,
            listener: Some(listener),
            accept_failed: false,
            connections: HashMap::new(),
            next_token: FIRST_CONNECTION,
            runnable: VecDeque::new(),
            gate: Gate::new(core.config.seed),
            core,
            outbox: Outbox::default(),
            commands,
            internal: HashMap::new(),
            next_internal: 0,
            clock,
            limits,
            scratch: vec![0; SCRATCH_BYTES],
        })
    }

    /// Runs until it is told to stop, or all handles are gone.
    ///
    /// # Errors
    /// The wait for events fails; without it the loop cannot go on.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            for event in &events {
                match event.token() {
                    WAKER => {
                        if !self.take_commands() {
                            let now = self.clock.now();
                            return self.core.close(now);
                        }
                    }
                    LISTENER => self.accept(),
                    token => self.note_readiness(token, event),
                }
            }
            if self.accept_failed {
                self.accept();
            }
            self.run_queue();
            let now = self.clock.now();
            if self.next_deadline().is_some_and(|due| due <= now) {
                self.tick(now);
                self.run_queue();
            }
        }
    }

    /// Does what is due.
    fn tick(&mut self, now: i64) {
        self.core.tick(now, &mut self.outbox);
        for connection in self.gate.tick(&mut self.core, now, &mut self.outbox) {
            let token = Token(connection as usize);
            if let Some(connection) = self.connections.get_mut(&token) {
                connection.muted = false;
            }
            self.enqueue(token);
        }
        self.deliver(None);
    }

    fn next_deadline(&self) -> Option<i64> {
        [self.core.next_deadline(), self.gate.next_deadline()].into_iter().flatten().min()
    }

    fn timeout(&mut self) -> Option<Duration> {
        if !self.runnable.is_empty() {
            return Some(Duration::ZERO);
        }
        let backoff = self.accept_failed.then_some(ACCEPT_BACKOFF);
        let now = self.clock.now();
        // A clock that stands still reaches nothing by waiting.
        let due = self.next_deadline().filter(|due| self.clock.runs() || *due <= now);
        let due = due.map(|due| Duration::from_millis(due.saturating_sub(now).max(0).unsigned_abs()));
        [backoff, due].into_iter().flatten().min()
    }

    fn note_readiness(&mut self, token: Token, event: &Event) {
        let Some(connection) = self.connections.get_mut(&token) else {
            return;
        };
        connection.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        // A client that is gone must not be waited for: its held request would keep its place in a group or a partition.
        if event.is_error() || (event.is_read_closed() && connection.pending.is_some()) {
            self.close(token);
        } else {
            self.enqueue(token);
        }
    }

    fn enqueue(&mut self, token: Token) {
        if let Some(connection) = self.connections.get_mut(&token)
            && !connection.queued
        {
            connection.queued = true;
            self.runnable.push_back(token);
        }
    }

    /// Gives connections that have work a turn each, in the order in which their work came up, until there is none left or it
    /// is time to look at events again.
    fn run_queue(&mut self) {
        for _ in 0..TURNS_BETWEEN_EVENTS {
            let Some(token) = self.runnable.pop_front() else {
                return;
            };
            if let Some(connection) = self.connections.get_mut(&token) {
                connection.queued = false;
            }
            self.turn(token);
        }
    }

    fn turn(&mut self, token: Token) {
        match self.serve(token) {
            Ok(true) => self.enqueue(token),
            Ok(false) => {}
            Err(reason) => {
                debug!(connection = token.0, %reason, "closing a connection");
                self.close(token);
            }
        }
    }

    /// Handles requests of one connection until it waits for something; `true` if it was interrupted for the others' sake.
    fn serve(&mut self, token: Token) -> Result<bool, Box<dyn std::error::Error>> {
        let mut handled = 0;
        loop {
            let Some(connection) = self.connections.get_mut(&token) else {
                return Ok(false);
            };
            let blocked = connection.is_blocked();
            if blocked || connection.outbound.len() >= self.limits.unsent_max_bytes {
                connection.flush()?;
                if blocked || connection.outbound.len() >= self.limits.unsent_max_bytes {
                    return Ok(false);
                }
            }
            if handled == REQUESTS_PER_TURN {
                connection.flush()?;
                return Ok(true);
            }
            if let Some(frame) = connection.next_frame(self.limits.request_max_bytes)? {
                handled += 1;
                self.handle_frame(token, frame)?;
                continue;
            }
            if !connection.readable {
                connection.flush()?;
                return Ok(false);
            }
            match connection.read(&mut self.scratch)? {
                ReadOutcome::Some | ReadOutcome::Drained => {}
                ReadOutcome::End => {
                    connection.flush()?;
                    return Err("the client closed it".into());
                }
            }
        }
    }

    fn handle_frame(&mut self, token: Token, frame: bytes::Bytes) -> Result<(), Box<dyn std::error::Error>> {
        let incoming = frame::decode(frame)?;
        let Some(connection) = self.connections.get_mut(&token) else {
            return Ok(());
        };
        match incoming {
            Incoming::UnknownApiVersions { correlation_id } => {
                let origin = Origin { api: ApiKey::ApiVersions, version: 0, correlation_id };
                let response = api::unsupported_version_response().into();
                frame::encode(origin, &response, &mut connection.outbound)?;
            }
            Incoming::Request { origin, client_id, body } => {
                let ticket = Ticket { connection: token.0 as u64, request: connection.begin(origin) };
                let request =
                    Request { ticket, version: origin.version, client_id: client_id.as_deref(), client_host: connection.peer, body };
                let now = self.clock.now();
                self.gate.handle(&mut self.core, request, now, &mut self.outbox);
                self.deliver(Some(token));
            }
        }
        Ok(())
    }

    /// Puts the core's answers into the connections' buffers. All but `current`, which is having its turn, get one.
    fn deliver(&mut self, current: Option<Token>) {
        let mut outbox = std::mem::take(&mut self.outbox);
        for (ticket, outcome) in outbox.drain() {
            if ticket.connection == INTERNAL {
                self.deliver_internally(ticket, outcome);
            } else if let Some(delivery) = self.gate.pass(ticket, outcome, self.clock.now()) {
                self.deliver_to(ticket, delivery, current);
            }
        }
        // Only its memory goes back: delivering does not call the core for further answers.
        self.outbox = outbox;
    }

    fn deliver_to(&mut self, ticket: Ticket, delivery: Delivery, current: Option<Token>) {
        let token = Token(ticket.connection as usize);
        let Some(connection) = self.connections.get_mut(&token) else {
            return;
        };
        let Some(pending) = connection.pending.filter(|pending| pending.request == ticket.request) else {
            return;
        };
        connection.pending = None;
        let begin = connection.outbound.len();
        let (response, sent) = match delivery {
            Delivery::Outcome(Outcome::Answer(response)) => (Some(response), None),
            Delivery::Outcome(Outcome::Silence) => (None, None),
            Delivery::Outcome(Outcome::Close) => return self.close(token),
            Delivery::CutWithin(response, bytes) => (Some(response), Some(bytes)),
            Delivery::Mute(response) => {
                connection.muted = true;
                (Some(response), None)
            }
        };
        if let Some(response) = response {
            if let Err(error) = frame::encode(pending.origin, &response, &mut connection.outbound) {
                warn!(%error, "closing a connection");
                return self.close(token);
            }
            if let Some(bytes) = sent {
                let whole = connection.outbound.len() - begin;
                connection.outbound.truncate(begin + bytes.min(whole - 1));
                return self.close(token);
            }
        }
        if current != Some(token) {
            self.enqueue(token);
        }
    }

    fn deliver_internally(&mut self, ticket: Ticket, outcome: Outcome) {
        if let (Some(reply), Outcome::Answer(response)) = (self.internal.remove(&ticket.request), outcome) {
            // A caller that no longer waits is no concern of the loop.
            let _ = reply.send(response);
        }
    }

    fn accept(&mut self) {
        self.accept_failed = false;
        loop {
            let Some(listener) = &self.listener else {
                return;
            };
            match listener.accept() {
                Ok((mut stream, peer)) => {
                    let token = Token(self.next_token);
                    self.next_token += 1;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    let ready = stream.set_nodelay(true).and_then(|()| self.poll.registry().register(&mut stream, token, interest));
                    match ready {
                        Ok(()) => {
                            let connection = Connection::new(stream, peer.ip());
                            self.connections.insert(token, connection);
                            self.enqueue(token);
                        }
                        Err(error) => warn!(%peer, %error, "cannot watch a connection"),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    warn!(%error, "cannot accept connections; trying again");
                    self.accept_failed = true;
                    return;
                }
            }
        }
    }

    fn close(&mut self, token: Token) {
        let Some(mut connection) = self.connections.remove(&token) else {
            return;
        };
        // What is ready goes out before the end, as far as the client takes it.
        let _ = connection.flush();
        // The descriptor closes when the stream is dropped; failing to deregister it first changes nothing.
        let _ = self.poll.registry().deregister(&mut connection.stream);
        self.gate.disconnected(token.0 as u64);
        self.core.disconnected(token.0 as u64);
    }

    fn close_all(&mut self) {
        let tokens: Vec<Token> = self.connections.keys().copied().collect();
        for token in tokens {
            self.close(token);
        }
    }

    /// Does what the handle asked for; `false` when it asked to stop.
    fn take_commands(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Request(body, version, reply)) => self.request(*body, version, reply),
                Ok(Command::PauseNetwork(reply)) => {
                    self.pause();
                    let _ = reply.send(());
                }
                Ok(Command::ResumeNetwork(reply)) => {
                    let _ = reply.send(self.resume());
                }
                Ok(Command::CutConnections(reply)) => {
                    self.close_all();
                    let _ = reply.send(());
                }
                Ok(Command::Hang(reply, until)) => {
                    let _ = reply.send(());
                    // Nothing is ever sent: it ends with the sender.
                    let _ = until.recv();
                }
                Ok(Command::Inject(fault, reply)) => {
                    let _ = reply.send(self.gate.inject(*fault));
                }
                Ok(Command::ClearFaults(reply)) => {
                    self.gate.clear();
                    let _ = reply.send(());
                }
                Ok(Command::AdvanceClock(by, reply)) => {
                    let _ = reply.send(self.advance_clock(by));
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn request(&mut self, body: RequestKind, version: i16, reply: SyncSender<ResponseKind>) {
        let ticket = Ticket { connection: INTERNAL, request: self.next_internal };
        self.next_internal += 1;
        self.internal.insert(ticket.request, reply);
        let request = Request { ticket, version, client_id: None, client_host: self.address.ip(), body };
        let now = self.clock.now();
        self.core.handle(request, now, &mut self.outbox);
        self.deliver(None);
    }

    /// Lets time pass at once. What becomes due on the way is done at its own time, in order.
    fn advance_clock(&mut self, by: i64) -> i64 {
        let end = self.clock.now().saturating_add(by);
        while let Some(due) = self.next_deadline().filter(|due| *due <= end) {
            self.clock.move_to(due);
            let now = self.clock.now().min(end);
            self.tick(now);
        }
        self.clock.move_to(end);
        self.clock.now()
    }

    fn pause(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            let _ = self.poll.registry().deregister(&mut listener);
        }
        self.close_all();
    }

    fn resume(&mut self) -> io::Result<()> {
        if self.listener.is_some() {
            return Ok(());
        }
        let mut listener = TcpListener::bind(self.address)?;
        self.poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        self.listener = Some(listener);
        Ok(())
    }
}
