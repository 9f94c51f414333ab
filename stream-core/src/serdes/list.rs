//! [`List`]: lists of what another serde reads, in the bytes of Kafka's `ListSerde` (KIP-466).
//!
//! ```text
//! entries of any length:  1 │ count (4) │ (size (4), -1 for null │ entry)*
//! entries of one length:  0 │ nulls (4) │ (index of a null (4))* │ count (4) │ (entry)*     nulls have no bytes
//! ```

use std::sync::Arc;

use super::{Serde, SerdeContext, SerdeError, SerdeRef};

const FIXED_SIZE: u8 = 0;
const VARIABLE_SIZE: u8 = 1;

/// Lists. Made by [`Serdes::list`](super::Serdes::list) and [`Serdes::list_of_fixed_size`](super::Serdes::list_of_fixed_size).
pub struct List<T> {
    entries: SerdeRef<T>,
    /// The length of each entry, when it is the same for all.
    size: Option<usize>,
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self { entries: Arc::clone(&self.entries), size: self.size }
    }
}

impl<T: 'static> List<T> {
    /// Lists of entries of any length.
    pub fn of(entries: SerdeRef<T>) -> Self {
        Self { entries, size: None }
    }

    /// Lists of entries of `size` bytes each, as numbers are.
    pub fn of_fixed_size(entries: SerdeRef<T>, size: usize) -> Self {
        Self { entries, size: Some(size) }
    }

    /// Adds an entry to the bytes of a list without reading the others; no bytes are the empty list. Only for entries of any length.
    ///
    /// # Errors
    /// When the entry cannot be written, or the bytes are not those of such a list.
    pub fn append(&self, entry: &T, list: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        if list.is_empty() {
            list.extend_from_slice(&[VARIABLE_SIZE, 0, 0, 0, 0]);
        }
        let count = list.get_mut(1..5).and_then(|count| <&mut [u8; 4]>::try_from(count).ok());
        let (Some(count), None) = (count, self.size) else {
            return Err(SerdeError::bad("an entry can be added to a list only if its entries may have any length"));
        };
        let more = i32::from_be_bytes(*count).checked_add(1).ok_or_else(too_large)?;
        *count = more.to_be_bytes();
        self.write_entry(entry, list, cx)
    }

    /// The entry with its size before it.
    fn write_entry(&self, entry: &T, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        let at = out.len();
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        if self.entries.is_null(entry) {
            return Ok(());
        }
        self.entries.serialize(entry, out, cx)?;
        let size = int(out.len() - at - 4)?;
        out[at..at + 4].copy_from_slice(&size.to_be_bytes());
        Ok(())
    }

    fn write_fixed(&self, size: usize, list: &[T], out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        let nulls: Vec<usize> = (0..list.len()).filter(|index| self.entries.is_null(&list[*index])).collect();
        for number in std::iter::once(&nulls.len()).chain(&nulls).chain([&list.len()]) {
            out.extend_from_slice(&int(*number)?.to_be_bytes());
        }
        for entry in list.iter().filter(|entry| !self.entries.is_null(entry)) {
            let at = out.len();
            self.entries.serialize(entry, out, cx)?;
            if out.len() - at != size {
                return Err(SerdeError::bad(format!(
                    "an entry of the list has {} bytes, but its serde was said to write {size}; use `Serdes::list`",
                    out.len() - at
                )));
            }
        }
        Ok(())
    }
}

impl<T: 'static> Serde<Vec<T>> for List<T> {
    fn serialize(&self, list: &Vec<T>, out: &mut Vec<u8>, cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        if let Some(size) = self.size {
            out.push(FIXED_SIZE);
            return self.write_fixed(size, list, out, cx);
        }
        out.push(VARIABLE_SIZE);
        out.extend_from_slice(&int(list.len())?.to_be_bytes());
        list.iter().try_for_each(|entry| self.write_entry(entry, out, cx))
    }

    fn deserialize(&self, bytes: &[u8], cx: &SerdeContext<'_>) -> Result<Vec<T>, SerdeError> {
        let mut reader = Reader { rest: bytes, all: bytes.len() };
        let fixed = match (reader.take(1)?, self.size) {
            ([FIXED_SIZE], Some(size)) => Some(size),
            ([VARIABLE_SIZE], _) => None,
            ([FIXED_SIZE], None) => {
                return Err(SerdeError::bad(
                    "the list has entries of one length, and nobody said which; read it with `Serdes::list_of_fixed_size`",
                ));
            }
            _ => return Err(reader.malformed()),
        };
        let mut nulls = std::collections::BTreeSet::new();
        if fixed.is_some() {
            for _ in 0..reader.count()? {
                nulls.insert(reader.count()?);
            }
        }
        let count = reader.count()?;
        // Not as many as the bytes claim to be: they may be anything.
        let mut list = Vec::with_capacity(count.min(reader.rest.len()));
        for index in 0..count {
            let size = match fixed {
                Some(size) => (!nulls.contains(&index)).then_some(size),
                None => reader.size()?,
            };
            list.push(match size {
                Some(size) => self.entries.deserialize(reader.take(size)?, cx)?,
                None => self.entries.deserialize_null(cx)?,
            });
        }
        if reader.rest.is_empty() { Ok(list) } else { Err(reader.malformed()) }
    }
}

