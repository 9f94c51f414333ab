//! The names of Kafka's requests.

use kafka_protocol::messages::{RequestKind, ResponseKind};

/// What is the same for each of them.
macro_rules! apis {
    (throttled { $($name:ident),* $(,)? } others { $($other:ident),* $(,)? }) => {
        /// A kind of request that clients send, by its name in Kafka's protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Api {
            $(#[doc = concat!("`", stringify!($name), "`")] $name,)*
            $(#[doc = concat!("`", stringify!($other), "`")] $other,)*
        }

        impl Api {
            /// `None` for requests that are not served.
            pub(super) fn of(request: &RequestKind) -> Option<Api> {
                match request {
                    $(RequestKind::$name(_) => Some(Api::$name),)*
                    $(RequestKind::$other(_) => Some(Api::$other),)*
                    _ => None,
                }
            }
        }

        /// Says in an answer for how long its connection is not served.
        pub(super) fn set_throttle_time(answer: &mut ResponseKind, ms: i32) {
            match answer {
                $(ResponseKind::$name(answer) => answer.throttle_time_ms = ms,)*
                _ => {}
            }
        }
    };
}

apis! {
    throttled {
        Produce,
        Fetch,
        ListOffsets,
        Metadata,
        OffsetCommit,
        OffsetFetch,
        FindCoordinator,
        JoinGroup,
        Heartbeat,
        LeaveGroup,
        SyncGroup,
        DescribeGroups,
        ListGroups,
        ApiVersions,
        CreateTopics,
        DeleteTopics,
        DeleteRecords,
        InitProducerId,
        OffsetForLeaderEpoch,
        AddPartitionsToTxn,
        AddOffsetsToTxn,
        EndTxn,
        TxnOffsetCommit,
        DescribeConfigs,
        AlterConfigs,
        DescribeLogDirs,
        CreatePartitions,
        DeleteGroups,
        ElectLeaders,
        IncrementalAlterConfigs,
        OffsetDelete,
        DescribeCluster,
        DescribeProducers,
        DescribeTransactions,
        ListTransactions,
        ConsumerGroupHeartbeat,
        ConsumerGroupDescribe,
        DescribeTopicPartitions,
        ListPartitionReassignments,
    }
    // Its answers do not say that a client is over its quota.
    others { WriteTxnMarkers }
}
