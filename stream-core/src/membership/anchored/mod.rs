//! The anchored backend: a consumer that is subscribed to one *anchor* topic per sub-topology, with the assignor
//! `cooperative-sticky`, and fetches nothing. Each partition of an anchor is one task (`slots.rs` says which); the source partitions of
//! a task follow by the topology, so that the assignor need not know of co-partitioning.
//!
//! Tasks are sticky and move one by one, in two steps: the old owner commits, closes and answers; then the group gives the task to the
//! new one. The assignor balances partitions over all anchors together: every process gets the same number of tasks, give or take one,
//! and about the same number of each sub-topology.
//!
//! Before a new task starts, the group is read: members whose fingerprints differ see other partition counts, and may count the same
//! task under different anchors. The coordinator of a classic group checks no partitions, so nothing else would keep two of them from
//! running it.

mod client_id;
mod committer;
mod consumer;
mod session;
mod slots;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::committer::MemberCommitter;
use self::consumer::{MembershipConsumer, Rebalance};
use self::session::{Action, Session};
use super::token::{CurrentMember, Ownership};
use super::{GroupEvent, Membership, OffsetCommitter, Plan, TokenCell};
use crate::client::{Admin, ClientContext, FencingToken, Properties};
use crate::error::{Error, Result};
use crate::id::TaskId;
use crate::time::Clock;

/// How often a due look at the group is repeated while the group is not complete, or members wait for each other.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// The first looks come quicker: a rebalance is complete within milliseconds, as a rule.
const FIRST_CHECKS: u32 = 5;
const FIRST_CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// The longest interval while the group leaves tasks to nobody.
const LAST_CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// After how long without a first assignment the log says what it is that takes so long.
const JOIN_PATIENCE: Duration = Duration::from_secs(5);
/// How often `Waiting` is repeated while nothing changes.
const WAITING_INTERVAL: Duration = Duration::from_secs(10);
/// The longest wait for an answer about the group; the caller has other things to do.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a process that asked all others to end waits for that.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
/// librdkafka's default for `max.poll.interval.ms`.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(300);

/// The settings of an [`AnchoredMembership`].
#[derive(Clone)]
pub struct AnchoredConfig {
    /// `application.id`, which is the `group.id`.
    pub application_id: Arc<str>,
    /// The settings of the consumer by librdkafka's names, among them `bootstrap.servers`, `client.id`, `session.timeout.ms`,
    /// `heartbeat.interval.ms`, `max.poll.interval.ms` and `group.instance.id`.
    pub properties: Properties,
}

impl fmt::Debug for AnchoredConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Their values may be secrets.
        let names: Vec<&String> = self.properties.keys().collect();
        f.debug_struct("AnchoredConfig").field("application_id", &self.application_id).field("properties", &names).finish()
    }
}

/// Membership by a librdkafka consumer that is subscribed to one anchor topic per sub-topology, with `cooperative-sticky`, and fetches
/// nothing. Tasks are sticky and move one by one; their number is balanced, and each process gets a share of every sub-topology.
///
/// With `group.instance.id`, the fingerprint is appended to it: when a static member comes back, the coordinator keeps showing the
/// client id of its first join, so a changed plan must be another member. Its old self leaves by its session timeout.
pub struct AnchoredMembership {
    config: AnchoredConfig,
    context: Arc<dyn ClientContext>,
    clock: Arc<dyn Clock>,
    admin: Admin,
    consumer: Option<Arc<MembershipConsumer>>,
    session: Session,
    tokens: Arc<TokenCell>,
    committer: Arc<MemberCommitter>,
    events: VecDeque<GroupEvent>,
    max_poll_interval: Duration,
    checks: u32,
    next_check: Instant,
    last_waiting: Option<(Instant, String)>,
    /// Since when the client joins; `None` when it has joined, or the log says already that it takes long.
    joining_since: Option<Instant>,
    /// The process left because a worker is stuck.
    is_stalled: bool,
    is_failed: bool,
    asks_for_shutdown: bool,
}

