//! The records of a batch, read and written by hand: a broker looks at what it must know and copies the rest as it is.

/// A record within the uncompressed records of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawRecord<'a> {
    pub(crate) timestamp_delta: i64,
    pub(crate) offset_delta: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Key, value and headers as they were received, lengths included. Headers may repeat a key.
    body: &'a [u8],
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

    fn record(&mut self) -> Result<RawRecord<'a>, Malformed> {
        let length = usize::try_from(varlong(&mut self.rest)?).map_err(|_| Malformed)?;
        let (mut body, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        body = body.get(1..).ok_or(Malformed)?; // attributes
        let timestamp_delta = varlong(&mut body)?;
        let offset_delta = varint(&mut body)?;
        let whole = body;
        let key = take_bytes(&mut body)?;
        let value = take_bytes(&mut body)?;
        let headers = varint(&mut body)?;
        if headers < 0 {
            return Err(Malformed);
        }
        for _ in 0..headers {
            take_bytes(&mut body)?.ok_or(Malformed)?; // a header's key is never null
            take_bytes(&mut body)?;
        }
        if !body.is_empty() {
            return Err(Malformed);
        }
        Ok(RawRecord { timestamp_delta, offset_delta, key, value, body: whole })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RawRecord<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        self.failed = record.is_err();
        Some(record)
    }
}

/// Takes a length and that many bytes; `None` if the length said null.
fn take_bytes<'a>(body: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
    match varint(body)? {
        -1 => Ok(None),
        length => {
            let length = usize::try_from(length).map_err(|_| Malformed)?;
            let (bytes, rest) = body.split_at_checked(length).ok_or(Malformed)?;
            *body = rest;
            Ok(Some(bytes))
        }
    }
}

impl RawRecord<'_> {
    /// Writes the record with another timestamp delta. Everything else stays, byte for byte.
    pub(crate) fn copy_to(&self, out: &mut Vec<u8>, timestamp_delta: i64) {
        let mut head = vec![0]; // attributes
        write_varlong(&mut head, timestamp_delta);
        write_varlong(&mut head, self.offset_delta.into());
        write_varlong(out, (head.len() + self.body.len()) as i64);
        out.extend_from_slice(&head);
        out.extend_from_slice(self.body);
    }
}

/// Writes a record without headers.
pub(crate) fn write(out: &mut Vec<u8>, timestamp_delta: i64, offset_delta: i32, key: Option<&[u8]>, value: Option<&[u8]>) {
    let mut body = Vec::new();
    for bytes in [key, value] {
        write_varlong(&mut body, bytes.map_or(-1, |bytes| bytes.len() as i64));
        body.extend_from_slice(bytes.unwrap_or_default());
    }
    body.push(0); // no headers
    RawRecord { timestamp_delta, offset_delta, key, value, body: &body }.copy_to(out, timestamp_delta);
}

fn write_varlong(out: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        out.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    out.push(raw as u8);
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
        let records: Vec<_> = Records::new(&batch[HEADER_BYTES..]).map(Result::unwrap).collect();
        assert_eq!((records[0].timestamp_delta, records[0].offset_delta, records.len()), (0, 0, 1));
        assert_eq!((records[0].key, records[0].value), (Some(&[0, 0, 0, 1][..]), Some(&[0; 6][..])));
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
    fn a_copied_record_differs_in_its_timestamp_only() {
        for delta in [0, -1, 300, i64::MAX, i64::MIN] {
            let mut records = Vec::new();
            write(&mut records, 7, 5, None, Some(b"value"));
            let mut copy = Vec::new();
            Records::new(&records).next().unwrap().unwrap().copy_to(&mut copy, delta);
            let copied = Records::new(&copy).next().unwrap().unwrap();
            assert_eq!((copied.timestamp_delta, copied.offset_delta, copied.key, copied.value), (delta, 5, None, Some(&b"value"[..])));
        }
    }

    #[test]
    fn a_varint_without_an_end_is_malformed() {
        assert_eq!(Records::new(&[0xff; 40]).last(), Some(Err(Malformed)));
    }
}
