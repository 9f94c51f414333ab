//! The primitive types of Kafka's formats, for the records that the broker keeps in its own topics.

use bytes::{Buf, BufMut};

/// What a length of two bytes can tell.
const MAX_STRING_BYTES: usize = i16::MAX as usize;

/// An unsigned number, seven bits to a byte, the lowest first.
pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// See [`put_uvarint`].
pub(crate) fn get_uvarint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for shift in (0..35).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A text or null, as the flexible versions have it: its length and one, 0 for null.
pub(crate) fn put_compact_string(out: &mut Vec<u8>, text: Option<&str>) {
    put_uvarint(out, text.map_or(0, |text| text.len() as u32 + 1));
    out.put_slice(text.unwrap_or_default().as_bytes());
}

/// See [`put_compact_string`]. `None` if there is no text, `Some(None)` if it is null.
pub(crate) fn get_compact_string(bytes: &mut &[u8]) -> Option<Option<String>> {
    match get_uvarint(bytes)? {
        0 => Some(None),
        length => take_text(bytes, length as usize - 1).map(Some),
    }
}

/// A text or null, as the older versions have it: its length in two bytes, -1 for null. A text that is too long for that is cut: the
/// newer protocol allows such ids, the records do not.
pub(crate) fn put_string(out: &mut Vec<u8>, text: Option<&str>) {
    let text = text.map(cut);
    out.put_i16(text.map_or(-1, |text| text.len() as i16));
    out.put_slice(text.unwrap_or_default().as_bytes());
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_STRING_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// See [`put_string`]. `None` if there is no text, `Some(None)` if it is null.
pub(crate) fn get_string(bytes: &mut &[u8]) -> Option<Option<String>> {
    match bytes.try_get_i16().ok()? {
        -1 => Some(None),
        length => take_text(bytes, usize::try_from(length).ok()?).map(Some),
    }
}

/// Bytes with their length in four bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, content: &[u8]) {
    out.put_i32(content.len() as i32);
    out.put_slice(content);
}

/// See [`put_bytes`].
pub(crate) fn get_bytes(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    take(bytes, length).map(<[u8]>::to_vec)
}

/// Skips the tagged fields at the end of a flexible structure.
pub(crate) fn skip_tagged_fields(bytes: &mut &[u8]) -> Option<()> {
    for _ in 0..get_uvarint(bytes)? {
        get_uvarint(bytes)?;
        let size = get_uvarint(bytes)? as usize;
        take(bytes, size)?;
    }
    Some(())
}

/// The tagged field with this tag at the end of a flexible structure, which is read to its end. `None` if it has none,
/// `Some(None)` if the field is not among its fields.
pub(crate) fn tagged_field<'a>(bytes: &mut &'a [u8], wanted: u32) -> Option<Option<&'a [u8]>> {
    let mut found = None;
    for _ in 0..get_uvarint(bytes)? {
        let tag = get_uvarint(bytes)?;
        let size = get_uvarint(bytes)? as usize;
        let field = take(bytes, size)?;
        if tag == wanted {
            found = Some(field);
        }
    }
    Some(found)
}

/// A tagged field; the number of fields stands before the first.
pub(crate) fn put_tagged_field(out: &mut Vec<u8>, tag: u32, field: &[u8]) {
    put_uvarint(out, tag);
    put_uvarint(out, field.len() as u32);
    out.put_slice(field);
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn take_text(bytes: &mut &[u8], length: usize) -> Option<String> {
    take(bytes, length).and_then(|text| String::from_utf8(text.to_vec()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_read_back() {
        for value in [0, 1, 127, 128, 300, u32::MAX] {
            let mut out = Vec::new();
            put_uvarint(&mut out, value);
            assert_eq!(get_uvarint(&mut &out[..]), Some(value));
        }
        for text in [None, Some(""), Some("kafka")] {
            let (mut compact, mut plain) = (Vec::new(), Vec::new());
            put_compact_string(&mut compact, text);
            put_string(&mut plain, text);
            assert_eq!(get_compact_string(&mut &compact[..]), Some(text.map(str::to_owned)));
            assert_eq!(get_string(&mut &plain[..]), Some(text.map(str::to_owned)));
        }
        let mut long = Vec::new();
        put_string(&mut long, Some(&"ä".repeat(20_000)));
        assert_eq!(get_string(&mut &long[..]).flatten().map(|text| text.len()), Some(32_766));
        assert_eq!(get_compact_string(&mut &[9, b'x'][..]), None);
        assert_eq!(get_bytes(&mut &[0, 0, 0, 2, 7][..]), None);
    }
}
