//! What a row of this table tells the partition of its foreign key, and how the subscriptions there are kept (KIP-213).

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use stream_core::serdes::{Role, Serde, SerdeContext, SerdeError, SerdeRef};

use super::hash::ValueHash;

/// What the other table's side is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Forget the subscription.
    DeleteNoPropagate,
    /// Forget the subscription, and answer that there is no row.
    DeleteAndPropagate,
    /// Keep the subscription, and answer in any case.
    PropagateNullIfNoRow,
    /// Keep the subscription, and answer if there is a row.
    PropagateOnlyIfRow,
}

impl Instruction {
    const ALL: [Self; 4] = [Self::DeleteNoPropagate, Self::DeleteAndPropagate, Self::PropagateNullIfNoRow, Self::PropagateOnlyIfRow];

    pub(super) const fn deletes(self) -> bool {
        matches!(self, Self::DeleteNoPropagate | Self::DeleteAndPropagate)
    }
}

/// Of a row of this table: its key, the hash of its value, and the partition that waits for the answer (trap T86).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subscription<K> {
    pub(super) hash: Option<ValueHash>,
    pub(super) instruction: Instruction,
    pub(super) key: K,
    /// `None` in what Kafka Streams before 3.4 wrote: the answer then goes where its key goes.
    pub(super) partition: Option<i32>,
}

const VERSION: u8 = 1;
/// The high bit of the first byte: there is no hash.
pub(super) const NO_HASH: u8 = 0x80;

/// `no hash (1 bit), version (7 bits) ‖ instruction ‖ [hash (16)] ‖ key ‖ partition (4, from version 1 on)`.
pub(super) struct SubscriptionSerde<K> {
    pub(super) keys: SerdeRef<K>,
    pub(super) topic: PseudoTopic,
}

impl<K: 'static> Serde<Subscription<K>> for SubscriptionSerde<K> {
    fn serialize(&self, value: &Subscription<K>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        let version = if value.partition.is_some() { VERSION } else { 0 };
        out.push(version | if value.hash.is_none() { NO_HASH } else { 0 });
        out.push(value.instruction as u8);
        out.extend_from_slice(value.hash.as_ref().map_or(&[][..], |hash| &hash[..]));
        let topic = self.topic.of(cx.topic);
        self.keys.serialize(&value.key, out, &SerdeContext { topic: &topic, role: Role::Key, ..*cx })?;
        if let Some(partition) = value.partition {
            out.extend_from_slice(&partition.to_be_bytes());
        }
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Subscription<K>, SerdeError> {
        let malformed = || SerdeError::bad(format!("{} bytes are not a subscription of a foreign-key join", bytes.len()));
        let (first, rest) = bytes.split_first().ok_or_else(malformed)?;
        let version = first & !NO_HASH;
        if version > VERSION {
            return Err(SerdeError::bad(format!(
                "a subscription of a foreign-key join has version {version}, this release knows versions up to {VERSION}"
            )));
        }
        let (instruction, mut rest) = rest.split_first().ok_or_else(malformed)?;
        let instruction = *Instruction::ALL.get(usize::from(*instruction)).ok_or_else(malformed)?;
        let mut hash = None;
        if first & NO_HASH == 0 {
            let (found, behind) = rest.split_first_chunk::<16>().ok_or_else(malformed)?;
            (hash, rest) = (Some(*found), behind);
        }
        let mut partition = None;
        if version == VERSION {
            let (before, found) = rest.split_last_chunk::<4>().ok_or_else(malformed)?;
            (partition, rest) = (Some(i32::from_be_bytes(*found)), before);
        }
        let topic = self.topic.of(cx.topic);
        let key = self.keys.deserialize(rest, &SerdeContext { topic: &topic, role: Role::Key, ..*cx })?;
        Ok(Subscription { hash, instruction, key, partition })
    }
}

/// The key of a kept subscription: those of one foreign key lie together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CombinedKey<KO, K> {
    /// Null only on its way: a row without a foreign key has no subscription, but gets an answer.
    pub(super) foreign: Option<KO>,
    pub(super) key: K,
}

/// `length of the foreign key (4) ‖ foreign key ‖ key` (trap T85).
pub(super) struct CombinedKeySerde<KO, K> {
    pub(super) foreign: ForeignKeyPrefix<KO>,
    pub(super) keys: SerdeRef<K>,
    pub(super) topic: PseudoTopic,
}

impl<KO: 'static, K: 'static> Serde<CombinedKey<KO, K>> for CombinedKeySerde<KO, K> {
    fn serialize(&self, value: &CombinedKey<KO, K>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        let foreign = value.foreign.as_ref().ok_or_else(|| SerdeError::bad("a subscription without a foreign key is not kept"))?;
        self.foreign.serialize(foreign, out, cx)?;
        let topic = self.topic.of(cx.topic);
        self.keys.serialize(&value.key, out, &SerdeContext { topic: &topic, ..*cx })
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<CombinedKey<KO, K>, SerdeError> {
        let malformed = || SerdeError::bad(format!("{} bytes are not the key of a subscription", bytes.len()));
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(malformed)?;
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| malformed())?;
        let (foreign, key) = rest.split_at_checked(length).ok_or_else(malformed)?;
        let (foreign_topic, topic) = (self.foreign.topic.of(cx.topic), self.topic.of(cx.topic));
        Ok(CombinedKey {
            foreign: Some(self.foreign.keys.deserialize(foreign, &SerdeContext { topic: &foreign_topic, ..*cx })?),
            key: self.keys.deserialize(key, &SerdeContext { topic: &topic, ..*cx })?,
        })
    }
}

