//! The topics that a group subscribes to.
//!
//! Member metadata is opaque to the coordinator, with one exception, as in Kafka: for the protocol type `consumer` the
//! prefix that all versions share (version, topics) is read, so that offsets of subscribed topics are neither deleted nor
//! expired.

use std::collections::BTreeSet;

use bytes::{Buf, Bytes};

use super::classic::ClassicGroup;

const CONSUMER: &str = "consumer";

impl ClassicGroup {
    /// Topics that the members of this generation subscribe to; `None` if it cannot be told, because the members are not
    /// consumers or sent metadata that is not theirs.
    pub(crate) fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        if self.protocol_type.as_ref()?.as_str() != CONSUMER {
            return None;
        }
        let protocol = self.protocol.as_ref()?;
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.append(&mut topics_of(member.metadata(protocol))?);
        }
        Some(topics)
    }
}

fn topics_of(mut metadata: Bytes) -> Option<BTreeSet<String>> {
    let _version = metadata.try_get_i16().ok()?;
    let count = metadata.try_get_i32().ok()?;
    let mut topics = BTreeSet::new();
    for _ in 0..count {
        let length = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        if metadata.remaining() < length {
            return None;
        }
        let name = metadata.split_to(length);
        topics.insert(std::str::from_utf8(&name).ok()?.to_owned());
    }
    Some(topics)
}
