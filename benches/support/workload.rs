//! What is run: workloads, guarantees and their sizes.

use super::generator::Input;
use super::{BenchResult, number_from};

/// A topology over a generated topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Workload {
    /// Filter and change values, without state.
    Pipe,
    /// Count by key, with the record cache.
    Count,
    /// Count by key; every update goes out.
    CountNoCache,
    /// Count by key and minute.
    Window,
    /// Split lines, group by word through a repartition topic, count.
    WordCount,
}

impl Workload {
    /// All, in the order in which they run.
    pub const ALL: [Self; 5] = [Self::Pipe, Self::Count, Self::CountNoCache, Self::Window, Self::WordCount];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Count => "count",
            Self::CountNoCache => "count-nocache",
            Self::Window => "window",
            Self::WordCount => "wordcount",
        }
    }

    /// The workload of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// What it reads.
    pub const fn input(self) -> Input {
        match self {
            Self::Pipe | Self::Count | Self::CountNoCache => Input::KeyValues,
            Self::Window => Input::FewKeys,
            Self::WordCount => Input::Lines,
        }
    }

    /// How its output is summed up.
    pub const fn summing(self) -> Summing {
        match self {
            Self::Pipe | Self::CountNoCache => Summing::All,
            Self::Count | Self::Window | Self::WordCount => Summing::Last,
        }
    }

    /// Whether the guarantees are also compared at equal commit intervals.
    pub const fn compares_guarantees(self) -> bool {
        matches!(self, Self::Pipe | Self::CountNoCache)
    }

    /// What the output must sum up to, where it is known.
    pub fn expected_checksum(self, scale: f64) -> Option<&'static str> {
        const FULL: [&str; 5] = [
            "all:1769146:5072ea7fa9185b13",
            "last:100000:df2a4877060e6824",
            "all:2000000:47c6e59d496d6482",
            "last:338823:755e26b31bde569d",
            "last:9976:f4696ea02c299fee",
        ];
        const TWENTIETH: [&str; 5] = [
            "all:88332:f22885b6626dfef7",
            "last:63183:b231eac38a8edae9",
            "all:100000:c86e99ec1164919e",
            "last:19775:a0fa26725a59be8b",
            "last:9483:eb9acf15d41dd6b5",
        ];
        match scale {
            1.0 => Some(FULL[self as usize]),
            0.05 => Some(TWENTIETH[self as usize]),
            _ => None,
        }
    }
}

/// Which of a topic's records are summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summing {
    /// All.
    All,
    /// The last of each key: caches and commits decide how many others there are.
    Last,
}

/// A processing guarantee and its commit interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// `at_least_once`, with the default interval of 30 s.
    AtLeastOnce,
    /// `exactly_once_v2`, with the default interval of 100 ms.
    ExactlyOnce,
    /// `at_least_once`, committing as often as exactly-once does.
    AtLeastOnce100,
}

impl Mode {
    /// All, in the order in which they run.
    pub const ALL: [Self; 3] = [Self::AtLeastOnce, Self::ExactlyOnce, Self::AtLeastOnce100];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "alos",
            Self::ExactlyOnce => "eos",
            Self::AtLeastOnce100 => "alos100",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// Whether it writes in transactions.
    pub const fn is_exactly_once(self) -> bool {
        matches!(self, Self::ExactlyOnce)
    }

    /// How often it commits, ms.
    pub const fn commit_interval_ms(self) -> u64 {
        match self {
            Self::AtLeastOnce => 30_000,
            Self::ExactlyOnce | Self::AtLeastOnce100 => 100,
        }
    }
}

/// `BENCH_SCALE`.
pub fn scale() -> BenchResult<f64> {
    number_from("BENCH_SCALE", 1.0)
}

/// The size N of the workloads.
pub fn size() -> BenchResult<u64> {
    let records = (2_000_000.0 * scale()?).round();
    if !(1_000.0..=1e9).contains(&records) {
        return Err(format!("BENCH_SCALE gives {records} records; it shall be between 0.0005 and 500").into());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let records = records as u64;
    Ok(records)
}
