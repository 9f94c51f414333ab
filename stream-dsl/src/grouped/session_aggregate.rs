//! The processor of aggregations over sessions.

use std::marker::PhantomData;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::store::StoreName;
use stream_core::time::UNKNOWN_TIME;
use stream_core::{BoxError, Headers, Record};
use stream_state::{SessionKey, SessionStore};

use super::final_results::FinalResults;
use super::fold::Fold;
use crate::table::{Change, TableForwarder};
use crate::window::{EmitStrategy, SessionWindows, TimeWindow, Windowed};

/// Makes one aggregate of two, for sessions that become one.
pub(crate) type Merger<K, A> = Arc<dyn Fn(&K, Option<A>, A) -> Option<A> + Send + Sync>;

/// How the sessions of an aggregation are kept and told.
pub(crate) struct SessionTable<K, A> {
    pub(super) name: StoreName<SessionStore<K, A>>,
    pub(super) windows: SessionWindows,
    pub(super) merger: Merger<K, A>,
    pub(super) emit: EmitStrategy,
}

impl<K, A> Clone for SessionTable<K, A> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), windows: self.windows, merger: Arc::clone(&self.merger), emit: self.emit }
    }
}

pub(super) struct SessionAggregate<F, K, V, A> {
    fold: Fold<F, A>,
    table: SessionTable<K, A>,
    forwarder: TableForwarder,
    /// The largest timestamp that this operator saw; starts anew with the task (traps T5, T6).
    stream_time: i64,
    store: Option<SessionStore<K, A>>,
    final_results: Option<FinalResults>,
    types: PhantomData<fn(V)>,
}

impl<F, K: Clone + 'static, V, A: Clone + 'static> SessionAggregate<F, K, V, A> {
    pub(super) fn new(fold: Fold<F, A>, table: SessionTable<K, A>, forwarder: TableForwarder) -> Self {
        Self { fold, table, forwarder, stream_time: UNKNOWN_TIME, store: None, final_results: None, types: PhantomData }
    }

    fn store(&self) -> Result<&SessionStore<K, A>, BoxError> {
        self.store.as_ref().ok_or_else(|| "the aggregation is not initialised".into())
    }

    /// Tells an update with the time of the session's end. Its headers are empty: a session has no single record (trap T21).
    fn tell(
        &self,
        cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>,
        session: SessionKey<K>,
        change: Change<A>,
    ) -> Result<(), BoxError> {
        if self.final_results.is_some() || self.store()?.is_caching() {
            return Ok(());
        }
        let end = session.end;
        self.forwarder.forward(cx, windowed(session), change, end, Headers::new())
    }

    /// Tells the sessions that have closed by `close_time`.
    fn tell_closed(
        &mut self,
        cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>,
        close_time: i64,
        headers: &Headers,
    ) -> Result<(), BoxError> {
        let Some(final_results) = &mut self.final_results else { return Ok(()) };
        if !final_results.are_due(cx.current_system_time_ms(), close_time) || close_time < 1 {
            return Ok(());
        }
        let store = self.store.as_ref().ok_or("the aggregation is not initialised")?;
        // The end belongs to the session: at the close time it is still open.
        for row in store.find_ended(final_results.last_close_time().unwrap_or(0).max(0), close_time - 1)? {
            let (session, aggregate) = row?;
            let end = session.end;
            self.forwarder.forward(cx, windowed(session), Change::latest(None, Some(aggregate)), end, headers.clone())?;
        }
        final_results.told(cx, close_time);
        Ok(())
    }
}

fn windowed<K>(session: SessionKey<K>) -> Windowed<K> {
    Windowed { key: session.key, window: TimeWindow::new(session.start, session.end) }
}

impl<F, K, V, A> Processor for SessionAggregate<F, K, V, A>
where
    F: Fn(&K, V, Option<A>) -> Option<A> + 'static,
    K: Clone + 'static,
    V: Clone + 'static,
    A: Clone + 'static,
{
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = Windowed<K>;
    type ValueOut = Change<A>;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = Some(cx.store(&self.table.name)?);
        if self.table.emit == EmitStrategy::OnWindowClose {
            self.final_results = Some(FinalResults::open(self.table.name.as_str(), cx));
        }
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>) -> Result<(), BoxError> {
        let Record { key, value, timestamp, headers } = record;
        self.stream_time = self.stream_time.max(timestamp);
        let windows = self.table.windows;
        let close_time = self.stream_time.saturating_sub(windows.open_ms());
        let gap = windows.inactivity_gap_ms();
        let (mut start, mut end) = (timestamp, timestamp);
        let mut aggregate = self.fold.begin(None);
        let mut merged = Vec::new();
        // Exactly a gap apart is together (trap T16).
        for session in self.store()?.find(&key, timestamp.saturating_sub(gap), timestamp.saturating_add(gap))? {
            let (session, old) = session?;
            (start, end) = (start.min(session.start), end.max(session.end));
            aggregate = (self.table.merger)(&key, aggregate, old.clone());
            merged.push((session, old));
        }
        if end < close_time {
            // Trap T20: what counts is the end of the merged session.
            cx.drop_record("its session is closed");
        } else {
            // The same point in time again is an update; anything else makes the old sessions go (traps T17, T18).
            if (start, end) != (timestamp, timestamp) {
                for (session, old) in merged {
                    self.store()?.remove(&key, session.start, session.end)?;
                    let old = self.forwarder.sends_old_values.then_some(old);
                    self.tell(cx, session, Change::latest(old, None))?;
                }
            }
            let new = self.fold.next(&key, value, aggregate);
            self.store()?.put(&key, new.as_ref(), start, end)?;
            self.tell(cx, SessionKey { key, start, end }, Change::latest(None, new))?;
        }
        self.tell_closed(cx, close_time, &headers)
    }

    fn drain(&mut self, cx: &mut ProcessorContext<'_, Windowed<K>, Change<A>>) -> Result<(), BoxError> {
        let store = self.store()?;
        if !store.is_caching() {
            return Ok(());
        }
        while let Some(change) = store.next_change()? {
            if self.final_results.is_none() {
                let end = change.key.end;
                let old = change.old.filter(|_| self.forwarder.sends_old_values);
                let record =
                    Record { key: windowed(change.key), value: Change::latest(old, change.new), timestamp: end, headers: change.headers };
                cx.forward_from(change.metadata.as_ref(), record)?;
            }
        }
        Ok(())
    }
}
