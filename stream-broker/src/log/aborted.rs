//! Which transactions of a partition were aborted: what a `read_committed` consumer needs to drop their records.

use bytes::{Buf, BufMut};

/// An aborted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer_id: i64,
    /// Its first record.
    pub(crate) first_offset: i64,
    /// Its abort marker.
    pub(crate) last_offset: i64,
    /// Up to where committed readers could read once the marker was written.
    pub(crate) last_stable_offset: i64,
}

impl AbortedTransaction {
    pub(crate) const ENTRY_BYTES: usize = 34;
    const VERSION: i16 = 0;

    /// An entry of Kafka's `.txnindex` file.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut entry = Vec::with_capacity(Self::ENTRY_BYTES);
        entry.put_i16(Self::VERSION);
        for number in [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset] {
            entry.put_i64(number);
        }
        entry
    }

    /// The entries of a file, up to the first that is none.
    pub(crate) fn decode_all(file: &[u8]) -> Vec<Self> {
        let entry = |mut bytes: &[u8]| {
            let known = bytes.get_i16() == Self::VERSION;
            let transaction = AbortedTransaction {
                producer_id: bytes.get_i64(),
                first_offset: bytes.get_i64(),
                last_offset: bytes.get_i64(),
                last_stable_offset: bytes.get_i64(),
            };
            known.then_some(transaction)
        };
        file.chunks_exact(Self::ENTRY_BYTES).map_while(entry).collect()
    }
}

/// The aborted transactions of a partition, in the order of their markers.
#[derive(Debug, Default)]
pub(crate) struct AbortedIndex {
    transactions: Vec<AbortedTransaction>,
}

impl AbortedIndex {
    /// Adds a transaction; its marker is the newest batch of the log.
    pub(crate) fn push(&mut self, transaction: AbortedTransaction) {
        debug_assert!(self.transactions.last().is_none_or(|last| last.last_offset < transaction.last_offset));
        self.transactions.push(transaction);
    }

    /// Those that touch the offsets from `from` to before `to`.
    pub(crate) fn between(&self, from: i64, to: i64) -> impl Iterator<Item = &AbortedTransaction> {
        let begin = self.transactions.partition_point(|t| t.last_offset < from);
        self.transactions[begin..].iter().filter(move |t| t.first_offset < to)
    }

    /// Forgets those that ended below `offset`, of which compaction has left nothing to hide. Their markers may be gone too, and a
    /// reader that was told of a transaction without meeting its marker would drop what its producer wrote later.
    pub(crate) fn cleaned_below(&mut self, offset: i64) {
        self.delete_below(offset);
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &AbortedTransaction> {
        self.transactions.iter()
    }

    /// Those whose marker lies from `from` to before `to`.
    pub(crate) fn ended_between(&self, from: i64, to: i64) -> impl Iterator<Item = &AbortedTransaction> {
        let begin = self.transactions.partition_point(|t| t.last_offset < from);
        self.transactions[begin..].iter().take_while(move |t| t.last_offset < to)
    }

    /// Forgets those that ended below `offset`.
    pub(crate) fn delete_below(&mut self, offset: i64) {
        let begin = self.transactions.partition_point(|t| t.last_offset < offset);
        self.transactions.drain(..begin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(producer_id: i64, first_offset: i64, last_offset: i64) -> AbortedTransaction {
        AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset: last_offset + 1 }
    }

    #[test]
    fn only_transactions_that_touch_the_range_are_listed() {
        let mut index = AbortedIndex::default();
        index.push(transaction(1, 0, 4));
        index.push(transaction(2, 2, 9));
        index.push(transaction(3, 12, 15));
        let listed = |from, to| index.between(from, to).map(|t| t.producer_id).collect::<Vec<_>>();
        assert_eq!(listed(0, 20), [1, 2, 3]);
        assert_eq!(listed(5, 12), [2]);
        assert_eq!(listed(4, 5), [1, 2]);
        assert_eq!(listed(10, 12), [0; 0]);
    }

    #[test]
    fn entries_of_a_file_read_back_and_a_torn_one_is_left_out() {
        let first = transaction(1, 0, 4);
        let second = transaction(2, 2, 9);
        let mut file = first.encode();
        file.extend(second.encode());
        assert_eq!(AbortedTransaction::decode_all(&file), [first, second]);
        assert_eq!(AbortedTransaction::decode_all(&file[..60]), [first]);
    }

    #[test]
    fn deleting_keeps_what_ends_at_or_above_the_start() {
        let mut index = AbortedIndex::default();
        index.push(transaction(1, 0, 4));
        index.push(transaction(2, 2, 9));
        index.delete_below(5);
        assert_eq!(index.between(0, 100).count(), 1);
    }
}
