//! The operator that joins the records of one side with those of the other.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use stream_core::processor::{InitContext, Processor, ProcessorContext};
use stream_core::store::StoreName;
use stream_core::{BoxError, Headers, Record};
use stream_state::KeyValueStore;

use super::store::{SideStore, SideStoreName};
use super::unmatched::{JoinSide, LeftOrRight, TimeTracker, UnmatchedKey};
use crate::nullability::MaybeNull;
use crate::window::JoinWindows;

/// The result of a left and a right value, of which one at least is there; `None`: the join leaves it out.
pub(super) type Join<K, L, R, VR> = Arc<dyn Fn(&K, Option<&L>, Option<&R>) -> Option<VR> + Send + Sync>;

/// Records without a partner.
pub(super) type UnmatchedStore<K, L, R> = KeyValueStore<UnmatchedKey<K>, Vec<LeftOrRight<L, R>>>;

/// What distinguishes the left from the right, as types.
pub(super) trait Side<L, R>: 'static {
    type Own: Clone + 'static;
    type Other: Clone + 'static;

    const SIDE: JoinSide;

    fn own(value: Self::Own) -> LeftOrRight<L, R>;

    /// The values as the joiner takes them: left, right.
    fn order<'v>(own: Option<&'v Self::Own>, other: Option<&'v Self::Other>) -> (Option<&'v L>, Option<&'v R>);
}

pub(super) struct LeftSide;
pub(super) struct RightSide;

impl<L: Clone + 'static, R: Clone + 'static> Side<L, R> for LeftSide {
    type Own = L;
    type Other = R;

    const SIDE: JoinSide = JoinSide::Left;

    fn own(value: L) -> LeftOrRight<L, R> {
        LeftOrRight::Left(value)
    }

    fn order<'v>(own: Option<&'v L>, other: Option<&'v R>) -> (Option<&'v L>, Option<&'v R>) {
        (own, other)
    }
}

impl<L: Clone + 'static, R: Clone + 'static> Side<L, R> for RightSide {
    type Own = R;
    type Other = L;

    const SIDE: JoinSide = JoinSide::Right;

    fn own(value: R) -> LeftOrRight<L, R> {
        LeftOrRight::Right(value)
    }

    fn order<'v>(own: Option<&'v R>, other: Option<&'v L>) -> (Option<&'v L>, Option<&'v R>) {
        (other, own)
    }
}

/// What the operator of one side is made of.
pub(super) struct SideSpec<KT, KO, L, R, VR> {
    pub(super) join: Join<KO, L, R, VR>,
    pub(super) windows: JoinWindows,
    /// A record of this side that finds no partner is told alone.
    pub(super) keeps: bool,
    pub(super) other_store: Arc<SideStoreName>,
    /// Where records wait until it is known that they stay alone.
    pub(super) unmatched: Option<StoreName<UnmatchedStore<KT, L, R>>>,
}

impl<KT, KO, L, R, VR> Clone for SideSpec<KT, KO, L, R, VR> {
    fn clone(&self) -> Self {
        Self {
            join: Arc::clone(&self.join),
            windows: self.windows,
            keeps: self.keeps,
            other_store: Arc::clone(&self.other_store),
            unmatched: self.unmatched.clone(),
        }
    }
}

/// Joins the records of side `S`: with keys `KI` and values `VI` that may be null, over keys `KT`, to results with keys `KO`.
pub(super) struct StreamJoin<S: Side<L, R>, KI, KT, KO, VI, L, R, VR> {
    spec: SideSpec<KT, KO, L, R, VR>,
    other: Option<SideStore<KT, S::Other>>,
    unmatched: Option<UnmatchedStore<KT, L, R>>,
    time: Rc<TimeTracker>,
    emit_interval_ms: i64,
    types: PhantomData<fn(KI, VI)>,
}

