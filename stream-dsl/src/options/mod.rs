//! Options of operators, under Kafka Streams' names.

mod branched;
mod grouped;
mod joined;
mod materialized;
mod named;
pub(crate) mod printed;
mod repartitioned;
mod stream_joined;

pub use branched::Branched;
pub use grouped::Grouped;
pub use joined::Joined;
pub use materialized::{Materialized, StoreType};
pub use named::Named;
pub use printed::Printed;
pub use repartitioned::Repartitioned;
pub use stream_joined::StreamJoined;
