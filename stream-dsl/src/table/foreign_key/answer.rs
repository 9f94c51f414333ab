//! Answers: to a subscription that comes, and to all subscriptions of a row that changes.

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::store::StoreName;
use stream_core::{BoxError, Record};

use super::receive::SubscriptionStore;
use super::response::Response;
use super::subscription::{CombinedKey, ForeignKeyPrefix, Instruction, Subscription};
use crate::table::{Change, OpenView, TableView};

/// Looks the row up that a subscription asks for.
pub(super) struct SubscriptionJoin<KO, K, VO> {
    pub(super) open: OpenView<KO, VO>,
    pub(super) table: Option<Box<dyn TableView<KO, VO>>>,
    pub(super) keys: PhantomData<fn(K)>,
}

impl<KO: Clone + 'static, K: Clone + 'static, VO: Clone + 'static> Processor for SubscriptionJoin<KO, K, VO> {
    type KeyIn = CombinedKey<KO, K>;
    type ValueIn = Subscription<K>;
    type KeyOut = K;
    type ValueOut = Response<VO>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.table = Some((self.open)(cx)?);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<CombinedKey<KO, K>, Subscription<K>>,
        cx: &mut ProcessorContext<'_, K, Response<VO>>,
    ) -> Result<(), BoxError> {
        let table = self.table.as_ref().ok_or("the join is not initialised")?;
        let Record { key: CombinedKey { foreign, key }, value: Subscription { hash, instruction, partition, .. }, timestamp, headers } =
            record;
        if instruction == Instruction::DeleteNoPropagate {
            return Ok(());
        }
        let row = foreign.as_ref().map_or(Ok(None), |foreign| table.get(foreign))?;
        // Trap T87.
        let timestamp = row.as_ref().map_or(timestamp, |row| row.timestamp.max(timestamp));
        let value = row.map(|row| row.value).filter(|_| instruction != Instruction::DeleteAndPropagate);
        if value.is_none() && instruction == Instruction::PropagateOnlyIfRow {
            return Ok(());
        }
        Ok(cx.forward(Record { key, value: Response { hash, value, partition }, timestamp, headers })?)
    }
}

/// Tells a change of the other table to every row that subscribed to it.
pub(super) struct ForeignTableJoin<KO, K, VO> {
    pub(super) name: StoreName<SubscriptionStore<KO, K>>,
    pub(super) prefix: Arc<ForeignKeyPrefix<KO>>,
    pub(super) store: Option<SubscriptionStore<KO, K>>,
    /// Whether changes of this table can come out of order.
    pub(super) is_versioned: bool,
    pub(super) values: PhantomData<fn(VO)>,
}

impl<KO: Clone + 'static, K: Clone + 'static, VO: Clone + 'static> Processor for ForeignTableJoin<KO, K, VO> {
    type KeyIn = KO;
    type ValueIn = Change<VO>;
    type KeyOut = K;
    type ValueOut = Response<VO>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(cx.store(&self.name)?);
        Ok(())
    }

    fn process(&mut self, record: Record<KO, Change<VO>>, cx: &mut ProcessorContext<'_, K, Response<VO>>) -> Result<(), BoxError> {
        let store = self.store.as_ref().ok_or("the join is not initialised")?;
        let Record { key: foreign, value: change, timestamp, headers } = record;
        // Trap T75.
        if self.is_versioned && !change.is_latest {
            cx.drop_record("a later version of the row is there");
            return Ok(());
        }
        for row in store.prefix_scan(&foreign, &*self.prefix)? {
            let (CombinedKey { key, .. }, subscription) = row?;
            let Subscription { hash, partition, .. } = subscription.value;
            let value = Response { hash, value: change.new.clone(), partition };
            cx.forward(Record { key, value, timestamp, headers: headers.clone() })?;
        }
        Ok(())
    }
}