impl<S: Side<L, R>, KI, KT, KO, VI, L, R, VR> StreamJoin<S, KI, KT, KO, VI, L, R, VR> {
    pub(super) fn new(spec: SideSpec<KT, KO, L, R, VR>) -> Self {
        Self { spec, other: None, unmatched: None, time: Rc::default(), emit_interval_ms: 0, types: PhantomData }
    }
}

impl<S, KI, KT, KO, VI, L, R, VR> StreamJoin<S, KI, KT, KO, VI, L, R, VR>
where
    S: Side<L, R>,
    KT: Clone + PartialEq + 'static,
    KO: MaybeNull<KT>,
    L: Clone + 'static,
    R: Clone + 'static,
    VR: Clone + 'static,
{
    /// From how early to how late (ms) a record of the other side may be.
    fn reach(&self, timestamp: i64) -> (i64, i64) {
        let JoinWindows { before_ms, after_ms, .. } = self.spec.windows;
        let (before, after) = match S::SIDE {
            JoinSide::Left => (before_ms, after_ms),
            JoinSide::Right => (after_ms, before_ms),
        };
        (timestamp.saturating_sub(before).max(0), timestamp.saturating_add(after).max(0))
    }

    /// How long (ms) a record of a side waits for a partner: its window and the grace period.
    fn patience(&self, side: JoinSide) -> i64 {
        let JoinWindows { before_ms, after_ms, .. } = self.spec.windows;
        let behind = match side {
            JoinSide::Left => after_ms,
            JoinSide::Right => before_ms,
        };
        behind.saturating_add(self.spec.windows.grace_ms())
    }

    /// Tells the records whose windows have closed without a partner (traps T50, T51, T52), with the headers of the record that closed them.
    fn tell_unmatched(
        &self,
        store: &UnmatchedStore<KT, L, R>,
        headers: &Headers,
        cx: &mut ProcessorContext<'_, KO, VR>,
    ) -> Result<(), BoxError> {
        if !self.time.is_due(self.patience(S::SIDE), cx.current_system_time_ms(), self.emit_interval_ms) {
            return Ok(());
        }
        let (mut left_is_open, mut right_is_open) = (false, false);
        let mut told: Option<UnmatchedKey<KT>> = None;
        for row in store.all()? {
            let (key, values) = row?;
            self.time.set_min_time(key.timestamp);
            if left_is_open && right_is_open {
                break;
            }
            if key.timestamp.saturating_add(self.patience(key.side)) >= self.time.stream_time() {
                match key.side {
                    JoinSide::Left => left_is_open = true,
                    JoinSide::Right => right_is_open = true,
                }
                continue;
            }
            for value in &values {
                let (left, right) = match value {
                    LeftOrRight::Left(value) => (Some(value), None),
                    LeftOrRight::Right(value) => (None, Some(value)),
                };
                let out = KO::from_option(Some(key.key.clone())).ok_or("a key that is there became null")?;
                if let Some(value) = (self.spec.join)(&out, left, right) {
                    cx.forward(Record { key: out, value, timestamp: key.timestamp, headers: headers.clone() })?;
                }
            }
            // A row goes once the next one is told: what fails in between is told again.
            if let Some(told) = told.replace(key) {
                store.put(&told, None)?;
            }
        }
        told.map_or(Ok(()), |told| Ok(store.put(&told, None)?))
    }

    /// Keeps a record until its window closes.
    fn keep(&self, store: &UnmatchedStore<KT, L, R>, key: &KT, value: S::Own, timestamp: i64) -> Result<(), BoxError> {
        self.time.kept(timestamp);
        let key = UnmatchedKey { timestamp, side: S::SIDE, key: key.clone() };
        let mut values = store.get(&key)?.unwrap_or_default();
        values.push(S::own(value));
        Ok(store.put(&key, &values)?)
    }
}

