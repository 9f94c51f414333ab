//! The answer to a subscription.

use stream_core::serdes::{Serde, SerdeContext, SerdeError, SerdeRef};

use super::hash::ValueHash;
use super::subscription::NO_HASH;

/// The row of the other table, for the value of this table's row that asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response<V> {
    pub(super) hash: Option<ValueHash>,
    pub(super) value: Option<V>,
    /// Where it goes; not written.
    pub(super) partition: Option<i32>,
}

/// `no hash (1 bit), version 0 (7 bits) ‖ [hash (16)] ‖ [value]`.
pub(super) struct ResponseSerde<V>(pub(super) SerdeRef<V>);

impl<V: 'static> Serde<Response<V>> for ResponseSerde<V> {
    fn serialize(&self, response: &Response<V>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        out.push(if response.hash.is_none() { NO_HASH } else { 0 });
        out.extend_from_slice(response.hash.as_ref().map_or(&[][..], |hash| &hash[..]));
        match &response.value {
            Some(value) if !self.0.is_null(value) => self.0.serialize(value, out, cx),
            _ => Ok(()),
        }
    }

    /// As in Kafka Streams, a value of no bytes is no value.
    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Response<V>, SerdeError> {
        let malformed = || SerdeError::bad(format!("{} bytes are not an answer of a foreign-key join", bytes.len()));
        let (first, mut rest) = bytes.split_first().ok_or_else(malformed)?;
        if first & !NO_HASH != 0 {
            return Err(SerdeError::bad(format!(
                "an answer of a foreign-key join has version {}, this release knows version 0",
                first & !NO_HASH
            )));
        }
        let mut hash = None;
        if first & NO_HASH == 0 {
            let (found, behind) = rest.split_first_chunk::<16>().ok_or_else(malformed)?;
            (hash, rest) = (Some(*found), behind);
        }
        let value = if rest.is_empty() { None } else { Some(self.0.deserialize(rest, cx)?) };
        Ok(Response { hash, value, partition: None })
    }
}

#[cfg(test)]
mod tests {
    use stream_core::Headers;
    use stream_core::serdes::{Role, Serdes};

    use super::*;

    #[test]
    fn answers_have_kafkas_bytes_and_are_read_back() {
        let headers = Headers::new();
        let cx = SerdeContext { topic: "t", headers: &headers, role: Role::Value };
        let serde = ResponseSerde(Serdes::string());
        let response = Response { hash: Some([7; 16]), value: Some("P".to_owned()), partition: None };
        let mut bytes = Vec::new();
        serde.serialize(&response, &mut bytes, &cx).expect("bytes");
        let mut expected = vec![0];
        expected.extend([7; 16]);
        expected.push(b'P');
        assert_eq!(bytes, expected);
        assert_eq!(serde.deserialize(&bytes, &cx).expect("an answer"), response);
        let nothing = Response::<String> { hash: None, value: None, partition: Some(3) };
        let mut bytes = Vec::new();
        serde.serialize(&nothing, &mut bytes, &cx).expect("bytes");
        assert_eq!(bytes, [0x80]);
        for bad in [&[][..], &[0, 1], &[1]] {
            assert!(serde.deserialize(bad, &cx).is_err(), "{bad:?}");
        }
    }
}
