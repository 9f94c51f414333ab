//! Whether two runs did the same work: a sum over their output that does not depend on its order.

use std::collections::HashMap;

use super::BenchResult;
use super::topics::Topics;
use super::workload::Summing;

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x100_0000_01b3;

/// `MODE:COUNT:SUM`: FNV-1a (64 bit) over key, a zero byte and value, summed over all records or over the last of each key.
pub fn checksum(topics: &Topics, topic: &str, summing: Summing) -> BenchResult<String> {
    let (mut count, mut sum) = (0_u64, 0_u64);
    let mut last: HashMap<Vec<u8>, u64> = HashMap::new();
    topics.read_committed(topic, |key, value| {
        let hash = hash(hash(OFFSET_BASIS, key).wrapping_mul(PRIME), value);
        match summing {
            Summing::All => (count, sum) = (count + 1, sum.wrapping_add(hash)),
            Summing::Last => drop(last.insert(key.to_vec(), hash)),
        }
    })?;
    let mode = match summing {
        Summing::All => "all",
        Summing::Last => {
            (count, sum) = (last.len() as u64, last.values().fold(0_u64, |sum, hash| sum.wrapping_add(*hash)));
            "last"
        }
    };
    Ok(format!("{mode}:{count}:{sum:016x}"))
}

fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}