impl<S, KI, KT, KO, VI, L, R, VR> Processor for StreamJoin<S, KI, KT, KO, VI, L, R, VR>
where
    S: Side<L, R>,
    KI: MaybeNull<KT>,
    KT: Clone + PartialEq + 'static,
    KO: MaybeNull<KT>,
    VI: MaybeNull<S::Own>,
    L: Clone + 'static,
    R: Clone + 'static,
    VR: Clone + 'static,
{
    type KeyIn = KI;
    type ValueIn = VI;
    type KeyOut = KO;
    type ValueOut = VR;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.other = Some(self.spec.other_store.open(cx)?);
        if let Some(name) = &self.spec.unmatched {
            self.unmatched = Some(cx.store(name)?);
            self.time = cx.shared(name.as_str());
            self.emit_interval_ms = cx.emit_intervals().outer_join_ms;
        }
        Ok(())
    }

    fn process(&mut self, record: Record<KI, VI>, cx: &mut ProcessorContext<'_, KO, VR>) -> Result<(), BoxError> {
        let timestamp = record.timestamp;
        self.time.advance(timestamp);
        let Some(key) = record.key.as_option() else {
            return self.join_null_key(record, cx);
        };
        let Some(value) = record.value.as_option() else {
            cx.drop_record("null value");
            return Ok(());
        };
        if timestamp == self.time.stream_time() {
            if let Some(store) = &self.unmatched {
                self.tell_unmatched(store, &record.headers, cx)?;
            }
        }
        let other = self.other.as_ref().ok_or("the join is not initialised")?;
        let (from, to) = self.reach(timestamp);
        let out = KO::from_option(Some(key.clone())).ok_or("a key that is there became null")?;
        let partners = other.fetch(key, from, to)?;
        for (partner_time, partner) in &partners {
            if let Some(store) = &self.unmatched {
                // All records of that key, time and side have a partner now (trap T54).
                let partners = UnmatchedKey { timestamp: *partner_time, side: S::SIDE.other(), key: key.clone() };
                if store.get(&partners)?.is_some() {
                    store.put(&partners, None)?;
                }
            }
            let (left, right) = S::order(Some(value), Some(partner));
            if let Some(joined) = (self.spec.join)(&out, left, right) {
                let timestamp = timestamp.max(*partner_time);
                cx.forward(Record { key: out.clone(), value: joined, timestamp, headers: record.headers.clone() })?;
            }
        }
        if !self.spec.keeps || !partners.is_empty() {
            return Ok(());
        }
        match &self.unmatched {
            // Trap T53: a record whose window lies behind is not kept, whatever the grace period.
            Some(store) if to >= self.time.stream_time() => self.keep(store, key, value.clone(), timestamp),
            _ => {
                let (left, right) = S::order(Some(value), None);
                match (self.spec.join)(&out, left, right) {
                    Some(joined) => Ok(cx.forward(Record { key: out, value: joined, timestamp, headers: record.headers })?),
                    None => Ok(()),
                }
            }
        }
    }
}

impl<S, KI, KT, KO, VI, L, R, VR> StreamJoin<S, KI, KT, KO, VI, L, R, VR>
where
    S: Side<L, R>,
    KI: MaybeNull<KT>,
    KT: Clone + PartialEq + 'static,
    KO: MaybeNull<KT>,
    VI: MaybeNull<S::Own>,
    L: Clone + 'static,
    R: Clone + 'static,
    VR: Clone + 'static,
{
    /// A record without a key has no partner: told at once by a join that tells records alone (KIP-962, trap T48), else dropped.
    fn join_null_key(&self, record: Record<KI, VI>, cx: &mut ProcessorContext<'_, KO, VR>) -> Result<(), BoxError> {
        let Record { value, timestamp, headers, .. } = record;
        let alone = value.as_option().filter(|_| self.spec.keeps).zip(KO::from_option(None));
        let Some((value, key)) = alone else {
            cx.drop_record("null key or value");
            return Ok(());
        };
        let (left, right) = S::order(Some(value), None);
        match (self.spec.join)(&key, left, right) {
            Some(value) => Ok(cx.forward(Record { key, value, timestamp, headers })?),
            None => Ok(()),
        }
    }
}
