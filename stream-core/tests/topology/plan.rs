use std::sync::Arc;

use stream_core::store::ChangelogConfig;
use stream_core::topology::{InternalTopic, PartitionPlan, PlanError, Regex, plan};
use stream_core::{Error, ErrorKind, TaskId, Topology};

use crate::support::{Handle, Shape, counts, planned, store, store_with};

fn joined(topology: &mut Topology, one: &Handle, other: &Handle) {
    topology.processor("join", &[one, other]);
    topology.add_state_store(store("join-store"), &["join"]).unwrap();
}

fn inputs(plan: &PartitionPlan, task: &str) -> Vec<String> {
    plan.input_partitions(task.parse().unwrap()).iter().map(ToString::to_string).collect()
}

#[test]
fn there_are_as_many_tasks_as_the_largest_source_has_partitions() {
    let mut topology = Topology::new();
    let (one, other) = (topology.source("s1", "small"), topology.source("s2", "large"));
    joined(&mut topology, &one, &other);
    let alone = topology.source("s3", "alone");
    topology.sink("k", "out", &[&alone]);
    let plan = planned(&topology, &[("small", 2), ("large", 4), ("alone", 1), ("unrelated", 99)]).unwrap();
    let tasks: Vec<String> = plan.tasks().iter().map(TaskId::to_string).collect();
    assert_eq!(tasks, ["0_0", "0_1", "0_2", "0_3", "1_0"]);
    assert_eq!(inputs(&plan, "0_1"), ["small-1", "large-1"]);
    assert_eq!(inputs(&plan, "0_3"), ["large-3"], "a smaller topic contributes nothing to the upper tasks");
    assert!(inputs(&plan, "0_4").is_empty() && inputs(&plan, "7_0").is_empty());
    let changelogs = plan.changelog_partitions(TaskId::new(0, 3));
    assert_eq!(changelogs[0].to_string(), "app-join-store-changelog-3");
    assert_eq!((plan.task_count(0), plan.task_count(1), plan.task_count(2)), (Some(4), Some(1), None));
}

#[test]
fn missing_source_topics_are_named() {
    let mut topology = Topology::new();
    topology.source("s", ["one", "two", "three"]);
    let error = planned(&topology, &[("two", 1)]).unwrap_err();
    assert_eq!(error, PlanError::MissingTopics { topics: vec!["one".to_owned(), "three".to_owned()] });
    assert!(error.is_missing_topics());
    let error = Error::from(error);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("one, three"), "{error}");
}

#[test]
fn the_count_of_a_repartition_topic_follows_from_all_sources_above_it() {
    let mut topology = Topology::new();
    let (one, other) = (topology.source("s1", "small"), topology.source("s2", "large"));
    let first = topology.repartition("r1", &one);
    let both = topology.processor("both", &[&first, &other]);
    let second = topology.repartition("r2", &both);
    let third = topology.repartition("r3", &second);
    topology.processor("end", &[&third]);
    let plan = planned(&topology, &[("small", 2), ("large", 6)]).unwrap();
    let count = |topic| plan.partition_count(topic);
    assert_eq!((count("app-r1"), count("app-r2"), count("app-r3")), (Some(2), Some(6), Some(6)));
    assert!(plan.is_repartition_topic("app-r3") && !plan.is_repartition_topic("small"));
}

#[test]
fn a_fixed_count_wins_and_spreads() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    topology.add_internal_topic(InternalTopic::repartition("fixed").with_partitions(10)).unwrap();
    topology.sink("k", "fixed", &[&source]);
    let fixed = topology.source("s2", "fixed");
    topology.repartition("below", &fixed);
    let plan = planned(&topology, &[("in", 2)]).unwrap();
    assert_eq!((plan.partition_count("app-fixed"), plan.partition_count("app-below")), (Some(10), Some(10)));
}

#[test]
fn a_subtopology_that_writes_what_it_reads_has_a_count() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    topology.add_internal_topic(InternalTopic::repartition("again")).unwrap();
    let again = topology.source("s2", "again");
    let both = topology.processor("both", &[&source, &again]);
    topology.sink("k", "again", &[&both]);
    assert_eq!(planned(&topology, &[("in", 3)]).unwrap().partition_count("app-again"), Some(3));
}

#[test]
fn copartitioned_repartition_topics_take_the_count_of_the_external_topic() {
    let mut topology = Topology::new();
    let (stream, table) = (topology.source("s1", "stream"), topology.source("s2", "table"));
    let rekeyed = topology.repartition("r", &stream);
    joined(&mut topology, &rekeyed, &table);
    topology.copartition(&["r", "table"]);
    let plan = planned(&topology, &[("stream", 6), ("table", 4)]).unwrap();
    assert_eq!(plan.partition_count("app-r"), Some(4));
    assert_eq!(plan.task_count(1), Some(4));
}

