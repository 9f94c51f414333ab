//! Names of stores, typed by what a processor gets for them.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// The name of a store together with the type of its handle `H`, so that looking it up needs no type annotation.
pub struct StoreName<H> {
    name: Cow<'static, str>,
    handle: PhantomData<fn() -> H>,
}

impl<H> StoreName<H> {
    /// A name that is known when the program is written.
    pub const fn new(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), handle: PhantomData }
    }

    /// A name that is made when the program runs.
    pub fn from_string(name: impl Into<String>) -> Self {
        Self { name: Cow::Owned(name.into()), handle: PhantomData }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl<H> Clone for StoreName<H> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), handle: PhantomData }
    }
}

impl<H> fmt::Debug for StoreName<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreName({:?}: {})", self.name, std::any::type_name::<H>())
    }
}
