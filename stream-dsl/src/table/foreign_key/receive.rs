//! Keeps the subscriptions that reach the partition of their foreign key.

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::store::StoreName;
use stream_core::{BoxError, Record};
use stream_state::{TimestampedKeyValueStore, ValueAndTimestamp};

use super::subscription::{CombinedKey, Instruction, Subscription};

/// The subscriptions of a partition of foreign keys.
pub(super) type SubscriptionStore<KO, K> = TimestampedKeyValueStore<CombinedKey<KO, K>, Subscription<K>>;

pub(super) struct SubscriptionReceive<KO, K> {
    pub(super) name: StoreName<SubscriptionStore<KO, K>>,
    pub(super) store: Option<SubscriptionStore<KO, K>>,
}

impl<KO: Clone + 'static, K: Clone + 'static> Processor for SubscriptionReceive<KO, K> {
    type KeyIn = Option<KO>;
    type ValueIn = Subscription<K>;
    type KeyOut = CombinedKey<KO, K>;
    type ValueOut = Subscription<K>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(cx.store(&self.name)?);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<Option<KO>, Subscription<K>>,
        cx: &mut ProcessorContext<'_, CombinedKey<KO, K>, Subscription<K>>,
    ) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("the join is not initialised")?;
        let Record { key: foreign, value: subscription, timestamp, headers } = record;
        if foreign.is_none() && subscription.instruction != Instruction::PropagateNullIfNoRow {
            cx.drop_record("no foreign key");
            return Ok(());
        }
        let key = CombinedKey { foreign, key: subscription.key.clone() };
        if key.foreign.is_some() {
            let kept = (!subscription.instruction.deletes()).then(|| ValueAndTimestamp::new(&subscription, timestamp));
            store.put(&key, kept)?;
        }
        Ok(cx.forward(Record { key, value: subscription, timestamp, headers })?)
    }
}
