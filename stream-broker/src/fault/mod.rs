//! Misbehaviour on command: what a client does when its broker refuses, is late, loses an answer or goes away in the middle of one, and
//! when time passes.
//!
//! A [`Fault`] is an effect, the requests that it strikes (by kind, node, topic, partition, `client.id`) and how often. It is given to
//! [`Broker::inject`](crate::Broker::inject), whose result tells when it struck. Nothing else of the broker changes, and everything repeats:
//! a fault without chance strikes the same requests each time, one with [`Fault::one_in`] does so for the same
//! [`BrokerConfig::seed`](crate::BrokerConfig::seed).
//!
//! | effect | instead of the request | when it is carried out |
//! |---|---|---|
//! | answer with an error | [`Fault::error`] | `Fault::error(..).after()` |
//! | be late | [`Fault::delay`] | `Fault::delay(..).after()` |
//! | be silent | [`Fault::drop_request`] | [`Fault::drop_answer`] |
//! | cut the connection | [`Fault::cut`] | `Fault::cut().after()` |
//! | cut it in the middle of the answer | | [`Fault::cut_within_answer`] |
//! | throttle | | [`Fault::throttle`] |
//!
//! What concerns all clients at once are methods of the broker: [`cut_connections`](crate::Broker::cut_connections),
//! [`pause_network`](crate::Broker::pause_network) to be away, [`hang`](crate::Broker::hang) to accept and say nothing.
//!
//! # A refusal is retried
//!
//! The broker says once that it does not lead the partition. The producer asks for the metadata anew and sends again: nobody notices.
//!
//! ```
//! use std::time::Duration;
//! use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
//! use rdkafka::ClientConfig;
//! use stream_broker::fault::{Api, ErrorCode, Fault};
//! use stream_broker::{Broker, BrokerConfig};
//!
//! let broker = Broker::start(BrokerConfig::default())?;
//! broker.create_topic("orders", 1, [])?;
//! let refusal = broker.inject(Fault::error(ErrorCode::NOT_LEADER_OR_FOLLOWER).api(Api::Produce).partition("orders", 0))?;
//!
//! let producer: BaseProducer = ClientConfig::new()
//!     .set("bootstrap.servers", broker.bootstrap_servers())
//!     .set("retry.backoff.ms", "1")
//!     .create()?;
//! producer.send(BaseRecord::<str, str>::to("orders").payload("tea")).map_err(|(error, _)| error)?;
//! producer.flush(Duration::from_secs(10))?;
//! assert_eq!(producer.in_flight_count(), 0);
//! assert_eq!(refusal.hits(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # An answer is lost, and nothing is written twice
//!
//! The record is in the log when the connection ends, and the producer cannot know. It sends it again; because it is idempotent, the
//! broker knows the record already. Without `enable.idempotence` the last line fails.
//!
//! ```
//! # use std::time::Duration;
//! use rdkafka::consumer::{BaseConsumer, Consumer};
//! # use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
//! # use rdkafka::ClientConfig;
//! # use stream_broker::fault::{Api, Fault};
//! # use stream_broker::{Broker, BrokerConfig};
//! # let broker = Broker::start(BrokerConfig::default())?;
//! # broker.create_topic("orders", 1, [])?;
//! let lost = broker.inject(Fault::cut().after().api(Api::Produce))?;
//!
//! let mut config = ClientConfig::new();
//! config.set("bootstrap.servers", broker.bootstrap_servers()).set("enable.idempotence", "true");
//! # config.set("retry.backoff.ms", "1").set("reconnect.backoff.ms", "1").set("log_level", "0");
//! let producer: BaseProducer = config.create()?;
//! producer.send(BaseRecord::<str, str>::to("orders").payload("tea")).map_err(|(error, _)| error)?;
//! producer.flush(Duration::from_secs(10))?;
//! assert_eq!(lost.hits(), 1);
//!
//! let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create()?;
//! let (_, end) = consumer.fetch_watermarks("orders", 0, Duration::from_secs(10))?;
//! assert_eq!(end, 1, "one record, once");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A fetch ends in the middle
//!
//! Of the first answer with records the consumer gets 100 bytes. It drops them, connects again and reads everything.
//!
//! ```
//! # use std::time::{Duration, Instant};
//! # use rdkafka::consumer::{BaseConsumer, Consumer};
//! # use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
//! # use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
//! # use stream_broker::fault::{Api, Fault};
//! # use stream_broker::{Broker, BrokerConfig};
//! # let broker = Broker::start(BrokerConfig::default())?;
//! # broker.create_topic("orders", 1, [])?;
//! # let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", broker.bootstrap_servers()).create()?;
//! for number in 0..100 {
//!     let payload = format!("order {number}");
//!     producer.send(BaseRecord::<str, str>::to("orders").payload(&payload)).map_err(|(error, _)| error)?;
//! }
//! producer.flush(Duration::from_secs(10))?;
//! let cut = broker.inject(Fault::cut_within_answer(100).api(Api::Fetch).topic("orders"))?;
//!
//! let consumer: BaseConsumer = ClientConfig::new()
//!     .set("bootstrap.servers", broker.bootstrap_servers())
//!     .set("group.id", "kitchen")
//! #   .set("reconnect.backoff.ms", "1").set("log_level", "0")
//!     .create()?;
//! let mut positions = TopicPartitionList::new();
//! positions.add_partition_offset("orders", 0, Offset::Beginning)?;
//! consumer.assign(&positions)?;
//! let mut offsets = Vec::new();
//! # let patience = Instant::now() + Duration::from_secs(20);
//! while offsets.len() < 100 {
//! #   assert!(Instant::now() < patience, "{} records", offsets.len());
//!     if let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) {
//!         offsets.push(record.offset());
//!     }
//! }
//! assert_eq!(offsets, (0..100).collect::<Vec<_>>());
//! assert_eq!(cut.hits(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A transaction times out, without waiting
//!
//! A producer falls asleep in the middle of a transaction. A minute later, which takes no time here, the broker has aborted it: the
//! producer is fenced, and nobody waits for its records. The [manual clock](crate::BrokerConfig::manual_clock) makes sure that nothing else times
//! out, however slow the machine is.
//!
//! ```
//! # use std::time::{Duration, SystemTime};
//! # use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
//! # use rdkafka::{error::KafkaError, ClientConfig};
//! # use stream_broker::{Broker, BrokerConfig};
//! let broker = Broker::start(BrokerConfig::default().manual_clock(SystemTime::now()))?;
//! broker.create_topic("orders", 1, [])?;
//!
//! let producer: BaseProducer = ClientConfig::new()
//!     .set("bootstrap.servers", broker.bootstrap_servers())
//!     .set("transactional.id", "till-1")
//!     .set("transaction.timeout.ms", "60000")
//! #   .set("log_level", "0")
//!     .create()?;
//! let patience = Duration::from_secs(10);
//! producer.init_transactions(patience)?;
//! producer.begin_transaction()?;
//! producer.send(BaseRecord::<str, str>::to("orders").payload("tea")).map_err(|(error, _)| error)?;
//! producer.flush(patience)?;
//!
//! broker.advance_clock(Duration::from_secs(61))?;
//! let Err(KafkaError::Transaction(error)) = producer.commit_transaction(patience) else {
//!     panic!("the transaction was aborted");
//! };
//! assert!(error.is_fatal(), "{error}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Chance that repeats, and waiting in an asynchronous test
//!
//! Of the writes one in three is refused on average; with this seed, the same two of the first twenty each time. [`InjectedFault::reached`] is a future for any executor: it works in a `#[tokio::test]` as it does here.
//! The broker has a thread of its own, and its methods block for microseconds only.
//!
//! ```
//! # use std::time::Duration;
//! # use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
//! # use rdkafka::ClientConfig;
//! # use stream_broker::fault::{Api, ErrorCode, Fault};
//! # use stream_broker::{Broker, BrokerConfig};
//! let broker = Broker::start(BrokerConfig::default().seed(7))?;
//! broker.create_topic("orders", 1, [])?;
//! let refusals = broker.inject(Fault::error(ErrorCode::REQUEST_TIMED_OUT).api(Api::Produce).client_id("till-*").one_in(3).always())?;
//!
//! let producer: BaseProducer = ClientConfig::new()
//!     .set("bootstrap.servers", broker.bootstrap_servers())
//!     .set("client.id", "till-1")
//!     .set("retry.backoff.ms", "1")
//!     .create()?;
//! for _ in 0..20 {
//!     producer.send(BaseRecord::<str, str>::to("orders").payload("tea")).map_err(|(error, _)| error)?;
//!     producer.flush(Duration::from_secs(10))?;
//! }
//! assert!(futures::executor::block_on(refusals.reached(2)));
//!
//! refusals.remove();
//! assert!(!futures::executor::block_on(refusals.reached(1_000)), "it strikes no more");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is held back or late goes by the broker's clock: with a manual clock, a [`Fault::delay`] lasts until the test moves it.

mod api;
mod error_code;
pub(crate) mod gate;
mod injected;
mod refusal;
mod rule;
mod scope;
#[cfg(test)]
mod tests;

pub use api::Api;
pub use error_code::ErrorCode;
pub use injected::{InjectedFault, Reached};
pub use rule::Fault;
