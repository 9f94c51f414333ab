//! What a fault is: which requests it strikes, how often, and what it does to them.

use std::time::Duration;

use super::{Api, ErrorCode};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Error(ErrorCode),
    Delay(i64),
    /// No answer, on a connection that stays open.
    Silence,
    Cut,
    /// As many bytes of the answer, then the end of the connection.
    CutWithin(usize),
    Throttle(i64),
}

/// Whether the effect comes instead of the request's own, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// One way to misbehave, for [`Broker::inject`](crate::Broker::inject): an effect, the requests that it strikes (all, unless a method
/// narrows them) and how often (once, unless a method says more).
///
/// ```
/// use std::time::Duration;
/// use stream_broker::fault::{Api, ErrorCode, Fault};
///
/// // The first request to write to orders-0 is refused.
/// let refusal = Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).api(Api::Produce).partition("orders", 0);
/// // Every third heartbeat of the clients whose id begins with "billing" is answered late.
/// let delay = Fault::delay(Duration::from_secs(2)).after().api(Api::Heartbeat).client_id("billing*").one_in(3).always();
/// # let _ = (refusal, delay);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until it is injected"]
pub struct Fault {
    pub(super) effect: Effect,
    pub(super) moment: Moment,
    pub(super) apis: Vec<Api>,
    pub(super) node: Option<i32>,
    pub(super) topic: Option<String>,
    pub(super) partition: Option<i32>,
    client_id: Option<String>,
    pub(super) skip: u64,
    pub(super) times: Option<u64>,
    pub(super) one_in: u64,
}

impl Fault {
    fn new(effect: Effect, moment: Moment) -> Self {
        Fault {
            effect,
            moment,
            apis: Vec::new(),
            node: None,
            topic: None,
            partition: None,
            client_id: None,
            skip: 0,
            times: Some(1),
            one_in: 1,
        }
    }

    /// Answers with this error instead of doing what is asked. Of a request about several partitions only those that
    /// [`Fault::topic`] or [`Fault::partition`] name are refused. With [`Fault::after`] the request is carried out all the same: the client is told
    /// of a failure that was none.
    pub fn error(code: ErrorCode) -> Self {
        Fault::new(Effect::Error(code), Moment::Before)
    }

    /// Carries the request out later, by the broker's clock; the connection's following requests wait. With [`Fault::after`] the request
    /// takes effect at once, and its answer comes later.
    pub fn delay(by: Duration) -> Self {
        Fault::new(Effect::Delay(millis(by)), Moment::Before)
    }

    /// Loses the request: nothing happens, and no answer comes. The connection stays open and silent, until the client gives it up.
    pub fn drop_request() -> Self {
        Fault::new(Effect::Silence, Moment::Before)
    }

    /// Carries the request out and loses the answer. The connection stays open and silent, until the client gives it up.
    pub fn drop_answer() -> Self {
        Fault::new(Effect::Silence, Moment::After)
    }

    /// Cuts the connection when the request has come. With [`Fault::after`], when it is carried out, without the answer.
    pub fn cut() -> Self {
        Fault::new(Effect::Cut, Moment::Before)
    }

    /// Carries the request out, sends this many bytes of the answer's frame (its length, four bytes, included; at most all but the
    /// last), and cuts the connection.
    pub fn cut_within_answer(bytes: usize) -> Self {
        Fault::new(Effect::CutWithin(bytes), Moment::After)
    }

    /// Carries the request out, tells the client in the answer that it is over its quota, and reads nothing more from the connection
    /// for this time: what Kafka does about quotas (KIP-219).
    pub fn throttle(by: Duration) -> Self {
        Fault::new(Effect::Throttle(millis(by)), Moment::After)
    }

    /// The effect comes before the request's own: it is not carried out, or later. The effects on an answer
    /// ([`Fault::cut_within_answer`], [`Fault::throttle`]) are always after.
    pub fn before(mut self) -> Self {
        if !matches!(self.effect, Effect::CutWithin(_) | Effect::Throttle(_)) {
            self.moment = Moment::Before;
        }
        self
    }

    /// The effect comes when the request is carried out.
    pub fn after(mut self) -> Self {
        self.moment = Moment::After;
        self
    }

    /// Only requests of this kind; several calls name several kinds.
    pub fn api(mut self, api: Api) -> Self {
        self.apis.push(api);
        self
    }

    /// Only requests to this node (`node.id`).
    pub fn node(mut self, node: i32) -> Self {
        self.node = Some(node);
        self
    }

    /// Only requests about this topic.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only requests about this partition of a topic.
    pub fn partition(mut self, topic: impl Into<String>, partition: i32) -> Self {
        self.topic = Some(topic.into());
        self.partition = Some(partition);
        self
    }

    /// Only requests of clients with this `client.id`; `name*` stands for all that begin with `name`.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Lets this many of its requests pass first.
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Strikes this many times. Default: once.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Strikes until it is removed.
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }

    /// Strikes one of this many of its requests on average, by chance. The chance comes from [`BrokerConfig::seed`](crate::BrokerConfig::seed):
    /// with the same seed, the same of a fault's requests are struck.
    pub fn one_in(mut self, requests: u64) -> Self {
        self.one_in = requests.max(1);
        self
    }

    pub(super) fn is_for_client(&self, client_id: Option<&str>) -> bool {
        let Some(wanted) = &self.client_id else {
            return true;
        };
        let client_id = client_id.unwrap_or_default();
        wanted.strip_suffix('*').map_or(client_id == wanted, |prefix| client_id.starts_with(prefix))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
