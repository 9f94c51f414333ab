//! The anchored backend (signatures; see the following commits).

/// The settings of an [`AnchoredMembership`].
#[derive(Clone, Debug)]
pub struct AnchoredConfig {
    /// `application.id`, which is the `group.id`.
    pub application_id: String,
    /// `client.id` without the fingerprint.
    pub client_id: String,
    /// All other settings of the consumer by librdkafka's names, among them `bootstrap.servers`, `session.timeout.ms`,
    /// `heartbeat.interval.ms`, `max.poll.interval.ms` and `group.instance.id`.
    pub client: rdkafka::ClientConfig,
}
