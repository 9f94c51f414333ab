//! Records in batches, as a worker has them: for measuring the code path of a task, without a broker.

use std::sync::Arc;

use super::TaskDriver;
use crate::client::Message;
use crate::error::{Error, Result};
use crate::record::{Headers, OwnedRecord};
use crate::task::Progress;
use crate::time::Clock;

/// Records between two looks at punctuations, as a worker does.
const ROUND: usize = 100;

/// A store with so many committed bytes is written to its persistent layer: the default of `state.flush.max.bytes`.
const FLUSH_BYTES: usize = 16 << 20;

impl TaskDriver {
    /// Puts records (key, value, timestamp in ms) behind those that wait in a topic, and processes none. They are in no log: a driver that is
    /// restarted does not know them.
    ///
    /// # Errors
    /// When no source reads the topic.
    pub fn enqueue(&mut self, topic: &str, records: impl IntoIterator<Item = (Option<Vec<u8>>, Option<Vec<u8>>, i64)>) -> Result<()> {
        let no_source = || Error::invalid(format!("no source of the topology reads topic `{topic}`"));
        let (topic, slot) = self.slots.get_key_value(topic).map(|(topic, slot)| (Arc::clone(topic), *slot)).ok_or_else(no_source)?;
        for (key, value, timestamp) in records {
            let offset = self.enqueued;
            self.enqueued += 1;
            let record = OwnedRecord { topic: Arc::clone(&topic), partition: 0, offset, timestamp, key, value, headers: Headers::new() };
            self.task.add(slot, Message::from(record));
        }
        Ok(())
    }

    /// Processes everything that waits, without a commit. Returns how many records it took.
    ///
    /// # Errors
    /// When processing fails.
    pub fn process_enqueued(&mut self) -> Result<u64> {
        let mut taken = 0;
        loop {
            self.task.punctuate()?;
            // A processor that paused the input goes on when it is woken.
            self.task.wake()?;
            let (processed, progress) = self.task.process(ROUND);
            taken += processed as u64;
            if progress? == Progress::Empty {
                return Ok(taken);
            }
        }
    }

    /// Commits what was processed, and writes the stores to disk that a worker would write now.
    ///
    /// # Errors
    /// When an operator fails that held something back, or the disk.
    pub fn commit_enqueued(&mut self) -> Result<()> {
        self.commit()?;
        for store in self.task.stores() {
            if store.unflushed().bytes >= FLUSH_BYTES {
                store.flush(self.clock.now_ms())?;
            }
        }
        Ok(())
    }

    /// How many records were produced so far by a driver that keeps none
    /// ([`DriverOptions::discard_output`](super::DriverOptions::discard_output)).
    pub fn discarded_records(&self) -> u64 {
        self.captured.discarded()
    }
}
