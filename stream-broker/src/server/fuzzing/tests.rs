//! Frames of real clients, damaged at random. `STREAM_BROKER_FUZZ_INPUTS` says how many; a failure names the input, which is all that is needed
//! to see it again.

use std::fs;
use std::path::Path;

use kafka_protocol::messages::RequestHeader;
use kafka_protocol::protocol::Encodable;

use super::FuzzTarget;
use crate::api::SUPPORTED;
use crate::core::Ids;

const SHORT: u64 = 100_000;

/// Topics and groups that the frames make would fill the memory in the end; then there is a new broker.
const FRAMES_PER_BROKER: u64 = 5_000;

/// What the process may grow by, all threads and all inputs together. A length that is believed asks for more at once.
const MOST_GROWTH_KB: u64 = 3 << 20;

/// Frames that librdkafka, kcat and kafka-python have sent, and, for every served version of every API, empty ones.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/request");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 50, "the corpus is there");
    let mut frames: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    for &(api, min, max) in SUPPORTED {
        for version in min..=max {
            let mut header = bytes::BytesMut::new();
            RequestHeader::default()
                .with_request_api_key(api as i16)
                .with_request_api_version(version)
                .encode(&mut header, api.request_header_version(version))
                .unwrap();
            for filling in [0, 1] {
                frames.push([&header[..], &[filling; 64]].concat());
            }
        }
    }
    frames
}

struct Mutator {
    chance: Ids,
    corpus: Vec<Vec<u8>>,
}

impl Mutator {
    fn below(&mut self, limit: usize) -> usize {
        (self.chance.next() % limit.max(1) as u64) as usize
    }

    fn pick(&mut self) -> Vec<u8> {
        let index = self.below(self.corpus.len());
        self.corpus[index].clone()
    }

    /// A frame with one to eight damages.
    fn next(&mut self) -> Vec<u8> {
        let mut frame = self.pick();
        for _ in 0..=self.below(8) {
            self.damage(&mut frame);
        }
        frame
    }

    fn damage(&mut self, frame: &mut Vec<u8>) {
        const NUMBERS: [i64; 12] = [0, 1, -1, -2, 127, 128, 0x7fff, 0x8000, i32::MAX as i64, i32::MIN as i64, i64::MAX, i64::MIN];
        if frame.is_empty() {
            frame.push(self.below(256) as u8);
        }
        let at = self.below(frame.len());
        match self.below(10) {
            0 => frame[at] ^= 1 << self.below(8),
            1 => frame[at] = self.below(256) as u8,
            2 => frame.truncate(at),
            3 => {
                let more = self.below(40);
                let byte = self.below(256) as u8;
                frame.splice(at..at, std::iter::repeat_n(byte, more));
            }
            4 => {
                let end = (at + 1 + self.below(16)).min(frame.len());
                frame.drain(at..end);
            }
            5..=7 => {
                let bytes = NUMBERS[self.below(NUMBERS.len())].to_be_bytes();
                let width = [1, 2, 4, 8][self.below(4)];
                for (place, byte) in frame[at..].iter_mut().zip(&bytes[8 - width..]) {
                    *place = *byte;
                }
            }
            // The end of another frame.
            8 => {
                let other = self.pick();
                let from = self.below(other.len());
                frame.truncate(at);
                frame.extend_from_slice(&other[from..]);
            }
            // The same bytes as another version of another API.
            _ => {
                let (api, min, max) = SUPPORTED[self.below(SUPPORTED.len())];
                let version = min + self.below((max - min + 2) as usize) as i16;
                let api = if self.below(2) == 0 { frame.first_chunk::<2>().map_or(0, |key| i16::from_be_bytes(*key)) } else { api as i16 };
                for (place, byte) in frame.iter_mut().zip(api.to_be_bytes().into_iter().chain(version.to_be_bytes())) {
                    *place = byte;
                }
            }
        }
    }
}

/// The most address space that the process had so far: memory that is only reserved counts.
fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

#[test]
fn damaged_requests_harm_nobody_but_their_sender() {
    let inputs = std::env::var("STREAM_BROKER_FUZZ_INPUTS").ok().and_then(|inputs| inputs.parse().ok()).unwrap_or(SHORT);
    let mut mutator = Mutator { chance: Ids::new(1), corpus: corpus() };
    let whole = mutator.corpus.clone();
    let mut broker = FuzzTarget::default();
    for frame in &whole {
        broker.frame(frame).unwrap_or_else(|failure| panic!("{failure}: {frame:?}"));
    }
    let before = peak_kb();
    let mut read = 0_u64;
    for input in 0..inputs {
        if input % FRAMES_PER_BROKER == 0 {
            broker = FuzzTarget::default();
        }
        let frame = mutator.next();
        match broker.frame(&frame) {
            Ok(request) => read += u64::from(request),
            Err(failure) => panic!("input {input}: {failure}: {frame:?}"),
        }
    }
    assert!(read > inputs / 20, "of {inputs} inputs only {read} came through the decoder");
    println!("{inputs} inputs, {read} of them requests");
    let growth = peak_kb().saturating_sub(before);
    assert!(growth < MOST_GROWTH_KB, "the process grew by {growth} kB");
}

#[test]
fn the_corpus_holds_real_requests() {
    let mut broker = FuzzTarget::default();
    let frames = corpus();
    let kinds: std::collections::BTreeSet<i16> = frames
        .iter()
        .filter(|frame| broker.frame(frame) == Ok(true))
        .map(|frame| i16::from_be_bytes(*frame.first_chunk().unwrap()))
        .collect();
    let missing: Vec<_> = SUPPORTED.iter().filter(|(api, ..)| !kinds.contains(&(*api as i16))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
