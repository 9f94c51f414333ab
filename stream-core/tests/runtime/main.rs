//! What the runtime does when user code, or the cluster, does not do what it should.

mod closing;
mod panics;
mod retries;
mod support;
