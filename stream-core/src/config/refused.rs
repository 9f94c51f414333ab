//! Settings that are refused, and why: those that would break the guarantees, and those that only a Java program has.

/// Why a setting cannot be used at all, with what to do instead. `name` is without its client prefix.
pub(super) fn reason(name: &str) -> Option<&'static str> {
    let exact = REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, reason)| *reason);
    exact.or_else(|| REFUSED_PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, reason)| *reason))
}

/// Why a setting cannot have this value.
pub(super) fn reason_of_value(name: &str, value: &str) -> Option<&'static str> {
    let is = |wanted: &[&str]| wanted.contains(&value.to_ascii_lowercase().as_str());
    match name {
        "enable.idempotence" if !is(&["true", "1"]) => {
            Some("without idempotence a repeated request changes the order of changelogs; leave it out, it is `true`")
        }
        "acks" | "request.required.acks" if !is(&["all", "-1"]) => {
            Some("changelogs and results must be on all in-sync replicas before they count; leave it out, it is `all`")
        }
        "max.in.flight.requests.per.connection" | "max.in.flight" if value.parse::<u32>().is_ok_and(|number| number > 5) => {
            Some("idempotence allows 5 at most")
        }
        "allow.auto.create.topics" if !is(&["false", "0"]) => Some("a mistyped source topic would be created; create the topics"),
        "isolation.level" if !is(&["read_committed", "read_uncommitted"]) => Some("expected `read_committed` or `read_uncommitted`"),
        _ => None,
    }
}

/// Why a config of internal topics cannot be set for all of them.
pub(super) fn reason_of_topic_config(name: &str) -> Option<&'static str> {
    match name {
        "cleanup.policy" => {
            Some("the policy of a changelog follows from its store, and another loses what a restoration needs; leave it out")
        }
        "retention.ms" | "retention.bytes" => Some(
            "repartition topics would lose records before they are processed; they are purged up to the committed positions, and the retention \
             of a changelog follows from its store (`Materialized::with_retention`)",
        ),
        _ => None,
    }
}

const OWN_COMMITS: &str = "positions are committed together with results; leave it out";
const OWN_IDENTITY: &str = "it follows from `application.id`; leave it out";
const OWN_MEMBERSHIP: &str = "tasks are shared out by the library, with the assignor `cooperative-sticky`; leave it out";
const OWN_REPORTS: &str = "delivery reports tell the library what was written; leave it out";
const METRICS: &str = "metrics are read from the application handle, not from reporters; leave it out";
const SERDES: &str = "the types choose the serdes here; pass others to the operators (`Consumed::with`, `Produced::with`)";
const STORE_FORMAT: &str = "stores are chosen in the program, per operator; leave it out";
const STANDBYS: &str = "this version keeps no standby copies and places tasks by the group's assignor; leave it out";
const NO_CLASSES: &str = "Java classes cannot be loaded here; leave it out";
const TRUST: &str = "trusted certificates come from a PEM file: use `ssl.ca.location`, or `ssl.ca.pem` for the text itself";
const KEYS: &str = "use `ssl.certificate.location` and `ssl.key.location` (PEM), or `ssl.keystore.location` (PKCS#12)";
const JVM_TLS: &str = "OpenSSL decides this here; use `ssl.cipher.suites`, `ssl.curves.list` or `ssl.sigalgs.list` if you must";
const CALLBACKS: &str = "implement `ClientContext::oauth_token` and pass it to the application";
const ONE_THREAD: &str = "the library decides how much is fetched and buffered; use `buffered.records.per.partition`";

