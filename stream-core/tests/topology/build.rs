use stream_core::Topology;
use stream_core::store::ChangelogConfig;
use stream_core::topology::{InternalTopic, Regex, SourceTopics};

use crate::support::{Shape, store, store_with};

fn names(topology: &Topology) -> Vec<Vec<String>> {
    let described = topology.describe();
    described.subtopologies.iter().map(|subtopology| subtopology.nodes.iter().map(|node| node.name.clone()).collect()).collect()
}

#[test]
fn subtopologies_are_numbered_by_the_place_of_their_first_source() {
    let mut topology = Topology::new();
    let (z, a) = (topology.source("z", "1"), topology.source("a", "2"));
    topology.sink("z-out", "3", &[&z]);
    topology.sink("a-out", "4", &[&a]);
    assert_eq!(names(&topology), [["z", "z-out"], ["a", "a-out"]]);
    let built = topology.build("app").unwrap();
    assert_eq!(built.subtopologies().iter().map(|subtopology| subtopology.id).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(&*built.subtopologies()[0].sinks[0].topic, "3");
}

#[test]
fn processors_that_share_a_store_are_one_subtopology() {
    let mut topology = Topology::new();
    let (one, other, two) = (topology.source("one", "1"), topology.source("other", "3"), topology.source("two", "2"));
    topology.processor("p1", &[&one]);
    topology.processor("p3", &[&other]);
    topology.processor("p2", &[&two]);
    topology.add_state_store(store("st"), &["p1", "p2"]).unwrap();
    let built = topology.build("app").unwrap();
    let [first, second] = built.subtopologies() else { panic!("two sub-topologies") };
    assert_eq!(first.source_topics.iter().map(|topic| &**topic).collect::<Vec<_>>(), ["1", "2"]);
    assert!(first.is_stateful() && !second.is_stateful());
    assert!(first.nodes.is_sorted(), "parents come before children");
}

#[test]
fn only_internal_topics_get_the_application_id() {
    let mut topology = Topology::new();
    let source = topology.source("in", "lines");
    let grouped = topology.repartition("by-word-repartition", &source);
    topology.sink("out", "counts", &[&grouped]);
    let built = topology.build("shop").unwrap();
    let [upper, lower] = built.subtopologies() else { panic!("two sub-topologies") };
    assert_eq!((&*upper.sinks[0].topic, upper.sinks[0].internal), ("shop-by-word-repartition", true));
    assert!(matches!(&lower.sources[0].topics, SourceTopics::Named(names) if names[..] == ["shop-by-word-repartition"]));
    assert!(lower.repartition_topics.contains("shop-by-word-repartition"));
    assert_eq!((&*lower.sinks[0].topic, lower.sinks[0].internal), ("counts", false));
    assert!(built.is_internal("shop-by-word-repartition") && !built.is_internal("by-word-repartition") && !built.is_internal("lines"));
    assert_eq!(built.external_source_topics().iter().map(|topic| &**topic).collect::<Vec<_>>(), ["lines"]);
}

#[test]
fn a_store_has_a_changelog_of_its_own_unless_a_source_topic_serves_or_logging_is_off() {
    let mut topology = Topology::new();
    let source = topology.source("in", "table");
    topology.processor("p", &[&source]);
    topology.add_state_store(store("own"), &["p"]).unwrap();
    topology.add_state_store(store_with("off", None), &["p"]).unwrap();
    topology.add_state_store(store_with("reuse", Some(ChangelogConfig::compact())), &["p"]).unwrap();
    topology.use_source_as_changelog("reuse", "table").unwrap();
    topology.add_state_store(store("unconnected"), &[]).unwrap();
    let built = topology.build("app").unwrap();
    let changelogs: Vec<(&str, &str, bool)> =
        built.changelogs().map(|changelog| (&*changelog.name, &*changelog.topic, changelog.is_source_topic())).collect();
    assert_eq!(changelogs, [("own", "app-own-changelog", false), ("reuse", "table", true)]);
    assert_eq!(built.subtopologies()[0].stores.len(), 3, "a store that no processor is connected to is never built");
}

#[test]
fn a_pattern_matches_whole_names_only() {
    let topics: SourceTopics = Regex::new("a|ab").unwrap().into();
    assert!(topics.matches("a") && topics.matches("ab"));
    assert!(!topics.matches("abc") && !topics.matches("ba"));
    let commented: SourceTopics = Regex::new("(?x) orders # all of them").unwrap().into();
    assert!(commented.matches("orders") && !commented.matches("orders2"));
}

#[test]
fn copartition_groups_that_share_a_topic_are_one() {
    let mut topology = Topology::new();
    for topic in ["a", "b", "c", "d", "e"] {
        topology.source(&format!("{topic}-source"), topic);
    }
    topology.copartition(&["a", "b"]);
    topology.copartition(&["d", "e"]);
    topology.copartition(&["b", "c"]);
    topology.copartition(&["e"]);
    let built = topology.build("app").unwrap();
    let groups: Vec<Vec<&str>> = built.copartition_groups().iter().map(|group| group.iter().map(|topic| &**topic).collect()).collect();
    assert_eq!(groups, [vec!["a", "b", "c"], vec!["d", "e"]]);
}

#[test]
fn an_internal_topic_can_be_declared_twice_alike() {
    let mut topology = Topology::new();
    topology.add_internal_topic(InternalTopic::repartition("r")).unwrap();
    topology.add_internal_topic(InternalTopic::repartition("r")).unwrap();
    let error = topology.add_internal_topic(InternalTopic::repartition("r").with_partitions(3)).unwrap_err();
    assert!(error.to_string().contains("`r`"), "{error}");
}
