//! Applications on a cluster, from outside: an embedded broker of each test's own, or the cluster that `KSTREAMS_BOOTSTRAP_SERVERS` names.
//!
//! One program, because each links RocksDB; `cargo test --test end_to_end faults::` runs the tests of one file.

mod async_processing;
mod changelogs;
mod crashes;
mod dead_letters;
mod faults;
mod foreign_key_joins;
mod global_tables;
mod growing_topics;
mod harness;
mod kill_points;
mod log_aggregation;
mod memory;
mod negative_controls;
mod rebalance;
mod state_directory;
mod word_count;
mod zombie;
