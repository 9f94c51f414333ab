//! Typed edges.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::TaskContext;
use crate::record::Record;

/// What may flow along an edge. A node with one child moves its records; only with several are they cloned.
pub trait Data: Clone + 'static {}

impl<T: Clone + 'static> Data for T {}

/// Processing stopped; the task holds the reason. Pass it on with `?`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("processing stopped at a node further down; the task reports why")
    }
}

impl std::error::Error for Stopped {}

/// A running node as its parents see it.
pub(crate) trait Push<K, V> {
    fn push(&mut self, record: Record<K, V>, task: &mut TaskContext) -> Result<(), Stopped>;
}

pub(crate) type Inlet<K, V> = Rc<RefCell<dyn Push<K, V>>>;

/// Where a node forwards to: its children, in the order in which they were added.
pub(crate) enum Outlet<K, V> {
    Nowhere,
    One(Arc<str>, Inlet<K, V>),
    Many(Box<[(Arc<str>, Inlet<K, V>)]>),
}

impl<K: Data, V: Data> Outlet<K, V> {
    // Inlined whatever it costs: a record is larger than a register, and each call that it passes by value is a copy.
    #[inline(always)]
    pub(crate) fn push(&self, record: Record<K, V>, task: &mut TaskContext) -> Result<(), Stopped> {
        match self {
            Self::One(_, child) => child.borrow_mut().push(record, task),
            Self::Nowhere => Ok(()),
            Self::Many(children) => Self::push_to_all(children, record, task),
        }
    }

    #[inline(never)]
    fn push_to_all(children: &[(Arc<str>, Inlet<K, V>)], record: Record<K, V>, task: &mut TaskContext) -> Result<(), Stopped> {
        if let Some(((_, last), others)) = children.split_last() {
            for (_, child) in others {
                child.borrow_mut().push(record.clone(), task)?;
            }
            last.borrow_mut().push(record, task)?;
        }
        Ok(())
    }

    /// The child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Inlet<K, V>> {
        match self {
            Self::Nowhere => None,
            Self::One(child, inlet) => (&**child == name).then_some(inlet),
            Self::Many(children) => children.iter().find(|(child, _)| &**child == name).map(|(_, inlet)| inlet),
        }
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Self::Nowhere => Vec::new(),
            Self::One(name, _) => vec![name],
            Self::Many(children) => children.iter().map(|(name, _)| &**name).collect(),
        }
    }
}

/// An edge that lets only keys through that are not null; what it drops counts in `dropped-records`.
pub(crate) struct NonNullKey<K, V> {
    pub(crate) child: Inlet<K, V>,
    pub(crate) name: Arc<str>,
}

impl<K, V> Push<Option<K>, V> for NonNullKey<K, V> {
    fn push(&mut self, record: Record<Option<K>, V>, task: &mut TaskContext) -> Result<(), Stopped> {
        match record.key {
            Some(key) => self
                .child
                .borrow_mut()
                .push(Record { key, value: record.value, timestamp: record.timestamp, headers: record.headers }, task),
            None => {
                task.drop_record(&self.name, "null key");
                Ok(())
            }
        }
    }
}

/// An edge that lets only values through that are not null; what it drops counts in `dropped-records`.
pub(crate) struct NonNullValue<K, V> {
    pub(crate) child: Inlet<K, V>,
    pub(crate) name: Arc<str>,
}

impl<K, V> Push<K, Option<V>> for NonNullValue<K, V> {
    fn push(&mut self, record: Record<K, Option<V>>, task: &mut TaskContext) -> Result<(), Stopped> {
        match record.value {
            Some(value) => {
                self.child.borrow_mut().push(Record { key: record.key, value, timestamp: record.timestamp, headers: record.headers }, task)
            }
            None => {
                task.drop_record(&self.name, "null value");
                Ok(())
            }
        }
    }
}
