//! [`Lanes`]: which results may be forwarded, and in which order.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::AsyncOrder;

/// Numbers records by arrival, in lanes: within a lane results keep the order of the records. No I/O, no time.
#[derive(Debug)]
pub(super) enum Lanes<K> {
    ByKey(HashMap<K, VecDeque<u64>>),
    Total(VecDeque<u64>),
    Unordered,
}

impl<K: Clone + Hash + Eq> Lanes<K> {
    pub(super) fn new(order: AsyncOrder) -> Self {
        match order {
            AsyncOrder::ByKey => Self::ByKey(HashMap::new()),
            AsyncOrder::Total => Self::Total(VecDeque::new()),
            AsyncOrder::Unordered => Self::Unordered,
        }
    }

    pub(super) fn enter(&mut self, key: &K, number: u64) {
        match self {
            Self::ByKey(lanes) => match lanes.get_mut(key) {
                Some(lane) => lane.push_back(number),
                None => drop(lanes.insert(key.clone(), VecDeque::from([number]))),
            },
            Self::Total(lane) => lane.push_back(number),
            Self::Unordered => {}
        }
    }

    /// The record whose result is to be forwarded next, in the lane of one that is done; it leaves the lane.
    pub(super) fn leave(&mut self, key: &K, is_done: impl Fn(u64) -> bool) -> Option<u64> {
        let lane = match self {
            Self::ByKey(lanes) => lanes.get_mut(key)?,
            Self::Total(lane) => lane,
            Self::Unordered => return None,
        };
        let first = match lane.front() {
            Some(first) if is_done(*first) => lane.pop_front(),
            _ => None,
        };
        if let Self::ByKey(lanes) = self
            && lanes.get(key).is_some_and(VecDeque::is_empty)
        {
            lanes.remove(key);
        }
        first
    }

    /// Whether results need not wait for others.
    pub(super) const fn is_unordered(&self) -> bool {
        matches!(self, Self::Unordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leave_all(lanes: &mut Lanes<char>, key: char, done: &[u64]) -> Vec<u64> {
        std::iter::from_fn(|| lanes.leave(&key, |number| done.contains(&number))).collect()
    }

    #[test]
    fn a_result_waits_for_earlier_ones_of_its_key_and_for_no_other() {
        let mut lanes = Lanes::new(AsyncOrder::ByKey);
        for (number, key) in ['a', 'b', 'a'].into_iter().enumerate() {
            lanes.enter(&key, number as u64);
        }
        assert!(leave_all(&mut lanes, 'a', &[2]).is_empty());
        assert_eq!(leave_all(&mut lanes, 'b', &[1, 2]), [1]);
        assert_eq!(leave_all(&mut lanes, 'a', &[0, 2]), [0, 2]);
        assert!(matches!(lanes, Lanes::ByKey(lanes) if lanes.is_empty()), "nothing is kept of keys that are done");
    }

    #[test]
    fn in_total_order_a_result_waits_for_all_earlier_ones() {
        let mut lanes = Lanes::new(AsyncOrder::Total);
        lanes.enter(&'a', 0);
        lanes.enter(&'b', 1);
        assert!(leave_all(&mut lanes, 'b', &[1]).is_empty());
        assert_eq!(leave_all(&mut lanes, 'a', &[0, 1]), [0, 1]);
    }
}
