//! Options of operators, under Kafka Streams' names.

mod branched;
mod grouped;
mod joined;
mod materialized;
mod named;
pub(crate) mod printed;
mod repartitioned;
mod store_supplier;
mod stream_joined;
mod suppressed;
mod table_joined;

pub use branched::Branched;
pub use grouped::Grouped;
pub use joined::Joined;
pub use materialized::{Materialized, StoreType};
pub use named::Named;
pub use printed::Printed;
pub use repartitioned::Repartitioned;
pub use store_supplier::StoreSupplier;
pub use stream_joined::StreamJoined;
pub(crate) use suppressed::Until;
pub use suppressed::{BufferConfig, EmitEarly, ShutDown, Suppressed, WhenFull};
pub use table_joined::TableJoined;
