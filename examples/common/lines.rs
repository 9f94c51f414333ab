//! Bytes as they are read, split into lines that fit into records.

use std::io::{BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use super::BoxError;

/// A longer line becomes several records: brokers and clients take about a million bytes, with what stands around them.
pub const MAX_RECORD_BYTES: usize = 900_000;

/// A reader, and the line of which the end is not read yet.
pub struct Lines<R> {
    reader: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Begins where the reader stands.
    pub fn new(reader: R) -> Self {
        Self { reader, line: Vec::new() }
    }

    /// Reads to the present end or until `stop`, and sends each line that is complete. Returns how many bytes were read.
    pub fn read(&mut self, stop: &AtomicBool, send: &mut impl FnMut(&[u8]) -> Result<(), BoxError>) -> Result<u64, BoxError> {
        let mut bytes = 0;
        while !stop.load(Ordering::Relaxed) {
            let room = MAX_RECORD_BYTES.saturating_sub(self.line.len()) as u64;
            let read = self.reader.by_ref().take(room).read_until(b'\n', &mut self.line)?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            if self.line.ends_with(b"\n") {
                send(without_line_end(&self.line))?;
                self.line.clear();
            } else if self.line.len() >= MAX_RECORD_BYTES {
                let whole = whole_characters(&self.line);
                send(&self.line[..whole])?;
                self.line.drain(..whole);
            }
        }
        Ok(bytes)
    }

    /// Sends what is read of a line that will get no end.
    pub fn end(&mut self, send: &mut impl FnMut(&[u8]) -> Result<(), BoxError>) -> Result<(), BoxError> {
        if !self.line.is_empty() {
            send(without_line_end(&self.line))?;
            self.line.clear();
        }
        Ok(())
    }

    pub fn reader(&self) -> &R {
        &self.reader
    }

    pub fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }
}

/// A text in parts that each fit into a record and end with a whole character. Invalid bytes have grown to three on their way to text.
pub fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        if text.len() <= MAX_RECORD_BYTES {
            return Some(text);
        }
        let cut = (0..=MAX_RECORD_BYTES).rev().find(|cut| text.is_char_boundary(*cut)).unwrap_or(MAX_RECORD_BYTES);
        let (part, behind) = text.split_at(cut);
        rest = Some(behind);
        Some(part)
    })
}

/// How many of these bytes come before a character at their end that is not complete yet.
fn whole_characters(bytes: &[u8]) -> usize {
    let begins = |back: &usize| bytes.get(bytes.len() - back).is_some_and(|byte| byte & 0b1100_0000 == 0b1100_0000);
    match (1..=3.min(bytes.len())).find(begins) {
        // How many ones it begins with is how many bytes the character has.
        Some(back) if bytes.get(bytes.len() - back).is_some_and(|first| first.leading_ones() as usize > back) => bytes.len() - back,
        _ => bytes.len(),
    }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut lines, mut sent) = (Lines::new(bytes), Vec::new());
        let mut send = |line: &[u8]| {
            sent.push(line.to_vec());
            Ok(())
        };
        lines.read(&AtomicBool::new(false), &mut send).expect("bytes can be read");
        lines.end(&mut send).expect("a line can be kept");
        sent
    }

    #[test]
    fn lines_end_at_line_ends_of_either_kind_and_at_the_end() {
        assert_eq!(lines_of(b"a\r\n\nb\nc"), [&b"a"[..], b"", b"b", b"c"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters_and_loses_nothing() {
        let text = format!("a{}", "é€😀".repeat(300_000));
        let sent = lines_of(format!("{text}\nnext\n").as_bytes());
        assert_eq!(sent.last().map(Vec::as_slice), Some(&b"next"[..]));
        let long: Vec<&str> = sent[..sent.len() - 1].iter().map(|line| std::str::from_utf8(line).expect("whole characters")).collect();
        assert!(long.iter().all(|line| line.len() <= MAX_RECORD_BYTES));
        assert_eq!(long.concat(), text);
    }

    #[test]
    fn invalid_bytes_are_cut_after_they_have_grown() {
        let sent = lines_of(&[0xff; 2_000_000]);
        assert!(sent.iter().all(|line| line.len() <= MAX_RECORD_BYTES));
        let texts: Vec<String> = sent.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let parts: Vec<&str> = texts.iter().flat_map(|text| parts(text)).collect();
        assert!(parts.iter().all(|part| part.len() <= MAX_RECORD_BYTES && !part.is_empty()));
        assert_eq!(parts.concat(), "\u{fffd}".repeat(2_000_000));
        assert_eq!(super::parts("").collect::<Vec<_>>(), [""], "an empty line is a record");
    }
}
