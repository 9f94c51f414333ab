//! `__transaction_state`: every state of a transactional id is written there before anybody is told of it.

use std::io;
use std::ops::ControlFlow;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;

use super::{Transactions, record};
use crate::core::Core;
use crate::log::compression::uncompressed_records;
use crate::log::records::Records;
use crate::topic::Topics;
use crate::topic::internal::TRANSACTION_STATE;

/// Lets `change` change a transactional id, and writes its new state down. A state that cannot be written is undone.
///
/// # Errors
/// Those of `change`; `NOT_COORDINATOR` if the disk fails, which clients retry.
pub(crate) fn logged<T>(
    core: &mut Core,
    transactional_id: &StrBytes,
    now: i64,
    change: impl FnOnce(&mut Transactions) -> Result<T, ResponseError>,
) -> Result<T, ResponseError> {
    let before = core.transactions.get(transactional_id).cloned();
    let result = change(&mut core.transactions)?;
    let after = core.transactions.get(transactional_id);
    if after == before.as_ref() {
        return Ok(result);
    }
    let value = after.map(record::value);
    if let Err(error) = write(core, transactional_id, value, now) {
        tracing::warn!(%transactional_id, %error, "the state of a transactional id cannot be written");
        core.transactions.restore(transactional_id, before);
        return Err(ResponseError::NotCoordinator);
    }
    Ok(result)
}

/// Writes a state, or that there is none any more.
fn write(core: &mut Core, transactional_id: &StrBytes, value: Option<Vec<u8>>, now: i64) -> io::Result<()> {
    core.topics.create_internal(TRANSACTION_STATE, &mut core.ids, now)?;
    let entry = (record::key(transactional_id), value);
    core.topics.append_internal(TRANSACTION_STATE, transactional_id, &[entry], None, now).map(|_| ())
}

/// Writes that ids are forgotten. One that cannot be written comes back at the next start, and is forgotten again.
pub(super) fn forget(core: &mut Core, transactional_ids: &[StrBytes], now: i64) {
    for id in transactional_ids {
        if let Err(error) = write(core, id, None, now) {
            tracing::warn!(transactional_id = %id, %error, "an expired transactional id cannot be deleted from its topic");
        }
    }
}

impl Transactions {
    /// Takes over the transactional ids that the topic knows.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn load(&mut self, topics: &Topics) -> io::Result<()> {
        for partition in topics.internal_partitions(TRANSACTION_STATE) {
            partition.log.walk(partition.log.start_offset(), |header, batch| {
                if let Ok(records) = uncompressed_records(header, batch) {
                    for entry in Records::new(&records).map_while(Result::ok) {
                        let Some(id) = entry.key.and_then(record::decode_key) else { continue };
                        let state = entry.value.and_then(|value| record::decode_value(id.clone(), value));
                        self.restore(&id, state);
                    }
                }
                ControlFlow::Continue(())
            })?;
        }
        self.begin_producer_ids_at(topics.first_free_producer_id());
        Ok(())
    }
}
