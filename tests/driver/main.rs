//! Topologies on the task driver, without a broker.

mod mistakes;
mod processor_api;
mod task_driver;
