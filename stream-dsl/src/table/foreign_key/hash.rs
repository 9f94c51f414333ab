//! The hash of a row's value that a subscription carries: an answer to an older value is known by it (trap T82).

/// Kafka Streams' 128-bit Murmur3 (x64), both halves big-endian.
pub(super) type ValueHash = [u8; 16];

const SEED: u64 = 104_729;
const C1: u64 = 0x87c3_7b91_1142_53d5;
const C2: u64 = 0x4cf5_ad43_2745_937f;

pub(super) fn murmur3(data: &[u8]) -> ValueHash {
    let (mut h1, mut h2) = (SEED, SEED);
    let mut blocks = data.chunks_exact(16);
    for block in blocks.by_ref() {
        let (low, high) = block.split_at(8);
        h1 ^= mix_low(little_endian(low));
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= mix_high(little_endian(high));
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let rest = blocks.remainder();
    let (low, high) = rest.split_at(rest.len().min(8));
    h2 ^= mix_high(little_endian(high));
    h1 ^= mix_low(little_endian(low));
    let length = data.len() as u64;
    (h1, h2) = (h1 ^ length, h2 ^ length);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    (h1, h2) = (finish(h1), finish(h2));
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    (u128::from(h1) << 64 | u128::from(h2)).to_be_bytes()
}

/// Up to eight bytes as a number; none is 0, which mixes to 0.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn mix_low(k: u64) -> u64 {
    k.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2)
}

fn mix_high(k: u64) -> u64 {
    k.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1)
}

fn finish(mut k: u64) -> u64 {
    k ^= k >> 33;
    k = k.wrapping_mul(0xff51_afd7_ed55_8ccd);
    k ^= k >> 33;
    k = k.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    k ^ k >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kafka_streams() {
        // From the subscriptions of Kafka Streams 4.3.1.
        for (text, hash) in [
            ("p:a", 0x5fb2_8888_da3a_1ae6_7708_08d0_1d8c_817e_u128),
            ("p:b", 0x67bf_edbf_bf36_e7c6_857a_2ea3_1cd8_205f),
            ("nofk", 0x86ac_f906_0151_5c97_3eb7_edcf_5046_73e3),
        ] {
            assert_eq!(murmur3(text.as_bytes()), hash.to_be_bytes(), "{text}");
        }
    }

    #[test]
    fn every_byte_counts_at_any_length() {
        for length in 1..40_usize {
            let data = vec![7; length];
            for at in 0..length {
                let mut other = data.clone();
                other[at] = 8;
                assert_ne!(murmur3(&data), murmur3(&other), "byte {at} of {length}");
            }
        }
    }
}