impl AnchoredMembership {
    /// Joins the group. Does not wait for it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when a setting is refused. An unreachable cluster is no error yet.
    pub fn join(config: AnchoredConfig, context: &Arc<dyn ClientContext>, clock: &Arc<dyn Clock>, plan: Plan) -> Result<Self> {
        let max_poll_interval = match config.properties.get("max.poll.interval.ms") {
            Some(text) => Duration::from_millis(
                text.parse().map_err(|_| Error::invalid(format!("`max.poll.interval.ms` is `{text}`, not a number of ms")))?,
            ),
            None => MAX_POLL_INTERVAL,
        };
        let admin = Admin::new(&admin_properties(&config.properties), "membership", context)?;
        let tokens = Arc::new(TokenCell::new());
        let mut membership = Self {
            context: Arc::clone(context),
            clock: Arc::clone(clock),
            admin,
            consumer: None,
            session: Session::new(plan),
            committer: Arc::new(MemberCommitter::default()),
            tokens,
            events: VecDeque::new(),
            max_poll_interval,
            checks: 0,
            next_check: Instant::now(),
            last_waiting: None,
            joining_since: None,
            is_stalled: false,
            is_failed: false,
            asks_for_shutdown: false,
            config,
        };
        membership.connect()?;
        Ok(membership)
    }

    /// Makes a client for the session's plan. The fingerprint is in its `client.id`, which a client keeps for life.
    fn connect(&mut self) -> Result<()> {
        // Leaves, if there is one: two members of one process would share out the tasks between each other.
        self.let_go();
        let plan = self.session.plan();
        let fingerprint = plan.fingerprint.as_str();
        let mut properties = self.properties(client_id::of_member(self.client_id(), fingerprint));
        if let Some(instance) = self.config.properties.get("group.instance.id") {
            properties.insert("group.instance.id".into(), format!("{instance}-{fingerprint}"));
        }
        let consumer = Arc::new(MembershipConsumer::join(&properties, &anchors(plan), &self.context, false)?);
        self.committer.set(Some(&consumer));
        self.consumer = Some(consumer);
        self.joining_since = Some(Instant::now());
        Ok(())
    }

    fn let_go(&mut self) {
        self.committer.set(None);
        if let Some(consumer) = self.consumer.take() {
            consumer::close(consumer);
        }
    }

    fn client_id(&self) -> &str {
        self.config.properties.get("client.id").map_or(&*self.config.application_id, String::as_str)
    }

