use std::time::Duration;

use super::*;
use crate::client::check_property;
use crate::error::ErrorKind;
use crate::offset::AutoOffsetReset;

fn config() -> StreamsConfig {
    StreamsConfig::new("app", "localhost:9092")
}

fn exactly_once() -> StreamsConfig {
    config().with_processing_guarantee(ProcessingGuarantee::ExactlyOnceV2)
}

fn refusal(name: &str, value: &str) -> String {
    let error = config().set(name, value).expect_err(name);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

fn contradiction(config: StreamsConfig) -> String {
    config.validate().unwrap_err().to_string()
}

#[test]
fn defaults_are_kafkas() {
    let config = config();
    config.validate().unwrap();
    assert_eq!(config.commit_interval(), Duration::from_secs(30));
    assert_eq!(exactly_once().commit_interval(), Duration::from_millis(100));
    assert_eq!(config.transaction_timeout(), Duration::from_secs(10));
    assert_eq!(config.cache_max_bytes(), 10 << 20);
    assert_eq!(config.state_dir(), std::env::temp_dir().join("kafka-streams"));
    assert_eq!(config.auto_offset_reset(), AutoOffsetReset::Earliest);
    assert_eq!((config.num_stream_threads(), config.max_task_idle_ms(), config.replication_factor()), (1, 0, -1));
    assert_eq!(config.task_timeout(), Duration::from_secs(300));
}

#[test]
fn the_default_of_every_setting_is_a_value_that_it_can_have() {
    for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
        config().set(setting.name, setting.default).unwrap();
    }
}

#[test]
fn settings_are_in_order_and_known_once() {
    assert!(SETTINGS.windows(2).all(|pair| pair[0].name < pair[1].name));
}

