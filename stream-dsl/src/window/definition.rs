//! [`WindowDefinition`]: what groupings can be windowed by.

use std::sync::Arc;

use super::{SessionWindows, SlidingWindows, Windows};
use crate::grouped::{
    CogroupedKStream, KGroupedStream, SessionWindowedCogroupedKStream, SessionWindowedKStream, TimeWindowedCogroupedKStream,
    TimeWindowedKStream, TimeWindowing,
};

/// Windows by which a grouping can be aggregated: [`TimeWindows`](super::TimeWindows), [`UnlimitedWindows`](super::UnlimitedWindows),
/// [`SlidingWindows`], [`SessionWindows`], and everything that implements [`Windows`]. What a windowed grouping offers depends on them: an
/// aggregation over sessions needs to know how two sessions become one.
pub trait WindowDefinition: sealed::Sealed {
    /// A grouped stream in these windows.
    type Grouped<K, V>;
    /// Cogrouped streams in these windows.
    type Cogrouped<K, A>;

    #[doc(hidden)]
    fn grouped<K: Clone + 'static, V: Clone + 'static>(self, grouped: KGroupedStream<K, V>) -> Self::Grouped<K, V>;

    #[doc(hidden)]
    fn cogrouped<K: Clone + 'static, A: Clone + 'static>(self, cogrouped: CogroupedKStream<K, A>) -> Self::Cogrouped<K, A>;
}

mod sealed {
    pub trait Sealed {}
    impl<W: super::Windows> Sealed for W {}
    impl Sealed for super::SlidingWindows {}
    impl Sealed for super::SessionWindows {}
}

impl<W: Windows> WindowDefinition for W {
    type Grouped<K, V> = TimeWindowedKStream<K, V>;
    type Cogrouped<K, A> = TimeWindowedCogroupedKStream<K, A>;

    fn grouped<K: Clone + 'static, V: Clone + 'static>(self, grouped: KGroupedStream<K, V>) -> TimeWindowedKStream<K, V> {
        TimeWindowedKStream::new(grouped, TimeWindowing::Aligned(Arc::new(self)))
    }

    fn cogrouped<K: Clone + 'static, A: Clone + 'static>(self, cogrouped: CogroupedKStream<K, A>) -> TimeWindowedCogroupedKStream<K, A> {
        TimeWindowedCogroupedKStream::new(cogrouped, TimeWindowing::Aligned(Arc::new(self)))
    }
}

impl WindowDefinition for SlidingWindows {
    type Grouped<K, V> = TimeWindowedKStream<K, V>;
    type Cogrouped<K, A> = TimeWindowedCogroupedKStream<K, A>;

    fn grouped<K: Clone + 'static, V: Clone + 'static>(self, grouped: KGroupedStream<K, V>) -> TimeWindowedKStream<K, V> {
        TimeWindowedKStream::new(grouped, TimeWindowing::Sliding(self))
    }

    fn cogrouped<K: Clone + 'static, A: Clone + 'static>(self, cogrouped: CogroupedKStream<K, A>) -> TimeWindowedCogroupedKStream<K, A> {
        TimeWindowedCogroupedKStream::new(cogrouped, TimeWindowing::Sliding(self))
    }
}

impl WindowDefinition for SessionWindows {
    type Grouped<K, V> = SessionWindowedKStream<K, V>;
    type Cogrouped<K, A> = SessionWindowedCogroupedKStream<K, A>;

    fn grouped<K: Clone + 'static, V: Clone + 'static>(self, grouped: KGroupedStream<K, V>) -> SessionWindowedKStream<K, V> {
        SessionWindowedKStream::new(grouped, self)
    }

    fn cogrouped<K: Clone + 'static, A: Clone + 'static>(self, cogrouped: CogroupedKStream<K, A>) -> SessionWindowedCogroupedKStream<K, A> {
        SessionWindowedCogroupedKStream::new(cogrouped, self)
    }
}
