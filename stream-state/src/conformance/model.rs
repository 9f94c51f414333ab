//! The layers as maps: what a store is compared with.

use std::collections::BTreeMap;

type Bytes = Vec<u8>;

/// Uncommitted, committed and durable rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) committed: BTreeMap<Bytes, Bytes>,
    pending: Vec<(Bytes, Option<Bytes>, i64)>,
    pub(super) position: Option<i64>,
    durable: (BTreeMap<Bytes, Bytes>, Option<i64>),
}

impl Model {
    pub(super) fn put(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: i64) {
        self.pending.retain(|(written, ..)| written != key);
        self.pending.push((key.to_vec(), value.map(<[u8]>::to_vec), timestamp));
    }

    /// What the owner sees.
    pub(super) fn visible(&self) -> BTreeMap<Bytes, Bytes> {
        let mut rows = self.committed.clone();
        for (key, value, _) in &self.pending {
            apply(&mut rows, key, value.as_deref());
        }
        rows
    }

    /// What a commit sends, in order.
    pub(super) fn logged(&self) -> &[(Bytes, Option<Bytes>, i64)] {
        &self.pending
    }

    pub(super) fn commit(&mut self, position: Option<i64>) {
        self.committed = self.visible();
        self.pending.clear();
        self.position = position.or(self.position);
    }

    pub(super) fn discard(&mut self) {
        self.pending.clear();
    }

    pub(super) fn restore(&mut self, key: &[u8], value: Option<&[u8]>) {
        apply(&mut self.committed, key, value);
    }

    pub(super) fn flush(&mut self) {
        self.durable = (self.committed.clone(), self.position);
    }

    /// Everything but the durable layer is lost.
    pub(super) fn crash(&mut self, persistent: bool) {
        if !persistent {
            self.durable = Default::default();
        }
        self.pending.clear();
        (self.committed, self.position) = self.durable.clone();
    }

    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

fn apply(rows: &mut BTreeMap<Bytes, Bytes>, key: &[u8], value: Option<&[u8]>) {
    match value {
        Some(value) => rows.insert(key.to_vec(), value.to_vec()),
        None => rows.remove(key),
    };
}