const REFUSED: &[(&str, &str)] = &[
    // Would break the guarantees or the library.
    ("enable.auto.commit", OWN_COMMITS),
    ("auto.commit.enable", OWN_COMMITS),
    ("auto.commit.interval.ms", OWN_COMMITS),
    ("enable.auto.offset.store", OWN_COMMITS),
    ("offset.store.method", OWN_COMMITS),
    ("offset.store.path", OWN_COMMITS),
    ("offset.store.sync.interval.ms", OWN_COMMITS),
    ("enable.partition.eof", "ends of partitions are how restores end and idle tasks commit; leave it out, it is `true`"),
    ("group.id", OWN_IDENTITY),
    ("transactional.id", OWN_IDENTITY),
    ("partition.assignment.strategy", OWN_MEMBERSHIP),
    ("group.protocol", OWN_MEMBERSHIP),
    ("group.protocol.type", OWN_MEMBERSHIP),
    ("group.remote.assignor", OWN_MEMBERSHIP),
    ("delivery.report.only.error", OWN_REPORTS),
    ("produce.offset.report", OWN_REPORTS),
    ("enable.gapless.guarantee", "a record that is too large would stop the producer for good; leave it out"),
    ("queueing.strategy", "another order of delivery breaks the order of changelogs; leave it out"),
    ("queuing.strategy", "another order of delivery breaks the order of changelogs; leave it out"),
    ("metadata.broker.list", "use `bootstrap.servers`"),
    ("partitioner", "repartitioned and joined topics must be partitioned as in Java; pass a `StreamPartitioner` to the sink"),
    ("enable.background.events", "the library serves its clients itself; leave it out"),
    // Names of Java's clients.
    ("sasl.jaas.config", "use `sasl.username` and `sasl.password` (PLAIN, SCRAM), or `sasl.kerberos.principal` and `sasl.kerberos.keytab`"),
    ("sasl.client.callback.handler.class", CALLBACKS),
    ("sasl.login.callback.handler.class", CALLBACKS),
    ("sasl.login.class", CALLBACKS),
    ("ssl.truststore.location", TRUST),
    ("ssl.truststore.password", TRUST),
    ("ssl.truststore.type", TRUST),
    ("ssl.truststore.certificates", "use `ssl.ca.pem`"),
    ("ssl.keystore.type", KEYS),
    ("ssl.keystore.key", "use `ssl.key.pem`"),
    ("ssl.keystore.certificate.chain", "use `ssl.certificate.pem`"),
    ("ssl.protocol", JVM_TLS),
    ("ssl.provider", JVM_TLS),
    ("ssl.enabled.protocols", JVM_TLS),
    ("ssl.keymanager.algorithm", JVM_TLS),
    ("ssl.trustmanager.algorithm", JVM_TLS),
    ("ssl.secure.random.implementation", JVM_TLS),
    ("ssl.engine.factory.class", JVM_TLS),
    ("security.providers", JVM_TLS),
    ("key.serializer", SERDES),
    ("value.serializer", SERDES),
    ("key.deserializer", SERDES),
    ("value.deserializer", SERDES),
    ("interceptor.classes", NO_CLASSES),
    ("partitioner.class", "pass a `StreamPartitioner` to the sink (`Produced::with_partitioner`)"),
    ("partitioner.ignore.keys", "pass a `StreamPartitioner` to the sink (`Produced::with_partitioner`)"),
    ("max.poll.records", ONE_THREAD),
    ("fetch.max.wait.ms", "use `fetch.wait.max.ms`"),
    ("buffer.memory", "use `queue.buffering.max.kbytes`"),
    ("max.request.size", "use `message.max.bytes`"),
    ("max.block.ms", "a full producer queue is waited for; use `queue.buffering.max.messages` to make it larger"),
    ("default.api.timeout.ms", "use `request.timeout.ms`"),
    ("receive.buffer.bytes", "use `socket.receive.buffer.bytes`"),
    ("send.buffer.bytes", "use `socket.send.buffer.bytes`"),
    ("exclude.internal.topics", "patterns never match Kafka's own topics; leave it out"),
    ("metadata.cluster.check.enable", "brokers are checked by their answers; leave it out"),
    ("metadata.max.idle.ms", "use `topic.metadata.refresh.interval.ms`"),
    // Settings of Kafka Streams that have no meaning here.
    ("metric.reporters", METRICS),
    ("metrics.num.samples", METRICS),
    ("metrics.recording.level", METRICS),
    ("metrics.sample.window.ms", METRICS),
    ("auto.include.jmx.reporter", METRICS),
    ("built.in.metrics.version", METRICS),
    ("enable.metrics.push", METRICS),
    ("log.summary.interval.ms", METRICS),
    ("topology.description.push.enabled", "this version does not push descriptions to brokers; leave it out"),
    ("default.key.serde", SERDES),
    ("default.value.serde", SERDES),
    ("window.size.ms", SERDES),
    ("windowed.inner.class.serde", SERDES),
    ("dsl.store.format", STORE_FORMAT),
    ("rocksdb.config.setter", STORE_FORMAT),
    ("enable.transactional.statestores", "stores are always transactional here; leave it out"),
    ("statestore.uncommitted.max.bytes", "use `state.memory.max.bytes`; a commit comes early when it is exceeded"),
    ("default.interactive.query.isolation.level", "queries see what is committed; leave it out"),
    ("default.client.supplier", NO_CLASSES),
    ("processor.wrapper.class", NO_CLASSES),
    ("config.providers", NO_CLASSES),
    ("upgrade.from", "there is no older version to be compatible with; leave it out"),
    ("num.standby.replicas", STANDBYS),
    ("max.warmup.replicas", STANDBYS),
    ("acceptable.recovery.lag", STANDBYS),
    ("probing.rebalance.interval.ms", STANDBYS),
    ("task.assignor.class", STANDBYS),
    ("application.server", "this version routes no queries between processes; leave it out"),
    ("processing.exception.handler.global.enabled", "the handler is always used; leave it out"),
    ("allow.os.group.write.access", "the state directory is made for its owner only; change its mode yourself"),
    ("state.cleanup.dir.max.age.ms", "use `state.cleanup.delay.ms`"),
];

const REFUSED_PREFIXES: &[(&str, &str)] = &[
    ("rack.aware.assignment.", STANDBYS),
    ("client.tag.", STANDBYS),
    ("default.list.", SERDES),
    ("config.providers.", NO_CLASSES),
    (
        "metadata.recovery.",
        "use `reconnect.backoff.ms` and `reconnect.backoff.max.ms`; librdkafka returns to `bootstrap.servers` by itself",
    ),
];
