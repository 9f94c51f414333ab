//! Cases that do not give Kafka Streams' answers yet. Each is a defect of ours or a difference that nobody has traced; the list only
//! shrinks: a case that becomes equal must leave it, and no other may differ.

/// Written by hand. `lru-materialized`: which row a bounded store gives up behind a cache. `transform-values…`: Kafka Streams fails where
/// a join cannot read a transformed table; here it reads it.
const BY_HAND: [&str; 1] = ["store-kinds/lru-materialized"];

/// Of the generated ones, by number. Most read through a small record cache, whose entries have other sizes here, or combine foreign-key
/// joins, bounded or versioned stores with several other operators.
const RANDOM: [u32; 73] = [
    27, 29, 42, 61, 63, 94, 105, 123, 129, 157, 167, 174, 176, 179, 249, 271, 278, 283, 295, 299, 312, 321, 346, 364, 370, 372, 373, 399,
    429, 452, 465, 466, 467, 468, 472, 490, 514, 547, 552, 577, 583, 630, 640, 658, 663, 673, 731, 748, 752, 766, 769, 785, 788, 794, 797,
    801, 805, 819, 841, 849, 860, 868, 874, 882, 906, 922, 925, 939, 944, 946, 947, 975, 981,
];

/// A store that is not the same after its changelog was read: a row of a window store with duplicates that had expired.
const RESTORED: [&str; 1] = ["random/225"];

/// Whether the answers of a case are known to differ.
pub fn differs(case: &str) -> bool {
    BY_HAND.contains(&case)
        || case.strip_prefix("random/").and_then(|number| number.parse().ok()).is_some_and(|number: u32| RANDOM.contains(&number))
}

/// Whether a store of a case is known to differ after a restore.
pub fn differs_after_restore(case: &str) -> bool {
    RESTORED.contains(&case)
}
