//! Topologies from outside: what `build`, `describe` and `plan` make of a program.

mod build;
mod describe;
mod internal_topics;
mod plan;
mod run;
mod support;
mod validation;
