//! Sends the subscriptions of this table's rows.

use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::serdes::{Role, SerdeContext, SerdeRef};
use stream_core::{BoxError, Headers, Record};

use super::hash::{ValueHash, murmur3};
use super::subscription::{Instruction, Subscription};
use crate::table::Change;

/// The foreign key of a row; `None`: it has none.
pub(super) type ForeignKey<K, V, KO> = Arc<dyn Fn(&K, &V) -> Option<KO> + Send + Sync>;

/// How a task knows the value of a row again: by the hash of its bytes.
pub(super) struct ValueHasher<V> {
    values: SerdeRef<V>,
    /// The subscription topic without the application id.
    topic: String,
    full_topic: String,
}

impl<V> ValueHasher<V> {
    pub(super) fn new(values: SerdeRef<V>, topic: String) -> Self {
        Self { values, topic, full_topic: String::new() }
    }

    pub(super) fn open(&mut self, cx: &InitContext<'_>) {
        self.full_topic = format!("{}-{}-vh", cx.application_id(), self.topic);
    }
}

impl<V: 'static> ValueHasher<V> {
    pub(super) fn hash(&self, value: &V, headers: &Headers) -> Result<ValueHash, BoxError> {
        let mut bytes = Vec::new();
        self.values.serialize(value, &mut bytes, &SerdeContext { topic: &self.full_topic, headers, role: Role::Value })?;
        Ok(murmur3(&bytes))
    }
}

pub(super) struct SubscriptionSend<K, V, KO> {
    pub(super) foreign_key: ForeignKey<K, V, KO>,
    pub(super) keeps: bool,
    /// Whether changes of this table can come out of order.
    pub(super) is_versioned: bool,
    pub(super) hasher: ValueHasher<V>,
    pub(super) foreign_keys: SerdeRef<KO>,
}

impl<K: Clone + 'static, V: Clone + 'static, KO: Clone + 'static> SubscriptionSend<K, V, KO> {
    /// Judged by the bytes: keys that compare otherwise may go to different partitions (trap T84).
    fn is_same(&self, one: &KO, two: &KO, headers: &Headers) -> Result<bool, BoxError> {
        let cx = SerdeContext { topic: &self.hasher.full_topic, headers, role: Role::Key };
        let (mut one_bytes, mut two_bytes) = (Vec::new(), Vec::new());
        self.foreign_keys.serialize(one, &mut one_bytes, &cx)?;
        self.foreign_keys.serialize(two, &mut two_bytes, &cx)?;
        Ok(one_bytes == two_bytes)
    }

    /// What is told about a change, in this order (trap T83).
    fn instructions(&self, old: Option<KO>, new: Option<KO>, is_deletion: bool, headers: &Headers) -> Result<Told<KO>, BoxError> {
        use Instruction::{DeleteAndPropagate, DeleteNoPropagate, PropagateNullIfNoRow, PropagateOnlyIfRow};
        let is_same = match (&old, &new) {
            (Some(old), Some(new)) => self.is_same(old, new, headers)?,
            _ => false,
        };
        let mut told = Told { instructions: [None, None], lacks_key: false };
        if self.keeps {
            if let Some(old) = old.filter(|_| !is_same) {
                told.instructions[0] = Some((Some(old), DeleteNoPropagate));
            }
            // Also for a deletion and for a row without a foreign key: the answer makes the result.
            told.instructions[1] = Some((new, PropagateNullIfNoRow));
            return Ok(told);
        }
        told.instructions = match (old, new) {
            (Some(_), Some(new)) if is_same => [Some((Some(new), PropagateOnlyIfRow)), None],
            // The new subscription answers also without a row, which deletes the result of the old one.
            (Some(old), Some(new)) => [Some((Some(old), DeleteNoPropagate)), Some((Some(new), PropagateNullIfNoRow))],
            (None, Some(new)) => [Some((Some(new), PropagateOnlyIfRow)), None],
            (old, None) => {
                told.lacks_key = !is_deletion;
                [old.map(|old| (Some(old), DeleteAndPropagate)), None]
            }
        };
        Ok(told)
    }
}

struct Told<KO> {
    instructions: [Option<(Option<KO>, Instruction)>; 2],
    /// The row has no foreign key, so an inner join drops it.
    lacks_key: bool,
}

impl<K: Clone + 'static, V: Clone + 'static, KO: Clone + 'static> Processor for SubscriptionSend<K, V, KO> {
    type KeyIn = K;
    type ValueIn = Change<V>;
    type KeyOut = Option<KO>;
    type ValueOut = Subscription<K>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.hasher.open(cx);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<K, Change<V>>,
        cx: &mut ProcessorContext<'_, Option<KO>, Subscription<K>>,
    ) -> Result<(), BoxError> {
        let Record { key, value: Change { old, new, is_latest }, timestamp, headers } = record;
        // Trap T75.
        if self.is_versioned && !is_latest {
            cx.drop_record("a later version of the row is there");
            return Ok(());
        }
        // The deletion of a row that never was: nobody subscribed, so nobody is told, not even by a left join.
        if old.is_none() && new.is_none() {
            return Ok(());
        }
        let of = |value: &Option<V>| value.as_ref().and_then(|value| (self.foreign_key)(&key, value));
        let told = self.instructions(of(&old), of(&new), new.is_none(), &headers)?;
        if told.lacks_key {
            cx.drop_record("no foreign key");
        }
        let hash = new.as_ref().map(|new| self.hasher.hash(new, &headers)).transpose()?;
        let partition = Some(cx.task_id().partition);
        for (foreign, instruction) in told.instructions.into_iter().flatten() {
            let value = Subscription { hash, instruction, key: key.clone(), partition };
            cx.forward(Record { key: foreign, value, timestamp, headers: headers.clone() })?;
        }
        Ok(())
    }
}
