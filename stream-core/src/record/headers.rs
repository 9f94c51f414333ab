//! Record headers, shared until changed.

use std::sync::Arc;

/// One header: a name and a value that may be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name; the same name may occur several times.
    pub key: Arc<str>,
    /// The value's bytes; `None` is Kafka's null.
    pub value: Option<Arc<[u8]>>,
}

/// The headers of a record, in order.
///
/// Cloning shares them; the first change copies. So a node that adds a header never alters the record of a sibling
/// (in Kafka Streams it does, because headers are shared and mutable there).
///
/// ```
/// use stream_core::Headers;
/// let mut headers = Headers::new();
/// headers.add("trace", Some(b"42"));
/// let shared = headers.clone();
/// headers.remove("trace");
/// assert_eq!(shared.last("trace"), Some(Some(&b"42"[..])));
/// assert!(headers.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Vec<Header>>>);

impl Headers {
    /// No headers; allocates nothing.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Appends a header, also when the name exists already.
    pub fn add(&mut self, key: impl Into<Arc<str>>, value: Option<&[u8]>) {
        let header = Header { key: key.into(), value: value.map(Arc::from) };
        Arc::make_mut(self.0.get_or_insert_with(Arc::default)).push(header);
    }

    /// Removes every header of that name.
    pub fn remove(&mut self, key: &str) {
        if let Some(headers) = &mut self.0 {
            if headers.iter().any(|header| &*header.key == key) {
                Arc::make_mut(headers).retain(|header| &*header.key != key);
            }
        }
        if self.0.as_ref().is_some_and(|headers| headers.is_empty()) {
            self.0 = None;
        }
    }

    /// The value of the last header of that name: `None` without one, `Some(None)` for a null value.
    pub fn last(&self, key: &str) -> Option<Option<&[u8]>> {
        self.iter().rev().find(|header| &*header.key == key).map(|header| header.value.as_deref())
    }

    /// All headers, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.as_ref().map_or(&[][..], |headers| headers.as_slice()).iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |headers| headers.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        let headers: Vec<Header> = headers.into_iter().collect();
        Self((!headers.is_empty()).then(|| Arc::new(headers)))
    }
}