    fn properties(&self, client_id: String) -> Properties {
        let mut properties = self.config.properties.clone();
        properties.remove("group.instance.id");
        for (name, value) in [
            ("group.id", &*self.config.application_id),
            ("client.id", &client_id),
            ("group.protocol", "classic"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("allow.auto.create.topics", "false"),
        ] {
            properties.insert(name.into(), value.into());
        }
        properties
    }

    fn token(&self, consumer: &MembershipConsumer) -> FencingToken {
        let (member, generation) = consumer.current().unwrap_or_default();
        let fingerprint = &self.session.plan().fingerprint;
        FencingToken {
            group: Arc::clone(&self.config.application_id),
            member: member.into(),
            generation,
            instance: self.config.properties.get("group.instance.id").map(|instance| format!("{instance}-{fingerprint}").into()),
        }
    }

    /// Serves the client once and works off what came of it.
    fn turn(&mut self, timeout: Duration) -> Result<()> {
        self.watch()?;
        if self.session.waits_for_leases() && self.tokens.is_idle() {
            self.session.leases_ended();
            self.act()?;
        }
        let Some(consumer) = self.consumer.clone() else {
            return Err(Error::internal("the membership was polled after it was left"));
        };
        if let Err(error) = consumer.poll(timeout) {
            self.is_failed = true;
            self.session.failed(error);
        }
        while let Some(rebalance) = consumer.next_rebalance() {
            let member = member_id(&consumer);
            self.session.member_is(member.as_deref());
            match rebalance {
                Rebalance::Offered(partitions) => {
                    tracing::debug!(?partitions, ?member, "offered");
                    self.session.offered(&partitions, member.as_deref());
                    (self.checks, self.next_check) = (0, Instant::now());
                    self.joining_since = None;
                }
                Rebalance::AskedBack { partitions, is_lost } => {
                    tracing::debug!(?partitions, ?member, is_lost, "asked back");
                    self.session.asked_back(&partitions, is_lost);
                }
            }
        }
        self.session.member_is(member_id(&consumer).as_deref());
        drop(consumer);
        if self.joining_since.take_if(|since| since.elapsed() >= JOIN_PATIENCE).is_some() {
            tracing::warn!(
                group = %self.config.application_id,
                "still joining the group: it waits for all of its members, and for one that was killed until its `session.timeout.ms` is over"
            );
        }
        self.act()?;
        self.check()?;
        Ok(())
    }

    /// Leaves while a worker is stuck, and joins again when all of them move.
    fn watch(&mut self) -> Result<()> {
        let stalled = self.tokens.stalled(self.clock.monotonic(), self.max_poll_interval);
        let Some(consumer) = &self.consumer else {
            return Ok(());
        };
        match stalled {
            Some(stalled) if !self.is_stalled && !self.is_failed => {
                self.is_stalled = true;
                self.session.left(&format!("{stalled}; the process left its group"));
                consumer.unsubscribe();
            }
            None if self.is_stalled && self.tokens.is_idle() => {
                self.is_stalled = false;
                consumer.subscribe(&anchors(self.session.plan()))?;
            }
            _ => return Ok(()),
        }
        self.act()
    }

    /// Reads the group if tasks wait for that.
    fn check(&mut self) -> Result<()> {
        // A lease of an earlier membership would hold back the next one.
        if !self.session.is_check_due()
            || Instant::now() < self.next_check
            || self.is_stalled
            || !(self.tokens.is_idle() || self.session.is_member())
        {
            return Ok(());
        }
        let Some(member) = self.consumer.as_deref().and_then(member_id) else {
            return Ok(());
        };
        self.checks += 1;
        match self.admin.describe_group(&self.config.application_id, DESCRIBE_TIMEOUT) {
            Ok(group) => {
                let was_incomplete = self.session.is_incomplete();
                self.session.described(&group, &member);
                if was_incomplete
                    && self.session.is_incomplete()
                    && let Some(consumer) = &self.consumer
                {
                    consumer.refresh_metadata(DESCRIBE_TIMEOUT);
                }
            }
            Err(error) => tracing::debug!(%error, "the group cannot be read"),
        }
        let interval = match self.checks {
            _ if self.session.is_incomplete() => (CHECK_INTERVAL * self.checks).min(LAST_CHECK_INTERVAL),
            checks if checks < FIRST_CHECKS => FIRST_CHECK_INTERVAL,
            _ => CHECK_INTERVAL,
        };
        self.next_check = Instant::now() + interval;
        self.act()
    }

    fn act(&mut self) -> Result<()> {
        while let Some(action) = self.session.next_action() {
            match action {
                Action::AnswerAssign => self.answer(true)?,
                Action::AnswerRevoke => self.answer(false)?,
                Action::Own(tasks) => {
                    if let Some(consumer) = self.consumer.clone() {
                        let token = self.token(&consumer);
                        self.tokens.replace(Ownership { token, tasks, current: Some(consumer) });
                    }
                }
                Action::Disown(reason) => self.tokens.clear(&reason),
                Action::Emit(GroupEvent::Waiting { for_whom }) => self.emit_waiting(for_whom),
                Action::Emit(event) => self.events.push_back(event),
                Action::Join(plan) => {
                    tracing::info!(fingerprint = plan.fingerprint, "joining the group with a new plan");
                    self.connect()?;
                }
            }
        }
        Ok(())
    }

    fn answer(&self, is_assign: bool) -> Result<()> {
        self.consumer.as_ref().map_or(Ok(()), |consumer| consumer.answer(is_assign))
    }

    fn emit_waiting(&mut self, for_whom: String) {
        let now = Instant::now();
        let is_known =
            self.last_waiting.as_ref().is_some_and(|(since, last)| *last == for_whom && now.duration_since(*since) < WAITING_INTERVAL);
        if !is_known {
            self.last_waiting = Some((now, for_whom.clone()));
            self.events.push_back(GroupEvent::Waiting { for_whom });
        }
    }

    /// Joins the group once more, as a member that only asks all others to end, and waits until they have left.
    fn tell_shutdown(&self, within: Duration) -> Result<()> {
        let plan = self.session.plan();
        let properties = self.properties(client_id::of_shutdown(self.client_id(), &plan.fingerprint));
        let consumer = Arc::new(MembershipConsumer::join(&properties, &anchors(plan), &self.context, true)?);
        let told = self.await_shutdown(&consumer, within.min(SHUTDOWN_TIMEOUT));
        consumer::close(consumer);
        told
    }

    fn await_shutdown(&self, consumer: &MembershipConsumer, timeout: Duration) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < timeout {
            consumer.poll(CHECK_INTERVAL)?;
            match self.admin.describe_group(&self.config.application_id, DESCRIBE_TIMEOUT) {
                Ok(group)
                    if !group.members.is_empty() && group.members.iter().all(|member| client_id::asks_for_shutdown(&member.client_id)) =>
                {
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) => tracing::debug!(%error, "the group cannot be read"),
            }
        }
        Err(Error::retriable(format!("other processes of the application did not end within {timeout:?}")))
    }
}

