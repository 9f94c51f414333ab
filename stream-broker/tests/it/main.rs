//! The broker as clients see it. One program, because each links librdkafka; `cargo test --test it groups::` runs the tests of one file.

mod consumer_group_protocol;
mod consumer_groups;
mod differential;
mod faults;
mod group_protocol;
mod groups;
mod hostile_clients;
mod librdkafka;
mod network;
mod produce_fetch;
mod program;
mod protocol;
mod restart;
mod support;
mod topics;
mod transaction_protocol;
mod transaction_version_2;
mod transactions;