#[test]
fn deprecated_and_prefixed_names_mean_the_same_setting() {
    let config = StreamsConfig::from_properties([
        ("application.id", "app"),
        ("bootstrap.servers", "localhost:9092"),
        ("cache.max.bytes.buffering", "7"),
        ("producer.transaction.timeout.ms", "9000"),
        ("consumer.auto.offset.reset", "by_duration:P7D"),
        ("main.consumer.session.timeout.ms", "20000"),
        ("default.deserialization.exception.handler", "org.apache.kafka.streams.errors.LogAndContinueExceptionHandler"),
        ("default.timestamp.extractor", "org.apache.kafka.streams.processor.WallclockTimestampExtractor"),
    ])
    .unwrap();
    assert_eq!(config.cache_max_bytes(), 7);
    assert_eq!(config.transaction_timeout(), Duration::from_secs(9));
    assert_eq!(config.auto_offset_reset(), AutoOffsetReset::ByDuration(Duration::from_secs(7 * 86_400)));
    assert_eq!(config.session_timeout(), Duration::from_secs(20));
    assert_eq!(config.default_timestamp_extractor(), BuiltInTimestampExtractor::Wallclock);
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest_known_one() {
    assert!(refusal("commit.interval", "5").contains("did you mean `commit.interval.ms`?"));
    assert!(refusal("producer.linger.mss", "5").contains("did you mean `linger.ms`?"));
    assert!(refusal("what.is.this", "5").contains("nor a property that librdkafka knows"));
}

#[test]
fn a_wrong_value_is_answered_with_what_is_expected() {
    assert!(refusal("num.stream.threads", "0").contains("from 1 to"));
    assert!(refusal("commit.interval.ms", "PT1S").contains("perhaps 1000"));
    assert!(refusal("processing.guarantee", "exactly_once_beta").contains("use `exactly_once_v2`"));
    assert!(refusal("processing.guarantee", "sometimes").contains("`at_least_once` or `exactly_once_v2`"));
    assert!(refusal("producer.linger.ms", "soon").contains("linger.ms"));
    assert!(refusal("replication.factor", "0").contains("-1"));
}

#[test]
fn what_would_break_a_guarantee_is_refused_with_the_reason() {
    for (name, value, reason) in [
        ("consumer.enable.auto.commit", "true", "committed together"),
        ("enable.auto.offset.store", "true", "committed together"),
        ("producer.enable.idempotence", "false", "order of changelogs"),
        ("producer.acks", "1", "in-sync replicas"),
        ("producer.transactional.id", "x", "application.id"),
        ("group.id", "x", "application.id"),
        ("partition.assignment.strategy", "range", "cooperative-sticky"),
        ("enable.partition.eof", "false", "restores end"),
        ("producer.max.in.flight", "6", "5 at most"),
        ("consumer.allow.auto.create.topics", "true", "mistyped"),
        ("producer.partitioner", "random", "StreamPartitioner"),
        ("delivery.report.only.error", "true", "delivery reports"),
        ("topic.cleanup.policy", "delete", "what a restoration needs"),
        ("topic.retention.ms", "86400000", "before they are processed"),
        ("topic.retention.bytes", "1", "before they are processed"),
    ] {
        let text = refusal(name, value);
        assert!(text.contains(reason), "{name}: {text}");
    }
    assert!(config().set("producer.acks", "all").is_ok());
    assert!(config().set("enable.idempotence", "true").is_ok());
}

#[test]
fn a_value_that_is_refused_with_its_name_is_not_shown() {
    for name in ["ssl.keystore.key", "producer.ssl.keystore.key", "sasl.jaas.config", "ssl.truststore.certificates"] {
        let text = refusal(name, "the-private-key");
        assert!(!text.contains("the-private-key"), "{name}: {text}");
    }
}

#[test]
fn librdkafka_takes_the_ends_of_every_range() {
    let ends = |name: &str| {
        [0, 1, 999, 1_000, 3_600_000, 3_600_001, 86_400_000, 86_400_001, i64::from(i32::MAX)].map(|value| (name.to_owned(), value))
    };
    let names = [
        "metadata.max.age.ms",
        "session.timeout.ms",
        "heartbeat.interval.ms",
        "max.poll.interval.ms",
        "retry.backoff.ms",
        "retry.backoff.max.ms",
    ];
    for (name, value) in names.into_iter().flat_map(ends) {
        let Ok(config) = config().set(&name, value) else { continue };
        for role in
            [ClientRole::Main, ClientRole::Restore, ClientRole::Global, ClientRole::Membership, ClientRole::Producer, ClientRole::Admin]
        {
            for (property, value) in config.client_properties(role) {
                assert!(check_property(&property, &value).unwrap_or_else(|error| panic!("{name}: {error}")), "{property}={value}");
            }
        }
    }
}

#[test]
fn names_that_only_java_has_are_refused_with_what_to_use_instead() {
    for (name, instead) in [
        ("sasl.jaas.config", "sasl.username"),
        ("ssl.truststore.location", "ssl.ca.location"),
        ("ssl.keystore.type", "ssl.keystore.location"),
        ("producer.key.serializer", "Produced::with"),
        ("consumer.interceptor.classes", "cannot be loaded"),
        ("metric.reporters", "application handle"),
        ("default.key.serde", "types choose the serdes"),
        ("max.poll.records", "buffered.records.per.partition"),
        ("num.standby.replicas", "no standby"),
        ("sasl.login.callback.handler.class", "oauth_token"),
    ] {
        let text = refusal(name, "x");
        assert!(text.contains(instead), "{name}: {text}");
    }
}

#[test]
fn exactly_once_refuses_what_contradicts_it() {
    let text = contradiction(exactly_once().set("consumer.isolation.level", "read_uncommitted").unwrap());
    assert!(text.contains("consumer.isolation.level"), "{text}");
    let text = contradiction(exactly_once().set("transaction.timeout.ms", 60_000).unwrap());
    assert!(text.contains("session.timeout.ms"), "{text}");
    let text = contradiction(exactly_once().set("commit.interval.ms", 10_000).unwrap());
    assert!(text.contains("transaction.timeout.ms"), "{text}");
    let text = contradiction(exactly_once().set("producer.delivery.timeout.ms", 1_000).unwrap());
    assert!(text.contains("producer.delivery.timeout.ms"), "{text}");
    // Under at-least-once all of that is fine.
    config().set("isolation.level", "read_uncommitted").unwrap().set("transaction.timeout.ms", 60_000).unwrap().validate().unwrap();
}

#[test]
fn a_short_session_shortens_transactions_and_heartbeats_that_were_not_set() {
    let config = exactly_once().set("session.timeout.ms", 1_200).unwrap();
    config.validate().unwrap();
    assert_eq!(config.transaction_timeout(), Duration::from_millis(1_200));
    assert_eq!(config.heartbeat_interval(), Duration::from_millis(400));
    let text = contradiction(config.set("heartbeat.interval.ms", 7_000).unwrap());
    assert!(text.contains("heartbeat.interval.ms"), "{text}");
}

#[test]
fn an_application_id_that_leaves_the_state_directory_is_refused() {
    for id in ["", "../other", "a/b", "."] {
        assert!(StreamsConfig::new(id, "localhost:9092").validate().is_err(), "{id}");
    }
    assert!(contradiction(StreamsConfig::new("app", "")).contains("bootstrap.servers"));
}

#[test]
fn secrets_are_neither_in_debug_nor_in_errors() {
    let config = config().set("sasl.username", "alice").unwrap().set("producer.sasl.password", "canary").unwrap();
    let debug = format!("{config:?}");
    assert!(debug.contains("alice") && debug.contains("producer.sasl.password") && !debug.contains("canary"), "{debug}");
    for name in ["sasl.jaas.config", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password", "sasl.passwort", "ssl.truststore.password"]
    {
        if let Err(error) = self::config().set(name, "canary\0") {
            assert!(!format!("{error:?} {error}").contains("canary"), "{name}: {error}");
        }
    }
}

#[test]
fn the_more_specific_prefix_wins_and_each_client_gets_only_its_own() {
    let config = config()
        .set("fetch.min.bytes", 1)
        .unwrap()
        .set("consumer.fetch.min.bytes", 2)
        .unwrap()
        .set("restore.consumer.fetch.min.bytes", 3)
        .unwrap()
        .set("linger.ms", 50)
        .unwrap()
        .set("socket.timeout.ms", 30_000)
        .unwrap();
    let get = |role, name: &str| config.client_properties(role).get(name).cloned();
    assert_eq!(get(ClientRole::Main, "fetch.min.bytes").as_deref(), Some("2"));
    assert_eq!(get(ClientRole::Restore, "fetch.min.bytes").as_deref(), Some("3"));
    assert_eq!(get(ClientRole::Producer, "fetch.min.bytes"), None);
    assert_eq!(get(ClientRole::Main, "linger.ms"), None);
    assert_eq!(get(ClientRole::Producer, "linger.ms").as_deref(), Some("50"));
    assert_eq!(get(ClientRole::Admin, "socket.timeout.ms").as_deref(), Some("30000"));
    assert!(refusal("producer.fetch.min.bytes", "1").contains("property of consumers"));
    assert!(refusal("main.consumer.linger.ms", "1").contains("property of producers"));
}

#[test]
fn what_a_client_must_be_no_setting_changes() {
    let main = exactly_once().set("group.instance.id", "pod-1").unwrap().client_properties(ClientRole::Main);
    let get = |name: &str| main.get(name).map(String::as_str);
    assert_eq!(get("isolation.level"), Some("read_committed"));
    assert_eq!(get("enable.partition.eof"), Some("true"));
    assert_eq!(get("auto.offset.reset"), Some("error"));
    assert_eq!(get("group.id"), Some("app"));
    assert_eq!(get("group.instance.id"), None, "only the membership consumer is a member");
    let restore = config().set("isolation.level", "read_uncommitted").unwrap().client_properties(ClientRole::Restore);
    assert_eq!(restore.get("isolation.level").map(String::as_str), Some("read_committed"));
    assert_eq!(exactly_once().client_properties(ClientRole::Producer).get("transaction.timeout.ms").map(String::as_str), Some("10000"));
}

#[test]
fn librdkafka_takes_the_properties_of_every_client() {
    use crate::client::check_property;
    for config in [config(), exactly_once().set("group.instance.id", "pod-1").unwrap().set("metadata.max.age.ms", 5_000).unwrap()] {
        for role in
            [ClientRole::Main, ClientRole::Restore, ClientRole::Global, ClientRole::Membership, ClientRole::Producer, ClientRole::Admin]
        {
            for (name, value) in config.client_properties(role) {
                assert!(check_property(&name, &value).unwrap(), "{role:?}: {name}={value}");
            }
        }
    }
}

#[test]
fn configs_of_internal_topics_are_told_from_librdkafkas_topic_properties() {
    let config = config().set("topic.segment.bytes", 1_048_576).unwrap().set("topic.metadata.refresh.interval.ms", 1_000).unwrap();
    assert_eq!(config.topic_configs().get("segment.bytes").map(String::as_str), Some("1048576"));
    assert_eq!(config.topic_configs().len(), 1);
    assert_eq!(config.client_properties(ClientRole::Admin).get("topic.metadata.refresh.interval.ms").map(String::as_str), Some("1000"));
}

#[test]
fn a_feature_that_was_not_compiled_in_is_named() {
    if cfg!(not(feature = "ssl")) {
        for (name, value) in [("ssl.ca.location", "/etc/ca.pem"), ("security.protocol", "SSL"), ("ssl.key.password", "canary")] {
            let text = refusal(name, value);
            assert!(text.contains("cargo feature `ssl`") && !text.contains("canary"), "{text}");
        }
    }
    if cfg!(not(feature = "zstd")) {
        assert!(refusal("producer.compression.type", "zstd").contains("cargo feature `zstd`"));
    }
}
