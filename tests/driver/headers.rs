//! Headers of a record that goes to several nodes.

use kstreams::core::processor::{Processor, ProcessorContext};
use kstreams::prelude::*;
use stream_testkit::TopologyTestDriver;

struct AddHeader;

impl Processor for AddHeader {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, mut record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        record.headers.add("added", Some(b"1"));
        cx.forward(record)?;
        Ok(())
    }
}

#[test]
fn t142_a_header_that_one_node_adds_is_not_seen_by_its_siblings() {
    let mut topology = Topology::new();
    let source = topology.add_source("in", "in", Consumed::<String, String>::default()).expect("a source");
    let first = topology.add_processor("first", &[&source], || AddHeader).expect("a processor");
    topology.add_sink("with", "with", Produced::default(), &[&first]).expect("a sink");
    topology.add_sink("without", "without", Produced::default(), &[&source]).expect("a sink");
    let driver = TopologyTestDriver::new(&topology).expect("a driver");
    let mut headers = Headers::new();
    headers.add("sent", Some(b"0"));
    let record = Record { key: "k".to_owned(), value: "v".to_owned(), timestamp: 1, headers };
    driver.create_input_topic::<String, String>("in").pipe_record(record).expect("a record");
    let names = |topic: &str| {
        let record = driver.create_output_topic::<String, String>(topic).read_record().expect("a record");
        record.headers.iter().map(|header| header.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("with"), ["sent", "added"]);
    assert_eq!(names("without"), ["sent"]);
}
