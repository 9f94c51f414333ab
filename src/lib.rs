#![doc = include_str!("../README.md")]

pub use stream_core as core;
pub use stream_dsl as dsl;
pub use stream_state as state;

pub mod prelude;

// The book's examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/src/introduction.md")]
mod book_introduction {}
#[cfg(doctest)]
#[doc = include_str!("../docs/src/concepts.md")]
mod book_concepts {}
#[cfg(doctest)]
#[doc = include_str!("../docs/src/time.md")]
mod book_time {}
#[cfg(doctest)]
#[doc = include_str!("../docs/src/operators.md")]
mod book_operators {}
#[cfg(doctest)]
#[doc = include_str!("../docs/src/joins.md")]
mod book_joins {}
#[cfg(doctest)]
#[doc = include_str!("../docs/src/processors.md")]
mod book_processors {}
#[cfg(doctest)]
#[doc = include_str!("../docs/src/async.md")]
mod book_async {}
#[cfg(doctest)]
#[doc = include_str!("../docs/src/stores.md")]
mod book_stores {}
#[cfg(doctest)]
#[doc = include_str!("../docs/src/errors.md")]
mod book_errors {}
#[cfg(doctest)]
#[doc = include_str!("../docs/src/testing.md")]
mod book_testing {}
