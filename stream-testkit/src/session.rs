//! [`Session`]: the running task and what it produced, shared by a driver and its topics.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use stream_core::record::OwnedRecord;
use stream_core::task::TaskDriver;
use stream_core::{Error, Headers, Result};

use crate::scratch::ScratchDirectory;

/// What a driver and its topics share.
pub(crate) type SharedSession = Rc<RefCell<Session>>;

pub(crate) struct Session {
    // `None` only while it is restarted, and after a restart that failed. Dropped before its folder is removed.
    task: Option<TaskDriver>,
    /// Every record that was produced, over all topics, in order.
    records: Vec<OwnedRecord>,
    /// By topic: which of the records no output topic has read.
    unread: BTreeMap<Arc<str>, VecDeque<usize>>,
    _scratch: Option<ScratchDirectory>,
}

impl Session {
    pub(crate) fn new(task: TaskDriver, scratch: Option<ScratchDirectory>) -> Self {
        Self { task: Some(task), records: Vec::new(), unread: BTreeMap::new(), _scratch: scratch }
    }

    pub(crate) fn task(&self) -> Result<&TaskDriver> {
        self.task.as_ref().ok_or_else(gone)
    }

    pub(crate) fn task_mut(&mut self) -> Result<&mut TaskDriver> {
        self.task.as_mut().ok_or_else(gone)
    }

    pub(crate) fn pipe(
        &mut self,
        topic: &str,
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        timestamp: i64,
        headers: Headers,
    ) -> Result<()> {
        let produced = self.task_mut()?.pipe(topic, key, value, timestamp, headers);
        self.take(produced)
    }

    pub(crate) fn advance_wall_clock(&mut self, ms: i64) -> Result<()> {
        let produced = self.task_mut()?.advance_wall_clock(ms);
        self.take(produced)
    }

    pub(crate) fn restart(&mut self) -> Result<()> {
        let task = self.task.take().ok_or_else(gone)?;
        self.task = Some(task.restart()?);
        Ok(())
    }

    /// Files what a step produced; of a failed one, what it leaves behind.
    fn take(&mut self, produced: Result<Vec<OwnedRecord>>) -> Result<()> {
        let (records, result) = match produced {
            Ok(records) => (records, Ok(())),
            Err(error) => (self.task.as_mut().map(TaskDriver::take_left_over).unwrap_or_default(), Err(error)),
        };
        for record in records {
            self.unread.entry(Arc::clone(&record.topic)).or_default().push_back(self.records.len());
            self.records.push(record);
        }
        result
    }

    /// The next unread record of a topic.
    pub(crate) fn next(&mut self, topic: &str) -> Option<&OwnedRecord> {
        let index = self.unread.get_mut(topic)?.pop_front()?;
        self.records.get(index)
    }

    pub(crate) fn unread(&self, topic: &str) -> usize {
        self.unread.get(topic).map_or(0, VecDeque::len)
    }

    pub(crate) fn records(&self) -> &[OwnedRecord] {
        &self.records
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.unread.keys()
    }
}

fn gone() -> Error {
    Error::invalid("the driver has no task any more: it could not be restarted")
}
