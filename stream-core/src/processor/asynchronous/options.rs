//! [`AsyncOptions`].

use std::time::Duration;

/// In which order the results of an async processor are forwarded. Futures run at the same time in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AsyncOrder {
    /// Results of records with equal keys in the order of the records: what Kafka promises for a partition, as far as a key can tell.
    /// The default.
    #[default]
    ByKey,
    /// All results in the order of their records: a slow future holds back all that came after it.
    Total,
    /// Each result as soon as it is there.
    Unordered,
}

/// How the futures of an async processor run.
///
/// ```
/// use std::time::Duration;
/// use stream_core::processor::{AsyncOptions, AsyncOrder};
///
/// let options = AsyncOptions::new(100).with_order(AsyncOrder::Unordered).with_deadline(Duration::from_secs(2));
/// assert_eq!(options.in_flight(), 100);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AsyncOptions {
    in_flight: usize,
    order: AsyncOrder,
    deadline: Option<Duration>,
}

impl AsyncOptions {
    /// At most so many futures at a time in each task (0 is refused where the processor is added), results in order by key, and the default deadline.
    pub const fn new(in_flight: usize) -> Self {
        Self { in_flight, order: AsyncOrder::ByKey, deadline: None }
    }

    /// Results in this order.
    #[must_use]
    pub const fn with_order(mut self, order: AsyncOrder) -> Self {
        self.order = order;
        self
    }

    /// How long a record may wait for its result, from when it reaches the processor. Then its future is cancelled, and the processing
    /// handler decides about the record.
    ///
    /// A commit waits for all futures, so with exactly-once this is bounded by `transaction.timeout.ms`, less `commit.interval.ms`; the
    /// start of the application checks it. The default is half of what is left, shared by the async processors that follow one another.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// How many futures run at a time in each task.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// The order of the results.
    #[must_use]
    pub const fn order(&self) -> AsyncOrder {
        self.order
    }

    /// The deadline, when it is not the default.
    #[must_use]
    pub const fn deadline(&self) -> Option<Duration> {
        self.deadline
    }
}