/// What the keys of all subscriptions to one foreign key begin with. The length stands before it, so no other key begins like it.
pub(super) struct ForeignKeyPrefix<KO> {
    pub(super) keys: SerdeRef<KO>,
    pub(super) topic: PseudoTopic,
}

impl<KO: 'static> Serde<KO> for ForeignKeyPrefix<KO> {
    fn serialize(&self, value: &KO, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let topic = self.topic.of(cx.topic);
        self.keys.serialize(value, out, &SerdeContext { topic: &topic, ..*cx })?;
        let length = i32::try_from(out.len() - start - 4).map_err(|_| SerdeError::bad("a foreign key of 2 GiB or more cannot be kept"))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, _bytes: &[u8], _cx: &SerdeContext<'_>) -> Result<KO, SerdeError> {
        Err(SerdeError::bad("the beginning of a subscription's key is only written"))
    }
}

/// The topic name that serdes inside of a subscription are told, as in Kafka Streams: `<application id>-<subscription topic>-pk`. It
/// is derived from the topic at hand, whose name ends in `ending` behind the application id and a hyphen.
#[derive(Debug)]
pub(super) struct PseudoTopic {
    ending: String,
    name: String,
    last: OnceLock<(Arc<str>, String)>,
}

impl PseudoTopic {
    pub(super) fn new(ending: impl Into<String>, name: String) -> Self {
        Self { ending: ending.into(), name, last: OnceLock::new() }
    }

    /// The name beside the topic of this full name.
    fn of(&self, topic: &str) -> Cow<'_, str> {
        let name = || format!("{}{}", topic.strip_suffix(self.ending.as_str()).unwrap_or_default(), self.name);
        let (known, cached) = self.last.get_or_init(|| (Arc::from(topic), name()));
        if **known == *topic { Cow::Borrowed(cached) } else { Cow::Owned(name()) }
    }
}

#[cfg(test)]
mod tests {
    use stream_core::Headers;
    use stream_core::serdes::Serdes;

    use super::*;

    fn topic() -> PseudoTopic {
        PseudoTopic::new("fk-topic", "fk-topic-pk".to_owned())
    }

    #[test]
    fn subscriptions_have_kafkas_bytes_and_are_read_back() {
        let headers = Headers::new();
        let cx = SerdeContext { topic: "app-fk-topic", headers: &headers, role: Role::Value };
        let serde = SubscriptionSerde { keys: Serdes::string(), topic: topic() };
        let bytes = |subscription: &Subscription<String>| {
            let mut bytes = Vec::new();
            serde.serialize(subscription, &mut bytes, &cx).expect("bytes");
            assert_eq!(&serde.deserialize(&bytes, &cx).expect("a subscription"), subscription);
            bytes
        };
        let mut subscription =
            Subscription { hash: Some([7; 16]), instruction: Instruction::PropagateOnlyIfRow, key: "1".to_owned(), partition: Some(2) };
        let mut expected = vec![1, 3];
        expected.extend([7; 16]);
        expected.extend([0x31, 0, 0, 0, 2]);
        assert_eq!(bytes(&subscription), expected);
        (subscription.hash, subscription.instruction) = (None, Instruction::DeleteAndPropagate);
        assert_eq!(bytes(&subscription), [0x81, 1, 0x31, 0, 0, 0, 2]);
        subscription.partition = None;
        assert_eq!(bytes(&subscription), [0x80, 1, 0x31]);
        for bad in [&[][..], &[1], &[0x81, 4, 0, 0, 0, 0], &[0x81, 1, 0], &[1, 1, 0], &[0x82, 1, 0x31, 0, 0, 0, 0]] {
            assert!(serde.deserialize(bad, &cx).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_key_of_a_subscription_begins_with_the_foreign_key_and_its_length() {
        let headers = Headers::new();
        let cx = SerdeContext { topic: "app-fk-topic", headers: &headers, role: Role::Key };
        let foreign = ForeignKeyPrefix { keys: Serdes::string(), topic: topic() };
        let serde = CombinedKeySerde { foreign, keys: Serdes::string(), topic: topic() };
        let key = CombinedKey { foreign: Some("p".to_owned()), key: "1".to_owned() };
        let mut bytes = Vec::new();
        serde.serialize(&key, &mut bytes, &cx).expect("bytes");
        assert_eq!(bytes, [0, 0, 0, 1, b'p', b'1']);
        assert_eq!(serde.deserialize(&bytes, &cx).expect("a key"), key);
        let mut prefix = Vec::new();
        serde.foreign.serialize(&"p".to_owned(), &mut prefix, &cx).expect("bytes");
        assert!(bytes.starts_with(&prefix));
        for bad in [&[][..], &[0, 0, 0], &[0, 0, 0, 9, b'p'], &[0xff, 0, 0, 0, 0]] {
            assert!(serde.deserialize(bad, &cx).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn serdes_inside_are_told_a_topic_of_the_application() {
        let topic = PseudoTopic::new("store-changelog", "fk-topic-pk".to_owned());
        assert_eq!(topic.of("app-store-changelog"), "app-fk-topic-pk");
        assert_eq!(topic.of("other-store-changelog"), "other-fk-topic-pk");
    }
}
