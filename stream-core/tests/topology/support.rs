//! Nodes and stores of which only the shape matters.

use std::collections::BTreeMap;
use std::sync::Arc;

use stream_core::serdes::{SerdeContext, SerdeError};
use stream_core::store::{ChangelogConfig, OpenedStore, StoreFactory, StoreOpen};
use stream_core::topology::{Consumed, PartitionPlan, PlanError, Produced, SourceTopics, plan};
use stream_core::{BoxError, Error, NodeHandle, Processor, ProcessorContext, Record, Serde, Topology, TopologyError};

pub(crate) type Handle = NodeHandle<String, String>;

struct Text;

impl Serde<String> for Text {
    fn serialize(&self, value: &String, out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _cx: &SerdeContext<'_>) -> Result<String, SerdeError> {
        String::from_utf8(bytes.to_vec()).map_err(|_| SerdeError::bad("not UTF-8"))
    }
}

pub(crate) fn consumed() -> Consumed<String, String> {
    Consumed::with(Arc::new(Text), Arc::new(Text))
}

pub(crate) fn produced() -> Produced<String, String> {
    Produced::with(Arc::new(Text), Arc::new(Text))
}

struct Forward;

impl Processor for Forward {
    type KeyIn = String;
    type ValueIn = String;
    type KeyOut = String;
    type ValueOut = String;

    fn process(&mut self, record: Record<String, String>, cx: &mut ProcessorContext<'_, String, String>) -> Result<(), BoxError> {
        Ok(cx.forward(record)?)
    }
}

struct Store {
    name: String,
    changelog: Option<ChangelogConfig>,
}

impl StoreFactory for Store {
    fn name(&self) -> &str {
        &self.name
    }

    fn changelog(&self) -> Option<&ChangelogConfig> {
        self.changelog.as_ref()
    }

    fn is_persistent(&self) -> bool {
        false
    }

    fn open(&self, _open: &StoreOpen) -> stream_core::Result<OpenedStore> {
        Err(Error::invalid("this store is never opened"))
    }
}

pub(crate) fn store_with(name: &str, changelog: Option<ChangelogConfig>) -> Arc<dyn StoreFactory> {
    Arc::new(Store { name: name.to_owned(), changelog })
}

pub(crate) fn store(name: &str) -> Arc<dyn StoreFactory> {
    store_with(name, Some(ChangelogConfig::compact()))
}

/// Short forms for the nodes of a test.
pub(crate) trait Shape {
    fn source(&mut self, name: &str, topics: impl Into<SourceTopics>) -> Handle;
    fn processor(&mut self, name: &str, parents: &[&Handle]) -> Handle;
    fn sink(&mut self, name: &str, topic: &str, parents: &[&Handle]);
    /// `input` → sink → repartition topic → source, as a DSL operator makes it.
    fn repartition(&mut self, topic: &str, input: &Handle) -> Handle;
}

impl Shape for Topology {
    fn source(&mut self, name: &str, topics: impl Into<SourceTopics>) -> Handle {
        self.add_source(name, topics, consumed()).unwrap()
    }

    fn processor(&mut self, name: &str, parents: &[&Handle]) -> Handle {
        self.add_processor(name, parents, || Forward).unwrap()
    }

    fn sink(&mut self, name: &str, topic: &str, parents: &[&Handle]) {
        self.add_sink(name, topic, produced(), parents).unwrap();
    }

    fn repartition(&mut self, topic: &str, input: &Handle) -> Handle {
        use stream_core::topology::InternalTopic;
        self.add_internal_topic(InternalTopic::repartition(topic)).unwrap();
        self.sink(&format!("{topic}-sink"), topic, &[input]);
        self.source(&format!("{topic}-source"), topic)
    }
}

pub(crate) fn try_processor(topology: &mut Topology, name: &str, parents: &[&Handle]) -> Result<Handle, TopologyError> {
    topology.add_processor(name, parents, || Forward)
}

pub(crate) fn counts(topics: &[(&str, i32)]) -> BTreeMap<Arc<str>, i32> {
    topics.iter().map(|(topic, count)| (Arc::from(*topic), *count)).collect()
}

pub(crate) fn planned(topology: &Topology, topics: &[(&str, i32)]) -> Result<PartitionPlan, PlanError> {
    plan(&topology.build("app").unwrap(), &counts(topics))
}
