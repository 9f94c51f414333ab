//! Clients of the cluster: data consumer, producer, admin.
//!
//! They sit on librdkafka itself. `native` is the only place with `unsafe`; everything above it is safe Rust. Every call says which
//! thread may make it and how long it may block; nothing here starts a thread of its own beside librdkafka's.

mod admin;
mod bridge;
mod consumer;
mod context;
pub(crate) mod error;
mod message;
pub(crate) mod native;
mod producer;
mod token;

pub use admin::{Admin, CommittedOffset, GroupDescription, GroupMember, IsolationLevel, NewTopic, OffsetSpec, TopicCreation, TopicInfo};
pub use bridge::BridgedContext;
pub use consumer::{DataConsumer, PollWaker, Polled};
pub use context::{ClientContext, LogLevel, OAuthToken, TracingContext};
pub use error::Operation;
pub use message::{Message, NativeMessage};
pub(crate) use native::properties::{PropertyScope, check_property, is_secret, known_properties};
pub use producer::{CommitOffset, DeliveryReports, DeliverySlot, Producer};
pub use token::FencingToken;

/// The properties of one client, by librdkafka's names.
pub type Properties = std::collections::BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_can_move_between_threads() {
        fn send<T: Send>() {}
        fn shared<T: Send + Sync>() {}
        send::<DataConsumer>();
        send::<Producer>();
        send::<Message>();
        shared::<Admin>();
        shared::<PollWaker>();
    }
}
