use std::collections::BTreeMap;
use std::sync::Arc;

use stream_core::store::{ChangelogConfig, CleanupPolicy};
use stream_core::topology::{BuiltTopology, ExistingTopic, InternalTopic, InternalTopicSettings, InternalTopicSpec, check_existing, plan};
use stream_core::{ErrorKind, Topology};

use crate::support::{Shape, counts, store_with};

fn configs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with_store(changelog: ChangelogConfig) -> BuiltTopology {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    let grouped = topology.repartition("r", &source);
    topology.processor("p", &[&grouped]);
    topology.add_state_store(store_with("st", Some(changelog)), &["p"]).unwrap();
    topology.build("app").unwrap()
}

fn specs(built: &BuiltTopology, settings: &InternalTopicSettings) -> Vec<InternalTopicSpec> {
    plan(built, &counts(&[("in", 3)])).unwrap().internal_topics(built, settings)
}

fn changelog_configs(changelog: ChangelogConfig, settings: &InternalTopicSettings) -> BTreeMap<String, String> {
    specs(&with_store(changelog), settings).pop().unwrap().configs
}

fn existing(spec: &InternalTopicSpec) -> (Arc<str>, ExistingTopic) {
    (Arc::clone(&spec.name), ExistingTopic { partitions: spec.partitions, configs: spec.configs.clone() })
}

#[test]
fn repartition_topics_come_before_changelogs_with_their_partitions_and_configs() {
    let specs = specs(&with_store(ChangelogConfig::compact()), &InternalTopicSettings::default());
    let [repartition, changelog] = &specs[..] else { panic!("two topics") };
    assert_eq!((&*repartition.name, repartition.partitions), ("app-r", 3));
    let expected =
        [("cleanup.policy", "delete"), ("message.timestamp.type", "CreateTime"), ("retention.ms", "-1"), ("segment.bytes", "52428800")];
    assert_eq!(repartition.configs, configs(&expected));
    assert_eq!((&*changelog.name, changelog.partitions), ("app-st-changelog", 3));
    assert_eq!(changelog.configs, configs(&[("cleanup.policy", "compact"), ("message.timestamp.type", "CreateTime")]));
}

#[test]
fn windowed_changelogs_expire_a_day_after_their_rows() {
    let settings = InternalTopicSettings::default();
    let windowed = changelog_configs(ChangelogConfig::windowed(10), &settings);
    let expected = [("cleanup.policy", "compact,delete"), ("message.timestamp.type", "CreateTime"), ("retention.ms", "86400010")];
    assert_eq!(windowed, configs(&expected));
    let forever = changelog_configs(ChangelogConfig::windowed(i64::MAX), &settings);
    assert_eq!(forever["retention.ms"], "9223372036854775807");
    let duplicates = ChangelogConfig { cleanup_policy: CleanupPolicy::Delete, ..ChangelogConfig::windowed(20) };
    assert_eq!(changelog_configs(duplicates, &settings)["cleanup.policy"], "delete");
}

#[test]
fn versioned_changelogs_compact_late() {
    let versioned = ChangelogConfig { min_compaction_lag_ms: Some(86_400_050), ..ChangelogConfig::compact() };
    assert_eq!(changelog_configs(versioned, &InternalTopicSettings::default())["min.compaction.lag.ms"], "86400050");
}

