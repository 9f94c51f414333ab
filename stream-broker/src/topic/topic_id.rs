//! Topic ids as Kafka writes them: 22 characters of base64 with the alphabet for URLs, without padding.

use uuid::Uuid;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CHARACTERS: usize = 22;

/// The text of an id.
pub(crate) fn format(id: Uuid) -> String {
    // 128 bits and four more make 22 characters of six bits; of the last only two count.
    let bits = id.as_u128();
    (0..CHARACTERS)
        .map(|index| {
            let taken = 6 * (index as u32 + 1);
            let six = if taken <= 128 { bits >> (128 - taken) } else { bits << (taken - 128) };
            char::from(ALPHABET[(six & 0x3f) as usize])
        })
        .collect()
}

/// The id of a text; `None` if it is the text of none.
pub(crate) fn parse(text: &str) -> Option<Uuid> {
    if text.len() != CHARACTERS {
        return None;
    }
    let mut bits = 0_u128;
    for (index, byte) in text.bytes().enumerate() {
        let six = ALPHABET.iter().position(|&letter| letter == byte)? as u128;
        bits = if index + 1 < CHARACTERS { bits << 6 | six } else { bits << 2 | six >> 4 };
    }
    Some(Uuid::from_u128(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_4def_8123_4567_89ab_cdef] {
            let id = Uuid::from_u128(bits);
            assert_eq!(parse(&format(id)), Some(id));
        }
        assert_eq!(format(Uuid::from_u128(u128::MAX)), "_____________________w");
        assert_eq!(parse("short"), None);
        assert_eq!(parse("AAAAAAAAAAAAAAAAAAAAA!"), None);
    }
}
