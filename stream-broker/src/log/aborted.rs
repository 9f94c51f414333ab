//! Which transactions of a partition were aborted: what a `read_committed` consumer needs to drop their records.

/// An aborted transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AbortedTransaction {
    pub(crate) producer_id: i64,
    /// Its first record.
    pub(crate) first_offset: i64,
    /// Its abort marker.
    pub(crate) last_offset: i64,
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
        AbortedTransaction { producer_id, first_offset, last_offset }
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
    fn deleting_keeps_what_ends_at_or_above_the_start() {
        let mut index = AbortedIndex::default();
        index.push(transaction(1, 0, 4));
        index.push(transaction(2, 2, 9));
        index.delete_below(5);
        assert_eq!(index.between(0, 100).count(), 1);
    }
}
