use std::sync::Arc;

use stream_core::topology::{NodeRole, Regex, SinkTopic, TopicContext, TopicNameExtractor};
use stream_core::{BoxError, Record, Topology};

use crate::support::{Shape, produced, store};

fn text(topology: &Topology) -> String {
    topology.describe().to_string()
}

#[test]
fn an_empty_topology_is_described() {
    assert_eq!(text(&Topology::new()), "Topologies:\n ");
}

#[test]
fn a_shared_store_joins_sources_in_one_description() {
    let mut topology = Topology::new();
    let source = topology.source("src", "in");
    let processor = topology.processor("p", &[&source]);
    let other = topology.source("src2", "tab");
    topology.processor("p2", &[&other]);
    topology.add_state_store(store("st"), &["p", "p2"]).unwrap();
    topology.sink("k", "out", &[&processor]);
    let expected = "Topologies:
   Sub-topology: 0
    Source: src (topics: [in])
      --> p
    Processor: p (stores: [st])
      --> k
      <-- src
    Source: src2 (topics: [tab])
      --> p2
    Sink: k (topic: out)
      <-- p
    Processor: p2 (stores: [st])
      --> none
      <-- src2

";
    assert_eq!(text(&topology), expected);
}

#[test]
fn a_diamond_counts_each_path_and_keeps_the_order_of_java() {
    let mut topology = Topology::new();
    let source = topology.source("src", "in");
    let left = topology.processor("left", &[&source]);
    let right = topology.processor("right", &[&source]);
    let both = topology.processor("both", &[&left, &right]);
    topology.sink("k", "out", &[&both]);
    let expected = "Topologies:
   Sub-topology: 0
    Source: src (topics: [in])
      --> left, right
    Processor: left (stores: [])
      --> both
      <-- src
    Processor: right (stores: [])
      --> both
      <-- src
    Processor: both (stores: [])
      --> k
      <-- left, right
    Sink: k (topic: out)
      <-- both

";
    assert_eq!(text(&topology), expected);
}

#[test]
fn children_come_in_the_order_of_java_hash_maps_where_sizes_tie_while_edges_are_added() {
    // From Kafka Streams: the name decides the place in a hash map, and with it which child had grown when the other one came.
    let mut topology = Topology::new();
    let source = topology.source("KSTREAM-SOURCE-0000000000", "in");
    let flat = topology.processor("KSTREAM-FLATMAPVALUES-0000000001", &[&source]);
    let one = topology.processor("KSTREAM-AGGREGATE-0000000002", &[&flat]);
    let one = topology.processor("KTABLE-TOSTREAM-0000000003", &[&one]);
    topology.sink("KSTREAM-SINK-0000000004", "o1", &[&one]);
    let two = topology.processor("KSTREAM-REDUCE-0000000005", &[&flat]);
    let two = topology.processor("KTABLE-TOSTREAM-0000000006", &[&two]);
    topology.sink("KSTREAM-SINK-0000000007", "o2", &[&two]);
    let description = topology.describe();
    let flat = &description.subtopologies[0].nodes[1];
    assert_eq!(flat.successors, ["KSTREAM-REDUCE-0000000005", "KSTREAM-AGGREGATE-0000000002"]);
    let names: Vec<&str> = description.subtopologies[0].nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names[2..4], ["KSTREAM-AGGREGATE-0000000002", "KSTREAM-REDUCE-0000000005"], "nodes come by their final size, then name");
}

#[test]
fn several_topics_come_in_the_order_of_a_java_hash_set() {
    let mut topology = Topology::new();
    topology.source("s", ["in", "tab"]);
    assert_eq!(text(&topology), "Topologies:\n   Sub-topology: 0\n    Source: s (topics: [tab, in])\n      --> none\n\n");
}

#[test]
fn patterns_and_extractors_show_as_they_are_named() {
    struct ByKey;
    impl TopicNameExtractor<String, String> for ByKey {
        fn topic(&self, record: &Record<String, String>, _context: &TopicContext<'_>) -> Result<Arc<str>, BoxError> {
            Ok(Arc::from(record.key.as_str()))
        }

        fn name(&self) -> String {
            "by-key".to_owned()
        }
    }
    let mut topology = Topology::new();
    let source = topology.source("s", Regex::new("orders-.*").unwrap());
    topology.add_sink("k", SinkTopic::extracted(ByKey), produced(), &[&source]).unwrap();
    let expected = "Topologies:\n   Sub-topology: 0\n    Source: s (topics: orders-.*)\n      --> k\n    Sink: k (extractor class: by-key)\n      <-- s\n\n";
    assert_eq!(text(&topology), expected);
    assert_eq!(topology.describe().subtopologies[0].nodes[0].kind, NodeRole::PatternSource { pattern: "orders-.*".to_owned() });
}

#[test]
fn internal_topics_are_described_without_an_application_id() {
    let mut topology = Topology::new();
    let source = topology.source("s", "in");
    topology.repartition("r", &source);
    assert!(text(&topology).contains("Sink: r-sink (topic: r)"));
}