#[test]
fn copartitioned_repartition_topics_alone_take_the_largest_count_or_the_fixed_one() {
    let build = |fixed: Option<i32>| {
        let mut topology = Topology::new();
        let (one, other) = (topology.source("s1", "small"), topology.source("s2", "large"));
        let mut r1 = InternalTopic::repartition("r1");
        r1.partitions = fixed;
        topology.add_internal_topic(r1).unwrap();
        topology.sink("k", "r1", &[&one]);
        let one = topology.source("r1-source", "r1");
        let other = topology.repartition("r2", &other);
        joined(&mut topology, &one, &other);
        topology.copartition(&["r1", "r2"]);
        let plan = planned(&topology, &[("small", 2), ("large", 5)]).unwrap();
        (plan.partition_count("app-r1"), plan.partition_count("app-r2"))
    };
    assert_eq!(build(None), (Some(5), Some(5)));
    assert_eq!(build(Some(3)), (Some(3), Some(3)));
}

#[test]
fn copartitioned_topics_that_differ_are_an_error_that_names_both() {
    let mut topology = Topology::new();
    let (one, other) = (topology.source("s1", "orders"), topology.source("s2", "users"));
    joined(&mut topology, &one, &other);
    topology.copartition(&["orders", "users"]);
    assert!(planned(&topology, &[("orders", 3), ("users", 3)]).is_ok());
    let error = planned(&topology, &[("orders", 3), ("users", 4)]).unwrap_err();
    assert!(!error.is_missing_topics());
    for part in ["orders (3 partitions)", "users (4 partitions)", "repartition"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_fixed_count_must_be_that_of_the_topic_it_is_joined_with() {
    let mut topology = Topology::new();
    let (one, table) = (topology.source("s1", "stream"), topology.source("s2", "table"));
    topology.add_internal_topic(InternalTopic::repartition("r").with_partitions(2)).unwrap();
    topology.sink("k", "r", &[&one]);
    let rekeyed = topology.source("r-source", "r");
    joined(&mut topology, &rekeyed, &table);
    topology.copartition(&["r", "table"]);
    let error = planned(&topology, &[("stream", 4), ("table", 4)]).unwrap_err();
    let expected = PlanError::NotCopartitioned { topic: "table".to_owned(), count: 4, other: "app-r".to_owned(), other_count: 2 };
    assert_eq!(error, expected);
}

#[test]
fn patterns_read_what_matches_now_but_never_internal_topics() {
    let mut topology = Topology::new();
    let source = topology.source("s", Regex::new(".*").unwrap());
    topology.processor("p", &[&source]);
    topology.add_state_store(store("st"), &["p"]).unwrap();
    let plan = planned(&topology, &[("b", 1), ("a", 2), ("app-st-changelog", 9)]).unwrap();
    assert_eq!(inputs(&plan, "0_0"), ["a-0", "b-0"]);
    let nothing = planned(&topology, &[]).unwrap();
    assert!(nothing.tasks().is_empty() && nothing.anchors().is_empty() && nothing.task_count(0).is_none());
}

#[test]
fn two_patterns_cannot_match_one_topic() {
    let mut topology = Topology::new();
    topology.source("s1", Regex::new("a.*").unwrap());
    topology.source("s2", Regex::new(".*b").unwrap());
    assert!(planned(&topology, &[("ax", 1), ("xb", 1)]).is_ok());
    let error = planned(&topology, &[("ab", 1)]).unwrap_err();
    assert_eq!(error, PlanError::TopicReadTwice { topic: "ab".to_owned(), node: "s2".to_owned(), other: "s1".to_owned() });
}

#[test]
fn a_repartition_topic_below_a_pattern_that_matches_nothing_waits_for_topics() {
    let mut topology = Topology::new();
    let source = topology.source("s", Regex::new("orders-.*").unwrap());
    topology.repartition("r", &source);
    let error = planned(&topology, &[("other", 1)]).unwrap_err();
    assert!(error.is_missing_topics());
    assert!(error.to_string().contains("app-r") && error.to_string().contains("r-sink"), "{error}");
}

#[test]
fn the_anchor_is_the_source_with_the_most_partitions_ties_by_name() {
    let mut topology = Topology::new();
    let (one, other, third) = (topology.source("s1", "b"), topology.source("s2", "a"), topology.source("s3", "c"));
    topology.processor("p", &[&one, &other, &third]);
    let anchor = |counts: &[(&str, i32)]| planned(&topology, counts).unwrap().anchor(0).map(ToString::to_string);
    assert_eq!(anchor(&[("a", 2), ("b", 2), ("c", 1)]).as_deref(), Some("a"));
    assert_eq!(anchor(&[("a", 2), ("b", 2), ("c", 3)]).as_deref(), Some("c"));
}

#[test]
fn the_fingerprint_follows_structure_anchors_and_source_counts_and_nothing_else() {
    let build = |store_name: &str, id: &str, topics: &[(&str, i32)]| {
        let mut topology = Topology::new();
        let source = topology.source("s", "in");
        topology.processor("p", &[&source]);
        topology.add_state_store(store_with(store_name, Some(ChangelogConfig::compact())), &["p"]).unwrap();
        plan(&topology.build(id).unwrap(), &counts(topics)).unwrap().fingerprint().to_owned()
    };
    let fingerprint = build("st", "app", &[("in", 2)]);
    assert_eq!(fingerprint.len(), 16);
    assert!(fingerprint.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert_eq!(build("st", "app", &[("in", 2), ("unrelated", 7)]), fingerprint);
    assert_ne!(build("st", "app", &[("in", 3)]), fingerprint);
    assert_ne!(build("st2", "app", &[("in", 2)]), fingerprint);
    // Releases that run side by side in one group must agree on it.
    assert_eq!(fingerprint, "fbb97a1d0085e97b");
}

mod growth {
    use super::*;

    fn check(topology: &Topology, old: &[(&str, i32)], new: &[(&str, i32)]) -> Result<(), PlanError> {
        PartitionPlan::check_growth(&planned(topology, old).unwrap(), &planned(topology, new).unwrap())
    }

    #[test]
    fn a_stateless_subtopology_may_grow() {
        let mut topology = Topology::new();
        let source = topology.source("s", "in");
        topology.sink("k", "out", &[&source]);
        assert!(check(&topology, &[("in", 2)], &[("in", 4)]).is_ok());
    }

    #[test]
    fn a_count_that_changes_under_a_store_is_an_error_that_names_it() {
        let mut topology = Topology::new();
        let (one, other) = (topology.source("s1", "small"), topology.source("s2", "large"));
        joined(&mut topology, &one, &other);
        assert!(check(&topology, &[("small", 1), ("large", 2)], &[("small", 1), ("large", 2)]).is_ok());
        let error = check(&topology, &[("small", 1), ("large", 2)], &[("small", 2), ("large", 2)]).unwrap_err();
        assert_eq!(error, PlanError::CountChanged { topic: "small".to_owned(), old: 1, new: 2, subtopology: 0, stateful: true });
    }

    #[test]
    fn a_repartition_topic_cannot_grow_with_the_topics_above_it() {
        let mut topology = Topology::new();
        let source = topology.source("s", "in");
        let grouped = topology.repartition("r", &source);
        topology.sink("k", "out", &[&grouped]);
        let error = check(&topology, &[("in", 2)], &[("in", 3)]).unwrap_err();
        assert!(["app-r", "2", "3", "with_partitions(2)"].iter().all(|part| error.to_string().contains(part)), "{error}");
    }

    #[test]
    fn a_pattern_may_find_topics_that_need_no_new_task_of_a_store() {
        let mut topology = Topology::new();
        let source = topology.source("s", Regex::new("t.*").unwrap());
        topology.processor("p", &[&source]);
        topology.add_state_store(store("st"), &["p"]).unwrap();
        assert!(check(&topology, &[("t1", 2)], &[("t1", 2), ("t2", 2)]).is_ok());
        assert!(check(&topology, &[], &[("t1", 2)]).is_ok(), "nothing was there before");
        let error = check(&topology, &[("t1", 2)], &[("t1", 2), ("t2", 3)]).unwrap_err();
        assert!(matches!(&error, PlanError::CountChanged { topic, old: 2, new: 3, .. } if topic == "t2"), "{error}");
    }
}

#[test]
fn a_plan_does_not_depend_on_what_it_was_told_of_internal_topics() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    topology.repartition("r", &source);
    let plan = planned(&topology, &[("in", 2), ("app-r", 7)]).unwrap();
    assert_eq!(plan.partition_count("app-r"), Some(2));
    assert_eq!(plan.source_counts().keys().map(Arc::clone).collect::<Vec<_>>(), [Arc::from("app-r"), Arc::<str>::from("in")]);
}
