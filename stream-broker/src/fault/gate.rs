//! The layer between the sockets and the core in which faults strike. Like the core it has no clock and no I/O.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use kafka_protocol::messages::{ProduceRequest, RequestKind, ResponseKind};

use super::api::set_throttle_time;
use super::injected::Shared;
use super::refusal::refusal;
use super::rule::{Effect, Moment};
use super::scope::{Scope, partitioned, partitioned_mut};
use super::{Api, ErrorCode, Fault, InjectedFault};
use crate::core::{Core, Ids, Outbox, Outcome, Request, Ticket};

/// What goes out on a connection.
#[derive(Debug)]
pub(crate) enum Delivery {
    Outcome(Outcome),
    /// As many bytes of the answer's frame, then the end.
    CutWithin(ResponseKind, usize),
    /// The answer; then nothing is read until [`Gate::tick`] says so.
    Mute(ResponseKind),
}

/// A fault at work.
#[derive(Debug)]
struct Rule {
    fault: Fault,
    /// Requests that it let pass first.
    skipped: u64,
    hits: u64,
    chance: Ids,
    shared: Arc<Shared>,
}

impl Rule {
    fn is_spent(&self) -> bool {
        self.fault.times.is_some_and(|times| self.hits >= times) || self.shared.has_ended()
    }

    fn scope(&self, core: &Core) -> Scope {
        let topic = self.fault.topic.clone();
        let topic_id = topic.as_deref().and_then(|topic| core.topics.get(topic)).map(|topic| topic.id);
        Scope { topic, topic_id, partition: self.fault.partition }
    }

    /// Whether the rule is about this request, which says nothing about whether its time has come.
    fn concerns(&self, core: &Core, api: Option<Api>, request: &Request<'_>) -> bool {
        let fault = &self.fault;
        let by_api = fault.apis.is_empty() || api.is_some_and(|api| fault.apis.contains(&api));
        by_api
            && fault.node.is_none_or(|node| node == core.config.node_id)
            && fault.is_for_client(request.client_id)
            && (fault.topic.is_none() || names_topic(&request.body, &self.scope(core)))
    }

