//! Topologies on the task driver, without a broker.

mod caching;
mod headers;
mod mistakes;
mod processor_api;
mod restarts;
mod task_driver;
