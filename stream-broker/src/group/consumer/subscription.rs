//! Which topics a group reads: by name, and by regular expressions that the coordinator matches.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::ResponseError;
use regex::Regex;
use uuid::Uuid;

use super::super::record::Key;
use super::{ConsumerGroup, ConsumerMember, Refusal};
use crate::topic::Topics;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Compiles a regular expression that is to match whole names.
///
/// # Errors
/// `INVALID_REGULAR_EXPRESSION`.
pub(super) fn compile(regex: &str) -> Result<Regex, Refusal> {
    Regex::new(&format!("^(?:{regex})$")).map_err(|error| {
        // The last line of the explanation names the mistake.
        let reason = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let message = format!("SubscribedTopicRegex `{regex}` is not a valid regular expression: {reason}.");
        Refusal::new(ResponseError::InvalidRegularExpression, message)
    })
}

impl ConsumerGroup {
    /// All topics that members subscribe to.
    pub(crate) fn subscribed_topics(&self) -> BTreeSet<String> {
        let named = self.members.values().flat_map(|member| &member.subscribed_topics);
        let matched = self.members.values().filter_map(|member| self.resolved.get(member.regex()?)).flatten();
        named.chain(matched).cloned().collect()
    }

    /// The ids of those topics that a member subscribes to and that exist.
    pub(super) fn subscribed_ids(&self, member: &ConsumerMember, topics: &Topics) -> BTreeSet<Uuid> {
        let matched = member.regex().and_then(|regex| self.resolved.get(regex)).into_iter().flatten();
        member.subscribed_topics.iter().chain(matched).filter_map(|name| Some(topics.get(name)?.id)).collect()
    }

    /// Looks at the topics again, if they or the subscriptions have changed, and begins a new epoch if that concerns the group, or if
    /// the caller says so. A target that is still to be computed sees the change anyway.
    pub(super) fn refresh_metadata(&mut self, bump: bool, topics: &Topics) {
        if !bump && self.metadata_version == Some(topics.version()) {
            return;
        }
        let matches_changed = self.resolve(topics);
        let hash = self.hash_metadata(topics);
        let concerned = matches_changed || hash != self.metadata_hash;
        self.metadata_hash = hash;
        self.metadata_version = Some(topics.version());
        if bump || (concerned && self.assignment_epoch >= self.epoch) {
            self.bump();
        }
    }

    /// Has the topics looked at again with the next heartbeat.
    pub(super) fn forget_metadata(&mut self) {
        self.metadata_version = None;
    }

    /// Matches the regular expressions of all members again; whether anything is different.
    fn resolve(&mut self, topics: &Topics) -> bool {
        let wanted: BTreeSet<String> = self.members.values().filter_map(ConsumerMember::regex).map(str::to_owned).collect();
        let matches = |regex: &String| {
            let compiled = compile(regex).ok();
            let names = topics.iter().map(|(name, _)| name).filter(|name| compiled.as_ref().is_some_and(|regex| regex.is_match(name)));
            (regex.clone(), names.map(str::to_owned).collect())
        };
        let resolved: BTreeMap<String, BTreeSet<String>> = wanted.iter().map(matches).collect();
        let group = self.id.to_string();
        for regex in self.resolved.keys().chain(resolved.keys()) {
            if self.resolved.get(regex) != resolved.get(regex) {
                self.unsaved.push(Key::RegularExpression { group: group.clone(), regex: regex.clone() });
            }
        }
        let changed = self.resolved != resolved;
        self.resolved = resolved;
        changed
    }

    /// A number that differs when a topic that is subscribed to comes, goes, grows or is another one of the same name.
    fn hash_metadata(&self, topics: &Topics) -> i64 {
        let subscribed = self.subscribed_topics();
        let mut existing = subscribed.iter().filter_map(|name| Some((name, topics.get(name)?))).peekable();
        if existing.peek().is_none() {
            return 0;
        }
        let mut hash = FNV_OFFSET;
        for (name, topic) in existing {
            let count = topic.partition_count().to_be_bytes();
            for &byte in name.as_bytes().iter().chain(topic.id.as_bytes()).chain(&count) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME);
            }
        }
        hash.cast_signed()
    }
}
