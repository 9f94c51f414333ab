//! A scanner over the records of a batch that looks at what a broker must know and skips the rest.

/// What a broker looks at in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordInfo {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key_is_null: bool,
}

/// Iterates over uncompressed records. Ends with an error at the first that is malformed.
pub(crate) struct Records<'a> {
    rest: &'a [u8],
    failed: bool,
}

/// The bytes are not records of message format 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> Records<'a> {
    pub(crate) fn new(uncompressed: &'a [u8]) -> Self {
        Records { rest: uncompressed, failed: false }
    }

    fn record(&mut self) -> Result<RecordInfo, Malformed> {
        let length = usize::try_from(varlong(&mut self.rest)?).map_err(|_| Malformed)?;
        let (mut body, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        body = body.get(1..).ok_or(Malformed)?; // attributes
        let timestamp_delta = varlong(&mut body)?;
        let offset_delta = varint(&mut body)?;
        let key_is_null = skip_bytes(&mut body)?;
        skip_bytes(&mut body)?;
        let headers = varint(&mut body)?;
        if headers < 0 {
            return Err(Malformed);
        }
        for _ in 0..headers {
            if skip_bytes(&mut body)? {
                return Err(Malformed); // a header's key is never null
            }
            skip_bytes(&mut body)?;
        }
        if !body.is_empty() {
            return Err(Malformed);
        }
        Ok(RecordInfo { timestamp_delta, offset_delta, key_is_null })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<RecordInfo, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        self.failed = record.is_err();
        Some(record)
    }
}

/// Skips a length and that many bytes; whether the length said null.
fn skip_bytes(body: &mut &[u8]) -> Result<bool, Malformed> {
    match varint(body)? {
        -1 => Ok(true),
        length => {
            let length = usize::try_from(length).map_err(|_| Malformed)?;
            *body = body.get(length..).ok_or(Malformed)?;
            Ok(false)
        }
    }
}

fn varint(body: &mut &[u8]) -> Result<i32, Malformed> {
    i32::try_from(varlong(body)?).map_err(|_| Malformed)
}

fn varlong(body: &mut &[u8]) -> Result<i64, Malformed> {
    let mut raw = 0_u64;
    for (index, &byte) in body.iter().take(10).enumerate() {
        raw |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *body = &body[index + 1..];
            return Ok((raw >> 1) as i64 ^ -((raw & 1) as i64));
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::batch::{HEADER_BYTES, control_batch};

    #[test]
    fn the_record_of_a_control_batch_is_read() {
        let batch = control_batch(1, 0, true, 0, 5);
        let records: Vec<_> = Records::new(&batch[HEADER_BYTES..]).collect();
        assert_eq!(records, [Ok(RecordInfo { timestamp_delta: 0, offset_delta: 0, key_is_null: false })]);
    }

    #[test]
    fn cut_or_padded_records_are_malformed() {
        let batch = control_batch(1, 0, true, 0, 5);
        let payload = &batch[HEADER_BYTES..];
        for end in 1..payload.len() {
            let last = Records::new(&payload[..end]).last();
            assert_eq!(last, Some(Err(Malformed)), "cut at {end}");
        }
        let mut padded = payload.to_vec();
        padded.push(1);
        assert_eq!(Records::new(&padded).last(), Some(Err(Malformed)));
    }

    #[test]
    fn a_varint_without_an_end_is_malformed() {
        assert_eq!(Records::new(&[0xff; 40]).last(), Some(Err(Malformed)));
    }
}