impl<T> std::fmt::Debug for List<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("List").field("size", &self.size).finish_non_exhaustive()
    }
}

struct Reader<'b> {
    rest: &'b [u8],
    all: usize,
}

impl<'b> Reader<'b> {
    fn take(&mut self, size: usize) -> Result<&'b [u8], SerdeError> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or_else(|| self.malformed())?;
        self.rest = rest;
        Ok(taken)
    }

    /// A size; `None` is -1.
    fn size(&mut self) -> Result<Option<usize>, SerdeError> {
        let (number, rest) = self.rest.split_first_chunk::<4>().ok_or_else(|| self.malformed())?;
        self.rest = rest;
        match i32::from_be_bytes(*number) {
            -1 => Ok(None),
            size => usize::try_from(size).map(Some).map_err(|_| self.malformed()),
        }
    }

    fn count(&mut self) -> Result<usize, SerdeError> {
        self.size()?.ok_or_else(|| self.malformed())
    }

    #[cold]
    fn malformed(&self) -> SerdeError {
        SerdeError::bad(format!("{} bytes are not a list", self.all))
    }
}

fn int(number: usize) -> Result<i32, SerdeError> {
    i32::try_from(number).map_err(|_| too_large())
}

#[cold]
fn too_large() -> SerdeError {
    SerdeError::bad("a list of 2 GiB or more cannot be written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Headers;
    use crate::serdes::{Role, Serdes};

    fn context(headers: &Headers) -> SerdeContext<'_> {
        SerdeContext { topic: "t", headers, role: Role::Value }
    }

    fn bytes<T: 'static>(serde: &List<T>, list: &Vec<T>) -> Vec<u8> {
        let mut bytes = Vec::new();
        serde.serialize(list, &mut bytes, &context(&Headers::new())).expect("bytes");
        bytes
    }

    #[test]
    fn lists_have_kafka_s_bytes_and_are_read_back() {
        let headers = Headers::new();
        let texts = List::of(Serdes::nullable(Serdes::string()));
        let list = vec![Some("ab".to_owned()), None, Some(String::new())];
        let written = bytes(&texts, &list);
        assert_eq!(written, [1, 0, 0, 0, 3, 0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255, 0, 0, 0, 0]);
        assert_eq!(texts.deserialize(&written, &context(&headers)).expect("a list"), list);

        let numbers = List::of_fixed_size(Serdes::nullable(Serdes::short()), 2);
        let list = vec![Some(258), None, Some(1)];
        let written = bytes(&numbers, &list);
        assert_eq!(written, [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 0, 1]);
        assert_eq!(numbers.deserialize(&written, &context(&headers)).expect("a list"), list);
    }

    #[test]
    fn an_entry_that_is_added_is_the_last_of_the_list() {
        let (texts, headers) = (List::of(Serdes::string()), Headers::new());
        let mut added = Vec::new();
        for entry in ["a", "", "ccc"] {
            texts.append(&entry.to_owned(), &mut added, &context(&headers)).expect("added");
        }
        assert_eq!(added, bytes(&texts, &["a", "", "ccc"].map(str::to_owned).to_vec()));
        let numbers = List::of_fixed_size(Serdes::long(), 8);
        assert!(numbers.append(&1, &mut bytes(&numbers, &vec![1]), &context(&headers)).is_err());
    }

    #[test]
    fn bytes_of_something_else_are_a_bad_record_and_no_panic() {
        let (texts, numbers, headers) = (List::of(Serdes::string()), List::of_fixed_size(Serdes::long(), 8), Headers::new());
        let whole = bytes(&texts, &vec!["ab".to_owned(), "c".to_owned()]);
        for end in 0..whole.len() {
            assert!(texts.deserialize(&whole[..end], &context(&headers)).is_err(), "cut off at {end}");
        }
        for bad in [&[2][..], &[1, 255, 255, 255, 255], &[1, 0, 0, 0, 0, 7], &[0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 127, 255, 255, 255]] {
            assert!(texts.deserialize(bad, &context(&headers)).is_err(), "{bad:?}");
        }
        assert!(texts.deserialize(&bytes(&texts, &vec![]), &context(&headers)).is_ok_and(|list| list.is_empty()));
        assert!(numbers.deserialize(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 0], &context(&headers)).is_err());
        let wrong = List::of_fixed_size(Serdes::string(), 8);
        assert!(wrong.serialize(&vec!["short".to_owned()], &mut Vec::new(), &context(&headers)).is_err());
    }
}