#[test]
fn settings_for_all_topics_lose_to_those_of_one_store_and_to_what_follows_from_it() {
    let settings = InternalTopicSettings {
        topic_configs: configs(&[("segment.bytes", "1000"), ("retention.ms", "5"), ("min.insync.replicas", "2")]),
        ..InternalTopicSettings::default()
    };
    let mut own = ChangelogConfig::windowed(10);
    own.topic_configs = configs(&[("segment.bytes", "2000")]);
    let built = with_store(own);
    let [repartition, changelog] = &specs(&built, &settings)[..] else { panic!("two topics") };
    assert_eq!((&*repartition.configs["segment.bytes"], &*repartition.configs["retention.ms"]), ("1000", "5"));
    assert_eq!((&*changelog.configs["segment.bytes"], &*changelog.configs["retention.ms"]), ("2000", "86400010"));
    assert_eq!(changelog.configs["min.insync.replicas"], "2");

    let mut own = ChangelogConfig::windowed(10);
    own.topic_configs = configs(&[("retention.ms", "7"), ("cleanup.policy", "delete")]);
    let changelog = changelog_configs(own, &settings);
    assert_eq!((&*changelog["retention.ms"], &*changelog["cleanup.policy"]), ("7", "delete"));
}

#[test]
fn a_repartition_topic_has_configs_of_its_own() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    topology.add_internal_topic(InternalTopic::repartition("r").with_config("segment.bytes", "9")).unwrap();
    topology.sink("k", "r", &[&source]);
    topology.source("s2", "r");
    let built = topology.build("app").unwrap();
    assert_eq!(specs(&built, &InternalTopicSettings::default())[0].configs["segment.bytes"], "9");
}

#[test]
fn a_source_topic_that_serves_as_changelog_is_not_created() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    topology.processor("p", &[&source]);
    topology.add_state_store(store_with("st", Some(ChangelogConfig::compact())), &["p"]).unwrap();
    topology.use_source_as_changelog("st", "in").unwrap();
    assert!(specs(&topology.build("app").unwrap(), &InternalTopicSettings::default()).is_empty());
}

#[test]
fn missing_topics_are_created_and_fitting_ones_kept() {
    let specs = specs(&with_store(ChangelogConfig::windowed(10)), &InternalTopicSettings::default());
    assert_eq!(check_existing(&specs, &BTreeMap::new()).unwrap(), specs);
    assert_eq!(check_existing(&specs, &[existing(&specs[0])].into()).unwrap(), specs[1..]);
    assert!(check_existing(&specs, &specs.iter().map(existing).collect()).unwrap().is_empty());
    // What the cluster does not tell is not checked; a longer retention loses nothing.
    let (name, mut topic) = existing(&specs[1]);
    topic.configs.insert("retention.ms".to_owned(), "-1".to_owned());
    let silent = ExistingTopic { configs: BTreeMap::new(), ..existing(&specs[0]).1 };
    assert!(check_existing(&specs, &[(name, topic), (Arc::clone(&specs[0].name), silent)].into()).unwrap().is_empty());
}

#[test]
fn an_existing_topic_that_does_not_fit_is_an_error_with_both_values_and_a_remedy() {
    let specs = specs(&with_store(ChangelogConfig::compact()), &InternalTopicSettings::default());
    let refused = |index: usize, change: &dyn Fn(&mut ExistingTopic)| {
        let (name, mut topic) = existing(&specs[index]);
        change(&mut topic);
        let error = check_existing(&specs, &[(name, topic)].into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    let set =
        |name: &'static str, value: &'static str| move |topic: &mut ExistingTopic| drop(topic.configs.insert(name.into(), value.into()));

    let partitions = refused(0, &|topic| topic.partitions = 5);
    assert!(["app-r", "5", "3", "reset"].iter().all(|part| partitions.contains(part)), "{partitions}");
    let compacted = refused(0, &set("cleanup.policy", "compact, delete"));
    assert!(
        ["app-r", "compact, delete", "cleanup.policy=delete", "kafka-configs"].iter().all(|part| compacted.contains(part)),
        "{compacted}"
    );
    let short = refused(0, &set("retention.ms", "604800000"));
    assert!(["app-r", "retention.ms=604800000", "retention.ms=-1"].iter().all(|part| short.contains(part)), "{short}");
    let deleting = refused(1, &set("cleanup.policy", "delete"));
    assert!(["app-st-changelog", "cleanup.policy=compact"].iter().all(|part| deleting.contains(part)), "{deleting}");
}
