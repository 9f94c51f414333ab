//! The names of the nodes, topics and of the store of a foreign-key join.

use super::PseudoTopic;
use crate::plan::Plan;

pub(super) struct Names {
    pub(super) subscription_topic: String,
    pub(super) send: String,
    pub(super) subscription_sink: String,
    pub(super) subscription_source: String,
    pub(super) store: String,
    pub(super) receive: String,
    pub(super) join_foreign: String,
    pub(super) foreign_join: String,
    pub(super) response_topic: String,
    pub(super) response_sink: String,
    pub(super) response_source: String,
    pub(super) resolve: String,
    pub(super) result: String,
}

impl Names {
    /// Thirteen numbers are taken, in this order, also where names do not show them.
    pub(super) fn new(plan: &Plan, name: Option<&str>) -> Self {
        const REGISTRATION: &str = "KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-";
        const PROCESSOR: &str = "KTABLE-FK-JOIN-SUBSCRIPTION-PROCESSOR-";
        let name = name.map(|name| plan.checked(name));
        let next = |suffix: &str, prefix: &str, ending: &str| {
            let generated = plan.name(prefix);
            name.as_ref().map_or_else(|| format!("{generated}{ending}"), |name| format!("{name}{suffix}"))
        };
        Self {
            subscription_topic: next("-subscription-registration-topic", REGISTRATION, "-topic"),
            send: next("-subscription-registration-processor", REGISTRATION, ""),
            subscription_sink: next("-subscription-registration-sink", "KTABLE-SINK-", ""),
            subscription_source: next("-subscription-registration-source", "KTABLE-SOURCE-", ""),
            store: next("-subscription-store", "KTABLE-FK-JOIN-SUBSCRIPTION-STATE-STORE-", ""),
            receive: next("-subscription-receive", PROCESSOR, ""),
            join_foreign: next("-subscription-join-foreign", PROCESSOR, ""),
            foreign_join: next("-foreign-join-subscription", PROCESSOR, ""),
            response_topic: next("-subscription-response-topic", "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-", "-topic"),
            response_sink: next("-subscription-response-sink", "KTABLE-SINK-", ""),
            response_source: next("-subscription-response-source", "KTABLE-SOURCE-", ""),
            resolve: next("-subscription-response-resolver", "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-RESOLVER-PROCESSOR-", ""),
            result: next("-result", "KTABLE-FK-JOIN-OUTPUT-", ""),
        }
    }

    /// What a serde within the records of the topic `ending` is told.
    pub(super) fn pseudo(&self, ending: &str, suffix: &str) -> PseudoTopic {
        PseudoTopic::new(ending, format!("{}{suffix}", self.subscription_topic))
    }

    /// What a serde within the rows of the store is told.
    pub(super) fn pseudo_of_store(&self, suffix: &str) -> PseudoTopic {
        self.pseudo(&format!("{}-changelog", self.store), suffix)
    }
}
