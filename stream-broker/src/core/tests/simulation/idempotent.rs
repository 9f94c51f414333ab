//! An idempotent producer, which sends until it has an answer, and sometimes once more.

use std::collections::HashMap;

use super::auditor::Auditor;
use super::requests::{self, PARTITIONS, Producer};
use super::world::{Sent, World};
use crate::harness::body;

#[derive(Clone, Copy)]
struct Batch {
    partition: i32,
    sequence: i32,
    value: u64,
    /// Where it is, once that is known.
    offset: Option<i64>,
}

#[derive(Default)]
pub(super) struct Idempotent {
    producer: Option<Producer>,
    sequences: HashMap<i32, i32>,
    last: Option<Batch>,
}

impl Idempotent {
    pub(super) fn step(&mut self, world: &mut World, auditor: &mut Auditor) -> Result<(), String> {
        let Some(producer) = self.producer else {
            if let Sent::Answered(response) = world.send(4, requests::init(None, 1_000))? {
                let response = body!(InitProducerId, response);
                self.producer = Some((response.producer_id.0, response.producer_epoch));
            }
            return Ok(());
        };
        let batch = match self.last {
            Some(batch) if batch.offset.is_none() || world.one_in(8) => batch,
            _ => {
                let partition = world.below(PARTITIONS as u64) as i32;
                let sequence = self.sequences.get(&partition).copied().unwrap_or(0);
                self.sequences.insert(partition, sequence + 1);
                Batch { partition, sequence, value: auditor.fresh(), offset: None }
            }
        };
        self.last = Some(batch);
        let request = requests::produce(None, producer, batch.partition, batch.sequence, batch.value, world.now);
        let Sent::Answered(response) = world.send(9, request)? else {
            return Ok(());
        };
        let answer = body!(Produce, response).responses.remove(0).partition_responses.remove(0);
        if answer.error_code != 0 {
            return Err(format!("a batch in its turn (sequence {}) is refused: {}", batch.sequence, answer.error_code));
        }
        match batch.offset {
            Some(offset) if offset != answer.base_offset => {
                return Err(format!("a repeated batch is said to be at {} and was at {offset}", answer.base_offset));
            }
            Some(_) => {}
            None => auditor.acknowledged(batch.partition, answer.base_offset, batch.value),
        }
        self.last = Some(Batch { offset: Some(answer.base_offset), ..batch });
        Ok(())
    }
}