    /// Counts a request that the rule is about; whether it strikes.
    fn strikes(&mut self) -> bool {
        if self.skipped < self.fault.skip {
            self.skipped += 1;
            return false;
        }
        if self.fault.one_in > 1 && !self.chance.next().is_multiple_of(self.fault.one_in) {
            return false;
        }
        self.hits += 1;
        true
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// Whether a request is about a topic, or a partition of it.
fn names_topic(request: &RequestKind, scope: &Scope) -> bool {
    if let Some(request) = partitioned(request) {
        return request.names(scope);
    }
    let named = |name: &str| scope.has_topic(name, uuid::Uuid::nil());
    match request {
        RequestKind::Metadata(request) => request.topics.iter().flatten().any(|topic| match &topic.name {
            Some(name) => named(name),
            None => scope.has_topic("", topic.topic_id),
        }),
        RequestKind::CreateTopics(request) => request.topics.iter().any(|topic| named(&topic.name)),
        RequestKind::DeleteTopics(request) => {
            let by_state = |topic: &kafka_protocol::messages::delete_topics_request::DeleteTopicState| match &topic.name {
                Some(name) => named(name),
                None => scope.has_topic("", topic.topic_id),
            };
            request.topic_names.iter().any(|name| named(name)) || request.topics.iter().any(by_state)
        }
        RequestKind::CreatePartitions(request) => request.topics.iter().any(|topic| named(&topic.name)),
        RequestKind::DescribeProducers(request) => request.topics.iter().any(|topic| named(&topic.name)),
        RequestKind::DescribeTopicPartitions(request) => request.topics.iter().any(|topic| named(&topic.name)),
        RequestKind::OffsetFetch(request) => {
            let by_group = request.groups.iter().flat_map(|group| group.topics.iter().flatten()).any(|topic| named(&topic.name));
            by_group || request.topics.iter().flatten().any(|topic| named(&topic.name))
        }
        RequestKind::AddPartitionsToTxn(request) => {
            request.transactions.iter().flat_map(|transaction| &transaction.topics).any(|topic| named(&topic.name))
        }
        _ => false,
    }
}

/// A request that waits.
#[derive(Debug)]
struct HeldRequest {
    ticket: Ticket,
    version: i16,
    client_id: Option<String>,
    client_host: IpAddr,
    body: RequestKind,
}

#[derive(Debug)]
enum Held {
    Request(HeldRequest),
    Outcome(Ticket, Outcome),
    Muted(u64),
}

/// What is to be done to the outcome of a request that is under way.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there are few at a time")]
enum After {
    /// An error for all of it; without one the connection ends, as for a request without an answer.
    Error(Option<ResponseKind>),
    /// An error for some of its partitions.
    PartialError(Box<PartialError>),
    Delay(i64),
    Silence,
    Cut,
    CutWithin(usize),
    Throttle(i64),
}

/// An error for some of the partitions of a request.
#[derive(Debug)]
struct PartialError {
    request: RequestKind,
    scope: Scope,
    refusal: ResponseKind,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    seed: u64,
    rules: Vec<Rule>,
    injected: u64,
    after: HashMap<Ticket, After>,
    held: BTreeMap<(i64, u64), Held>,
    next_held: u64,
}

impl Gate {
    pub(crate) fn new(seed: u64) -> Self {
        Gate { seed, ..Gate::default() }
    }

    pub(crate) fn inject(&mut self, fault: Fault) -> InjectedFault {
        let shared = Arc::new(Shared::default());
        // A fault's chance is its own: what others strike does not change it.
        self.injected += 1;
        let chance = Ids::new(self.seed ^ self.injected.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.rules.push(Rule { fault, skipped: 0, hits: 0, chance, shared: Arc::clone(&shared) });
        InjectedFault::new(shared)
    }

    /// Ends all faults. What they hold back already stays held.
    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Hands a request to the core, or does what a fault says. Of several faults that concern it, the first that strikes does.
    pub(crate) fn handle(&mut self, core: &mut Core, request: Request<'_>, now: i64, out: &mut Outbox) {
        match self.strike(core, &request) {
            None => core.handle(request, now, out),
            Some((effect, Moment::Before, scope)) => self.before(core, request, effect, &scope, now, out),
            Some((effect, Moment::After, scope)) => {
                let after = match effect {
                    Effect::Error(code) => error_after(&request.body, request.version, code, scope),
                    Effect::Delay(ms) => After::Delay(ms),
                    Effect::Silence => After::Silence,
                    Effect::Cut => After::Cut,
                    Effect::CutWithin(bytes) => After::CutWithin(bytes),
                    Effect::Throttle(ms) => After::Throttle(ms),
                };
                self.after.insert(request.ticket, after);
                core.handle(request, now, out);
            }
        }
    }

    fn strike(&mut self, core: &Core, request: &Request<'_>) -> Option<(Effect, Moment, Scope)> {
        if self.rules.is_empty() {
            return None;
        }
        self.rules.retain(|rule| !rule.is_spent());
        let api = Api::of(&request.body);
        let rule =
            self.rules.iter_mut().filter(|rule| rule.concerns(core, api, request)).find_map(|rule| rule.strikes().then_some(rule))?;
        let struck = (rule.fault.effect, rule.fault.moment, rule.scope(core));
        rule.shared.hit();
        Some(struck)
    }

    fn before(&mut self, core: &mut Core, mut request: Request<'_>, effect: Effect, scope: &Scope, now: i64, out: &mut Outbox) {
        let ticket = request.ticket;
        match effect {
            Effect::Error(code) => {
                let has_answer = has_answer(&request.body);
                match error_after(&request.body, request.version, code, scope.clone()) {
                    partial @ After::PartialError(_) => {
                        if let Some(partitions) = partitioned_mut(&mut request.body) {
                            partitions.withhold(scope);
                        }
                        self.after.insert(ticket, partial);
                        core.handle(request, now, out);
                    }
                    After::Error(Some(refusal)) if has_answer => out.answer(ticket, refusal),
                    _ => out.close(ticket),
                }
            }
            Effect::Delay(ms) => {
                let client_id = request.client_id.map(str::to_owned);
                let Request { version, client_host, body, .. } = request;
                self.hold(now.saturating_add(ms), Held::Request(HeldRequest { ticket, version, client_id, client_host, body }));
            }
            Effect::Silence => {}
            Effect::Cut | Effect::CutWithin(_) | Effect::Throttle(_) => out.close(ticket),
        }
    }

    fn hold(&mut self, until: i64, held: Held) {
        self.held.insert((until, self.next_held), held);
        self.next_held += 1;
    }

    /// What becomes of an outcome; nothing if it is lost or late.
    pub(crate) fn pass(&mut self, ticket: Ticket, outcome: Outcome, now: i64) -> Option<Delivery> {
        let Some(after) = self.after.remove(&ticket) else {
            return Some(Delivery::Outcome(outcome));
        };
        match after {
            After::Error(Some(refusal)) if matches!(outcome, Outcome::Answer(_)) => Some(Delivery::Outcome(Outcome::Answer(refusal))),
            After::Error(_) | After::Cut => Some(Delivery::Outcome(Outcome::Close)),
            After::PartialError(partial) => Some(Delivery::Outcome(match outcome {
                Outcome::Answer(mut answer) => {
                    if let Some(partitions) = partitioned(&partial.request) {
                        partitions.replace(&mut answer, &partial.scope, partial.refusal);
                    }
                    Outcome::Answer(answer)
                }
                // `acks=0`: there is no other way to say that some of it failed.
                Outcome::Silence | Outcome::Close => Outcome::Close,
            })),
            After::Delay(ms) => {
                self.hold(now.saturating_add(ms), Held::Outcome(ticket, outcome));
                None
            }
            After::Silence => None,
            After::CutWithin(bytes) => Some(match outcome {
                Outcome::Answer(answer) => Delivery::CutWithin(answer, bytes),
                Outcome::Silence | Outcome::Close => Delivery::Outcome(Outcome::Close),
            }),
            After::Throttle(ms) => Some(match outcome {
                Outcome::Answer(mut answer) => {
                    set_throttle_time(&mut answer, i32::try_from(ms).unwrap_or(i32::MAX));
                    self.hold(now.saturating_add(ms), Held::Muted(ticket.connection));
                    Delivery::Mute(answer)
                }
                other => Delivery::Outcome(other),
            }),
        }
    }

    /// Lets go what was held until now; the connections that are to be read from again.
    pub(crate) fn tick(&mut self, core: &mut Core, now: i64, out: &mut Outbox) -> Vec<u64> {
        let mut unmuted = Vec::new();
        while let Some(entry) = self.held.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Held::Request(HeldRequest { ticket, version, client_id, client_host, body }) => {
                    let request = Request { ticket, version, client_id: client_id.as_deref(), client_host, body };
                    core.handle(request, now, out);
                }
                Held::Outcome(ticket, outcome) => out.put(ticket, outcome),
                Held::Muted(connection) => unmuted.push(connection),
            }
        }
        unmuted
    }

    /// When [`Gate::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<i64> {
        self.held.first_key_value().map(|((due, _), _)| *due)
    }

    /// Forgets what a connection was to be sent. A request of it that is held back is still carried out, as one that was on its way.
    pub(crate) fn disconnected(&mut self, connection: u64) {
        self.after.retain(|ticket, _| ticket.connection != connection);
        self.held.retain(|_, held| match held {
            Held::Request(_) => true,
            Held::Outcome(ticket, _) => ticket.connection != connection,
            Held::Muted(muted) => *muted != connection,
        });
    }
}

/// What an error makes of a request: all of it fails, or some of its partitions.
fn error_after(request: &RequestKind, version: i16, ErrorCode(code): ErrorCode, scope: Scope) -> After {
    if scope.topic.is_some()
        && let Some(partitions) = partitioned(request)
    {
        let mut others = request.clone();
        if partitioned_mut(&mut others).is_some_and(|others| others.withhold(&scope)) {
            let refusal = partitions.refusal(&scope, code);
            return After::PartialError(Box::new(PartialError { request: request.clone(), scope, refusal }));
        }
    }
    After::Error(refusal(request, version, code))
}

fn has_answer(request: &RequestKind) -> bool {
    !matches!(request, RequestKind::Produce(ProduceRequest { acks: 0, .. }))
}
