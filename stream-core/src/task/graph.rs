//! [`TaskGraph`]: the running nodes of one sub-topology, wired children first.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Error, Result, ResultExt};
use crate::node::{AnyInlet, LifecycleRef, PunctuationType, SourceInlet, Stopped, TaskContext, Wiring};
use crate::topology::{BuiltTopology, NodeKind, Subtopology};

/// The nodes of a task, parents before children.
pub(crate) struct TaskGraph {
    nodes: Vec<(Arc<str>, LifecycleRef)>,
    sources: HashMap<usize, Rc<RefCell<dyn SourceInlet>>>,
    /// How many nodes, from the first one, were initialised: only they are closed.
    initialised: Cell<usize>,
}

impl TaskGraph {
    /// Makes the nodes of a sub-topology. The context learns which stores each node is connected to.
    pub(crate) fn wire(topology: &BuiltTopology, subtopology: &Subtopology, context: &mut TaskContext) -> Result<Self> {
        let mut inlets: HashMap<Arc<str>, AnyInlet> = HashMap::new();
        let mut nodes = Vec::with_capacity(subtopology.nodes.len());
        let mut sources = HashMap::new();
        let topic_name = |logical: &str| topology.topic_name(logical);
        context.connected = vec![Vec::new(); subtopology.nodes.len()];
        for (index, &definition) in subtopology.nodes.iter().enumerate().rev() {
            let node = topology.node(definition);
            let mut children = Vec::new();
            for &other in &subtopology.nodes {
                let child = topology.node(other);
                for parent in child.parents.iter().filter(|parent| parent.node == node.name) {
                    let mut inlet = inlets
                        .get(&child.name)
                        .cloned()
                        .ok_or_else(|| Error::internal(format!("node `{}` comes before its parent `{}`", child.name, node.name)))?;
                    for adapter in parent.adapters.iter().rev() {
                        inlet = adapter.adapt(&inlet, &child.name)?;
                    }
                    children.push((Arc::clone(&child.name), inlet));
                }
            }
            let mut wiring =
                Wiring { node: &node.name, index, children, topic_name: &topic_name, internal_topics: topology.internal_topic_names() };
            let wired = node.factory.wire(&mut wiring)?;
            if let Some(inlet) = wired.inlet {
                inlets.insert(Arc::clone(&node.name), inlet);
            }
            if let Some(source) = wired.source {
                sources.insert(definition, source);
            }
            if let NodeKind::Processor { stores } = &node.kind {
                context.connected[index].clone_from(stores);
            }
            nodes.push((Arc::clone(&node.name), wired.lifecycle));
        }
        nodes.reverse();
        Ok(Self { nodes, sources, initialised: Cell::new(0) })
    }

    /// The source node with that index in the topology.
    pub(crate) fn source(&self, definition: usize) -> Option<&Rc<RefCell<dyn SourceInlet>>> {
        self.sources.get(&definition)
    }

    pub(crate) fn init(&self, context: &mut TaskContext) -> Result<()> {
        for (name, node) in &self.nodes {
            let done = node.borrow_mut().init(context);
            // What was refused counts, whatever `init` returns.
            context.take_failure().map_or(done, Err).at(|| format!("node {name}"))?;
            self.initialised.set(self.initialised.get() + 1);
        }
        Ok(())
    }

    /// Lets every node forward what it holds back, upstream nodes first (trap T43).
    pub(crate) fn drain(&self, context: &mut TaskContext) -> Result<(), Stopped> {
        for (_, node) in &self.nodes {
            node.borrow_mut().drain(context)?;
        }
        Ok(())
    }

    /// Calls the nodes that were woken; says whether there were any.
    pub(crate) fn wake(&self, context: &mut TaskContext) -> Result<bool, Stopped> {
        let mut called = false;
        for place in 0..context.wakeups.len() {
            if let Some(node) = context.wakeups.take(place)
                && let Some((_, node)) = self.nodes.get(node)
            {
                called = true;
                node.borrow_mut().woken(context)?;
            }
        }
        Ok(called)
    }

    /// Calls the punctuations of one kind that are due at `now`; returns how many.
    pub(crate) fn punctuate(&self, kind: PunctuationType, now: i64, context: &mut TaskContext) -> Result<u64, Stopped> {
        let mut calls = 0;
        while let Some(due) = context.punctuations.due(kind, now) {
            let called = match self.nodes.get(due.node()) {
                Some((_, node)) => node.borrow_mut().punctuate(due.id(), now, context),
                None => Ok(()),
            };
            context.punctuations.reschedule(due, now);
            called?;
            calls += 1;
        }
        Ok(calls)
    }

    /// Closes and drops the nodes, all of them also when one panics.
    ///
    /// # Errors
    /// The first panic.
    pub(crate) fn close(self) -> Result<()> {
        let Self { nodes, sources, initialised } = self;
        // A parent holds its children, and a source is held twice: so each node ends where its own reference is dropped, below.
        drop(sources);
        let mut closed = Ok(());
        let mut note = |name: &str, ended: std::thread::Result<()>| {
            if let Err(panic) = ended {
                let error = Error::panicked(&*panic).at(format_args!("close of node {name}"));
                tracing::error!(%error, "closing a task");
                if closed.is_ok() {
                    closed = Err(error);
                }
            }
        };
        for (name, node) in nodes.iter().take(initialised.get()) {
            note(name, catch_unwind(AssertUnwindSafe(|| node.borrow_mut().close())));
        }
        for (name, node) in nodes {
            note(&name, catch_unwind(AssertUnwindSafe(|| drop(node))));
        }
        closed
    }
}
