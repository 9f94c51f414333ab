//! The input: the same records, bit for bit, in every implementation of the benchmark.

/// Records without draws for their time: 2023-11-14, ms.
const T0: i64 = 1_700_000_000_000;
const WORDS: u64 = 10_000;
/// Words in a line.
pub const WORDS_PER_LINE: u64 = 10;

/// A generated topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Keys out of 100 000, values of 100 letters.
    KeyValues,
    /// Keys out of 10 000, values of 100 letters.
    FewKeys,
    /// Lines of ten words.
    Lines,
}

impl Input {
    /// The topic's name for workloads of size `n`.
    pub fn topic(self, n: u64) -> String {
        match self {
            Self::KeyValues => format!("bench-kv100k-{n}"),
            Self::FewKeys => format!("bench-kv10k-{n}"),
            Self::Lines => format!("bench-lines-{n}"),
        }
    }

    /// How many records the topic holds.
    pub const fn records(self, n: u64) -> u64 {
        match self {
            Self::KeyValues | Self::FewKeys => n,
            Self::Lines => n / WORDS_PER_LINE,
        }
    }

    const fn seed(self) -> u64 {
        match self {
            Self::KeyValues => 1,
            Self::FewKeys => 3,
            Self::Lines => 6,
        }
    }
}

/// Gives the records of a topic, in order.
pub struct Generator {
    input: Input,
    state: u64,
    index: u64,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Generator {
    /// From the first record on.
    pub fn new(input: Input) -> Self {
        Self { input, state: input.seed(), index: 0, key: Vec::new(), value: Vec::new() }
    }

    /// The next record: key, value, timestamp (ms).
    pub fn next_record(&mut self) -> (&[u8], &[u8], i64) {
        match self.input {
            Input::KeyValues | Input::FewKeys => {
                let keys = if self.input == Input::FewKeys { 10_000 } else { 100_000 };
                let key = self.draw() % keys;
                write_number(&mut self.key, b'k', 6, key);
                self.value.clear();
                for _ in 0..10 {
                    let mut rest = self.draw();
                    for _ in 0..10 {
                        self.value.push(b'a' + digit(rest, 26));
                        rest /= 26;
                    }
                }
            }
            Input::Lines => {
                write_number(&mut self.key, b'l', 7, self.index);
                self.value.clear();
                for position in 0..WORDS_PER_LINE {
                    if position > 0 {
                        self.value.push(b' ');
                    }
                    // The smaller of two draws: low numbers are frequent words.
                    let word = (self.draw() % WORDS).min(self.draw() % WORDS);
                    append_number(&mut self.value, b'w', 5, word);
                }
            }
        }
        let timestamp = T0 + self.index.cast_signed();
        self.index += 1;
        (&self.key, &self.value, timestamp)
    }

    /// A number of 63 bits (SplitMix64, shifted).
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) >> 1
    }
}

fn write_number(out: &mut Vec<u8>, letter: u8, width: usize, number: u64) {
    out.clear();
    append_number(out, letter, width, number);
}

fn append_number(out: &mut Vec<u8>, letter: u8, width: usize, mut number: u64) {
    out.push(letter);
    let start = out.len();
    out.resize(start + width, b'0');
    for place in out[start..].iter_mut().rev() {
        *place = b'0' + digit(number, 10);
        number /= 10;
    }
}

fn digit(number: u64, base: u8) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "less than `base`")]
    let digit = (number % u64::from(base)) as u8;
    digit
}
