//! Statements of the Processor API on the topology itself.

use kstreams::core::topology::{NodeHandle, Produced, SinkTopic};
use kstreams::core::{Topology, TopologyError};
use kstreams::dsl::Windowed;
use serde_json::Value;

use super::datum::{Datum, Nullable, Type, Visible};
use super::processors::{CaseProcessor, Spec};
use super::program::{Done, Program, out, string};
use super::stores;
use super::streams::{Extractor, Streamed};

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The nodes of these names, if all forward these types.
fn parents<K: Visible, V: Visible>(topology: &Topology, names: &[&str]) -> Option<Vec<NodeHandle<K, V>>> {
    names.iter().map(|name| topology.node(name).ok()).collect()
}

type Built = Result<(), TopologyError>;

impl Program<'_> {
    /// Whether a statement is one of the topology's own.
    pub fn is_of_topology(op: &str) -> bool {
        matches!(
            op,
            "add-source"
                | "add-processor"
                | "add-sink"
                | "add-state-store"
                | "connect"
                | "add-read-only-store"
                | "add-topology-global-store"
        )
    }

    pub fn on_topology(&self, statement: &Value, topology: &mut Topology) -> Done<Built> {
        let name = || string(statement, "name");
        Ok(match string(statement, "op")? {
            "add-source" => {
                let topics: Vec<String> = strings(&statement["topics"]).into_iter().map(str::to_owned).collect();
                let consumed = self.consumed(
                    &with_name_removed(statement),
                    Type::of(&statement["key"]).nullable(),
                    Type::of(&statement["value"]).nullable(),
                )?;
                topology.add_source(name()?, topics, consumed).map(drop)
            }
            "add-processor" => {
                let (name, names, spec) = (name()?, strings(&statement["parents"]), Spec::new(&statement["processor"])?);
                if let Some(unknown) = unknown_parent(topology, &names) {
                    return Ok(Err(unknown));
                }
                if let Some(parents) = parents::<Nullable, Nullable>(topology, &names) {
                    add_processor(topology, name, &parents, spec)
                } else if let Some(parents) = parents::<Datum, Nullable>(topology, &names) {
                    add_processor(topology, name, &parents, spec)
                } else if let Some(parents) = parents::<Datum, Option<i64>>(topology, &names) {
                    add_processor(topology, name, &parents, spec)
                } else if let Some(parents) = parents::<Nullable, Option<i64>>(topology, &names) {
                    add_processor(topology, name, &parents, spec)
                } else if let Some(parents) = parents::<Windowed<Datum>, Nullable>(topology, &names) {
                    add_processor(topology, name, &parents, spec)
                } else if let Some(parents) = parents::<Windowed<Datum>, Option<i64>>(topology, &names) {
                    add_processor(topology, name, &parents, spec)
                } else {
                    return out("a processor below this node");
                }
            }
            "add-sink" => {
                let names = strings(&statement["parents"]);
                if let Some(unknown) = unknown_parent(topology, &names) {
                    return Ok(Err(unknown));
                }
                if let Some(parents) = parents::<Nullable, Nullable>(topology, &names) {
                    add_sink(topology, statement, &parents)?
                } else if let Some(parents) = parents::<Datum, Nullable>(topology, &names) {
                    add_sink(topology, statement, &parents)?
                } else if let Some(parents) = parents::<Datum, Option<i64>>(topology, &names) {
                    add_sink(topology, statement, &parents)?
                } else if let Some(parents) = parents::<Nullable, Option<i64>>(topology, &names) {
                    add_sink(topology, statement, &parents)?
                } else {
                    return out("a sink below this node");
                }
            }
            "add-state-store" => topology.add_state_store(stores::factory(&statement["store"])?, &strings(&statement["processors"])),
            "connect" => topology.connect(string(statement, "processor")?, &strings(&statement["stores"])),
            op @ ("add-read-only-store" | "add-topology-global-store") => {
                let spec = Spec::new(&statement["processor"])?;
                let consumed = self.consumed(
                    &with_name_removed(statement),
                    Type::of(&statement["key"]).nullable(),
                    Type::of(&statement["value"]).nullable(),
                )?;
                let store = stores::factory(&statement["store"])?;
                let (source, topic, processor) =
                    (string(statement, "source-name")?, string(statement, "topic")?, string(statement, "processor-name")?);
                let supplier = move || CaseProcessor::<Nullable, Nullable>::new(spec.clone());
                match op {
                    "add-read-only-store" => topology.add_read_only_state_store(store, source, topic, consumed, processor, supplier),
                    _ => topology.add_global_store(store, source, topic, consumed, processor, supplier),
                }
            }
            op => return out(op),
        })
    }
}

/// The name of a source node is an argument here, not an option.
fn with_name_removed(statement: &Value) -> Value {
    let mut statement = statement.clone();
    if let Some(fields) = statement.as_object_mut() {
        fields.remove("name");
    }
    statement
}

/// Sinks and nodes that do not exist cannot be parents: no handle can be had of them.
fn unknown_parent(topology: &Topology, names: &[&str]) -> Option<TopologyError> {
    let errors = names.iter().filter_map(|name| topology.node::<(), ()>(name).err());
    errors.into_iter().find(|error| matches!(error, TopologyError::UnknownNode { .. }) || error.to_string().contains("is a sink"))
}

fn add_processor<K: Visible, V: Visible>(topology: &mut Topology, name: &str, parents: &[NodeHandle<K, V>], spec: Spec) -> Built {
    let parents: Vec<&NodeHandle<K, V>> = parents.iter().collect();
    topology.add_processor(name, &parents, move || CaseProcessor::<K, V>::new(spec.clone())).map(drop)
}

fn add_sink<K: Streamed, V: Streamed>(topology: &mut Topology, statement: &Value, parents: &[NodeHandle<K, V>]) -> Done<Built> {
    let (key, value) = (Type::of(&statement["key"]), Type::of(&statement["value"]));
    let topic = match statement["topic-extractor"].as_str() {
        Some(spec) => SinkTopic::extracted(Extractor::new(spec)),
        None => SinkTopic::from(string(statement, "topic")?),
    };
    let parents: Vec<&NodeHandle<K, V>> = parents.iter().collect();
    Ok(topology.add_sink(string(statement, "name")?, topic, Produced::with(K::serde(key), V::serde(value)), &parents))
}