/// The client waits for whole milliseconds: it would answer at once to less than one, and a loop that waits for the rest would be a busy one.
fn whole_ms(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

impl Membership for AnchoredMembership {
    fn poll(&mut self, timeout: Duration) -> Result<Option<GroupEvent>> {
        // Real time, not the injected clock: this is how long the caller waits.
        let started = Instant::now();
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let remaining = whole_ms(timeout.saturating_sub(started.elapsed()));
            if self.is_failed {
                // Nothing follows; the caller is kept from spinning.
                if let Some(consumer) = &self.consumer {
                    drop(consumer.poll(remaining));
                }
                return Ok(None);
            }
            let slice = if self.session.is_check_due() { remaining.min(FIRST_CHECK_INTERVAL) } else { remaining };
            self.turn(slice)?;
            if remaining.is_zero() && self.events.is_empty() {
                return Ok(None);
            }
        }
    }

    fn released(&mut self, tasks: &BTreeSet<TaskId>) -> Result<()> {
        self.session.released(tasks);
        self.act()
    }

    fn replan(&mut self, plan: Plan) -> Result<()> {
        self.session.replan(plan);
        self.act()
    }

    fn tokens(&self) -> Arc<TokenCell> {
        Arc::clone(&self.tokens)
    }

    fn committer(&self) -> Arc<dyn OffsetCommitter> {
        Arc::clone(&self.committer) as _
    }

    fn leave(&mut self, within: Duration) -> Result<()> {
        self.tokens.clear("this process has left its group");
        self.let_go();
        if std::mem::take(&mut self.asks_for_shutdown) { self.tell_shutdown(within) } else { Ok(()) }
    }

    fn shut_down_application(&mut self) -> Result<()> {
        self.asks_for_shutdown = true;
        Ok(())
    }
}

impl Drop for AnchoredMembership {
    fn drop(&mut self) {
        self.tokens.clear("this process has left its group");
        self.let_go();
    }
}

fn anchors(plan: &Plan) -> Vec<&str> {
    plan.anchors.values().map(|(topic, _)| &**topic).collect()
}

/// Who the client is in the group; `None` between two memberships.
fn member_id(consumer: &MembershipConsumer) -> Option<String> {
    consumer.current().and_then(|(member, generation)| (!member.is_empty() && generation >= 0).then_some(member))
}

/// The settings by which the cluster is reached, without those that only consumers have.
fn admin_properties(properties: &Properties) -> Properties {
    use crate::client::{PropertyScope, known_properties};
    let mut admin = properties.clone();
    for (name, scope) in known_properties() {
        if scope == PropertyScope::Consumer {
            admin.remove(&name);
        }
    }
    admin
}
