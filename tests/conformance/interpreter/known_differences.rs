//! Cases that do not give Kafka Streams' answers yet. Each is a defect of ours or a difference that nobody has traced; the list only
//! shrinks: a case that becomes equal must leave it, and no other may differ.

/// Of the generated ones, by number.
///
/// 157, 409: a null key goes through a repartition topic in Kafka Streams where a left or outer join lies further down, behind a table
/// or behind a join that drops it. 801: which row a bounded store of a single entry shows that was only read through. The others have a
/// record cache of 300 bytes: Kafka Streams evicts entries of a full cache while it processes a record, one store at a time; here all
/// changes go on at the commit.
const RANDOM: [u32; 13] = [42, 63, 157, 283, 299, 364, 409, 466, 467, 490, 801, 819, 939];

/// A store that is not the same after its changelog was read: a row of a window store with duplicates that had expired.
const RESTORED: [&str; 1] = ["random/225"];

/// Whether the answers of a case are known to differ.
pub fn differs(case: &str) -> bool {
    case.strip_prefix("random/").and_then(|number| number.parse().ok()).is_some_and(|number: u32| RANDOM.contains(&number))
}

/// Whether a store of a case is known to differ after a restore.
pub fn differs_after_restore(case: &str) -> bool {
    RESTORED.contains(&case)
}
