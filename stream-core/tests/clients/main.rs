//! The clients against a broker: the embedded one, or the cluster that `KSTREAMS_BOOTSTRAP_SERVERS` names.

mod admin;
mod cluster;
mod consumer;
mod producer;
mod transactions;
mod without_broker;
