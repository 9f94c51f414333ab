//! Text for word counts, and counts made without the library.

use std::collections::BTreeMap;

use unicode_segmentation::UnicodeSegmentation;

/// The true counts of a text.
pub fn count_words<'a>(lines: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for line in lines {
        for word in line.unicode_words() {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
    }
    counts
}

/// Makes lines of words: the same ones for the same seed.
pub struct Vocabulary {
    words: u64,
    per_line: u32,
    state: u64,
}

impl Vocabulary {
    pub fn new(words: u64, per_line: u32, seed: u64) -> Self {
        Self { words, per_line, state: seed }
    }

    /// splitmix64: small, and good enough to spread words.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next line.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        for index in 0..self.per_line {
            if index > 0 {
                line.push(' ');
            }
            // The smaller of two: some words are frequent, as in a language.
            let word = (self.draw() % self.words).min(self.draw() % self.words);
            line.push_str(&format!("w{word}"));
        }
        line
    }
}

impl Iterator for Vocabulary {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        Some(self.line())
    }
}
