//! The records of one partition that were fetched and not processed yet.

use std::collections::VecDeque;

use crate::client::Message;

/// A fetched record as the queues see it.
pub(crate) trait QueuedMessage {
    /// Its offset.
    fn offset(&self) -> i64;

    /// What it holds in memory, bytes.
    fn size(&self) -> usize;
}

impl QueuedMessage for Message {
    fn offset(&self) -> i64 {
        self.offset()
    }

    fn size(&self) -> usize {
        self.size_bytes()
    }
}

/// One partition's queue. Its first record is the *head* once a source node has read it; those behind are still bytes.
#[derive(Debug)]
pub(crate) struct RecordQueue<M> {
    messages: VecDeque<M>,
    head: Option<i64>,
    partition_time: i64,
    /// Behind the last record that was taken or left out; where fetching began, when there was none.
    consumed: i64,
    /// Behind the last record that was fetched.
    fetched: i64,
    /// The position at which the partition's end was last seen.
    end: Option<i64>,
}

impl<M: QueuedMessage> RecordQueue<M> {
    pub(super) fn new(offset: i64, partition_time: i64) -> Self {
        Self { messages: VecDeque::new(), head: None, partition_time, consumed: offset, fetched: offset, end: None }
    }

    pub(super) fn add(&mut self, message: M) {
        self.fetched = message.offset() + 1;
        self.messages.push_back(message);
    }

    pub(super) fn end_seen(&mut self, position: i64) {
        self.end = Some(position);
    }

    /// Whether nothing is known to follow what was fetched: the end was seen, and no record since.
    pub(super) fn is_caught_up(&self) -> bool {
        self.end.is_some_and(|end| end >= self.fetched)
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn front(&self) -> Option<&M> {
        self.messages.front()
    }

    /// The head's timestamp, ms.
    pub(super) fn head(&self) -> Option<i64> {
        self.head
    }

    pub(super) fn set_head(&mut self, timestamp: i64) {
        self.head = Some(timestamp);
    }

    /// Leaves the first record out: its offset counts as consumed, its time does not.
    pub(super) fn skip(&mut self) {
        self.pop();
    }

    /// Takes the head; only now does the partition's time move (trap T106).
    pub(super) fn take(&mut self) -> Option<(M, i64)> {
        let timestamp = self.head.take()?;
        let message = self.pop()?;
        self.partition_time = self.partition_time.max(timestamp);
        Some((message, timestamp))
    }

    /// The largest timestamp among the records taken, ms, or -1.
    pub(super) fn partition_time(&self) -> i64 {
        self.partition_time
    }

    /// What a commit stores: the offset of the first record that is not processed; without one, the partition's end as last seen,
    /// which lies behind commit markers and aborted records; else the offset behind the last record (trap T109).
    pub(super) fn position(&self) -> i64 {
        match (self.messages.front(), self.end) {
            (Some(message), _) => message.offset(),
            (None, Some(end)) => end.max(self.consumed),
            (None, None) => self.consumed,
        }
    }

    fn pop(&mut self) -> Option<M> {
        let message = self.messages.pop_front()?;
        self.consumed = message.offset() + 1;
        Some(message)
    }
}
