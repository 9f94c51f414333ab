//! The orders in which Java's collections give their elements, which show in its descriptions.

use std::cmp::Ordering;

/// Java's `String.hashCode`.
pub(super) fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// The order in which a `java.util.HashMap` gives entries that were put in the given order.
pub(super) fn hash_order<T>(mut entries: Vec<T>, hash: impl Fn(&T) -> u32) -> Vec<T> {
    let mut buckets = 16_usize;
    while entries.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    // A bucket keeps the order of insertion, also when the table grows.
    entries.sort_by_key(|entry| {
        let hash = hash(entry);
        (hash ^ (hash >> 16)) as usize & (buckets - 1)
    });
    entries
}

/// A sorted set of nodes whose order may change after they were inserted, as it may in a `java.util.TreeSet`: an insertion goes down
/// the tree by the order of that moment, so the shape of the (red-black) tree decides where it ends.
#[derive(Clone, Debug, Default)]
pub(super) struct SizeTree {
    root: Option<usize>,
    slots: Vec<Slot>,
}

#[derive(Clone, Debug)]
struct Slot {
    node: usize,
    red: bool,
    parent: Option<usize>,
    children: [Option<usize>; 2],
}

const LEFT: usize = 0;
const RIGHT: usize = 1;

impl SizeTree {
    /// Adds a node, unless an insertion meets it on its way down.
    pub(super) fn insert(&mut self, node: usize, compare: impl Fn(usize, usize) -> Ordering) {
        let (mut at, mut parent, mut side) = (self.root, None, LEFT);
        while let Some(slot) = at {
            side = match compare(node, self.slots[slot].node) {
                Ordering::Less => LEFT,
                Ordering::Greater => RIGHT,
                Ordering::Equal => return,
            };
            (parent, at) = (at, self.slots[slot].children[side]);
        }
        let new = self.slots.len();
        self.slots.push(Slot { node, red: true, parent, children: [None, None] });
        match parent {
            Some(parent) => self.slots[parent].children[side] = Some(new),
            None => self.root = Some(new),
        }
        self.rebalance(new);
    }

    /// The nodes, from left to right.
    pub(super) fn in_order(&self) -> Vec<usize> {
        let (mut nodes, mut open, mut at) = (Vec::with_capacity(self.slots.len()), Vec::new(), self.root);
        loop {
            while let Some(slot) = at {
                open.push(slot);
                at = self.slots[slot].children[LEFT];
            }
            let Some(slot) = open.pop() else {
                return nodes;
            };
            nodes.push(self.slots[slot].node);
            at = self.slots[slot].children[RIGHT];
        }
    }

    /// A red node must not have a red parent: recolour while the uncle is red too, else rotate.
    fn rebalance(&mut self, mut slot: usize) {
        while let Some((parent, grandparent)) = self.red_parent(slot) {
            let side = self.side_of(parent, grandparent);
            match self.slots[grandparent].children[1 - side].filter(|uncle| self.slots[*uncle].red) {
                Some(uncle) => {
                    self.slots[parent].red = false;
                    self.slots[uncle].red = false;
                    self.slots[grandparent].red = true;
                    slot = grandparent;
                }
                None => {
                    let mut upper = parent;
                    if self.side_of(slot, parent) != side {
                        self.rotate(parent, side);
                        (upper, slot) = (slot, parent);
                    }
                    self.slots[upper].red = false;
                    self.slots[grandparent].red = true;
                    self.rotate(grandparent, 1 - side);
                }
            }
        }
        if let Some(root) = self.root {
            self.slots[root].red = false;
        }
    }

    /// The parent, if it is red, and the grandparent; a red node is never the root.
    fn red_parent(&self, slot: usize) -> Option<(usize, usize)> {
        let parent = self.slots[slot].parent.filter(|parent| self.slots[*parent].red)?;
        Some((parent, self.slots[parent].parent?))
    }

    fn side_of(&self, child: usize, parent: usize) -> usize {
        if self.slots[parent].children[LEFT] == Some(child) { LEFT } else { RIGHT }
    }

    /// Lets the child opposite to `side` take the place of `slot`, which goes down on `side`.
    fn rotate(&mut self, slot: usize, side: usize) {
        let Some(child) = self.slots[slot].children[1 - side] else {
            return;
        };
        let (inner, parent) = (self.slots[child].children[side], self.slots[slot].parent);
        self.slots[slot].children[1 - side] = inner;
        if let Some(inner) = inner {
            self.slots[inner].parent = Some(slot);
        }
        self.slots[child].parent = parent;
        match parent {
            Some(parent) => {
                let at = self.side_of(slot, parent);
                self.slots[parent].children[at] = Some(child);
            }
            None => self.root = Some(child),
        }
        self.slots[child].children[side] = Some(slot);
        self.slots[slot].parent = Some(child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_tree_gives_any_insertion_order_back_sorted() {
        for seed in 0..200_usize {
            let mut tree = SizeTree::default();
            let nodes: Vec<usize> = (0..40).map(|index| (index * 17 + seed * 31) % 41).collect();
            nodes.iter().for_each(|node| tree.insert(*node, |one, two| one.cmp(&two)));
            let mut sorted = nodes;
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(tree.in_order(), sorted);
        }
    }

    #[test]
    fn strings_come_in_the_order_of_a_java_hash_set() {
        // From Kafka Streams' own descriptions of sources with several topics.
        assert_eq!(hash_order(vec!["in", "tab"], |name| java_hash(name)), ["tab", "in"]);
        assert_eq!(hash_order(vec!["in1", "in2"], |name| java_hash(name)), ["in2", "in1"]);
        assert_eq!(hash_order(vec!["in0", "in1"], |name| java_hash(name)), ["in0", "in1"]);
    }
}
