//! Makes the results from the answers that come back.

use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::{BoxError, Record};

use super::response::Response;
use super::send::ValueHasher;
use crate::table::{OpenView, TableView};

/// The result of a row and of the other table's row, which a left join may lack; `None`: there is no result.
pub(super) type Joiner<V, VO, VR> = Arc<dyn Fn(&V, Option<&VO>) -> Option<VR> + Send + Sync>;

pub(super) struct ResponseJoin<K, V, VO, VR> {
    pub(super) joiner: Joiner<V, VO, VR>,
    pub(super) hasher: ValueHasher<V>,
    pub(super) open: OpenView<K, V>,
    pub(super) table: Option<Box<dyn TableView<K, V>>>,
}

impl<K: Clone + 'static, V: Clone + 'static, VO: Clone + 'static, VR: Clone + 'static> Processor for ResponseJoin<K, V, VO, VR> {
    type KeyIn = K;
    type ValueIn = Response<VO>;
    type KeyOut = K;
    type ValueOut = Option<VR>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.hasher.open(cx);
        self.table = Some((self.open)(cx)?);
        Ok(())
    }

    fn process(&mut self, record: Record<K, Response<VO>>, cx: &mut ProcessorContext<'_, K, Option<VR>>) -> Result<(), BoxError> {
        let table = self.table.as_ref().ok_or("the join is not initialised")?;
        let row = table.get(&record.key)?;
        let hash = row.as_ref().map(|row| self.hasher.hash(&row.value, &record.headers)).transpose()?;
        if hash != record.value.hash {
            // An answer to a value that the row does not have any more; the one to its value is on its way.
            cx.drop_record("an answer to an older value");
            return Ok(());
        }
        let result = row.and_then(|row| (self.joiner)(&row.value, record.value.value.as_ref()));
        Ok(cx.forward(record.with_value(result))?)
    }
}
