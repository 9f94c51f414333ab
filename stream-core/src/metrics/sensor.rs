//! [`Sensor`]: what a program measures, as Kafka's metrics do.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::time::Clock;

/// `metrics.sample.window.ms` and `metrics.num.samples` of Kafka, by default: rates, averages and extremes are over the last two windows.
const WINDOW: Duration = Duration::from_secs(30);
const SAMPLES: usize = 2;

/// What a sensor tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SensorKind {
    /// Total and rate.
    RateTotal,
    /// Average, largest, rate and total.
    LatencyRateTotal,
    /// Average, largest, quantiles, rate and total.
    Histogram,
    /// The value that was recorded last.
    Gauge,
}

/// Takes the values of one measured thing. Cheap to clone; any thread may record, such as one that runs futures.
#[derive(Clone)]
pub struct Sensor(Arc<SensorState>);

pub(super) struct SensorState {
    pub(super) kind: SensorKind,
    clock: Arc<dyn Clock>,
    recorded: Mutex<Recorded>,
}

#[derive(Default)]
struct Recorded {
    last: f64,
    total: u64,
    /// Oldest first.
    samples: VecDeque<Sample>,
}

/// What was recorded within one window.
struct Sample {
    since: Duration,
    count: u64,
    sum: f64,
    largest: f64,
    buckets: BTreeMap<u16, u64>,
}

impl Sensor {
    pub(super) fn new(kind: SensorKind, clock: &Arc<dyn Clock>) -> Self {
        Self(Arc::new(SensorState { kind, clock: Arc::clone(clock), recorded: Mutex::default() }))
    }

    /// Notes one event: for a sensor of totals and rates.
    pub fn increment(&self) {
        self.record(1.0);
    }

    /// Notes a value: a latency, a size, the state of a gauge. Each call counts as one event.
    pub fn record(&self, value: f64) {
        let now = self.0.clock.monotonic();
        let mut recorded = self.0.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.last = value;
        recorded.total += 1;
        if self.0.kind == SensorKind::Gauge {
            return;
        }
        recorded.forget_before(now);
        if recorded.samples.back().is_none_or(|sample| now.saturating_sub(sample.since) >= WINDOW) {
            if recorded.samples.len() == SAMPLES {
                recorded.samples.pop_front();
            }
            recorded.samples.push_back(Sample { since: now, count: 0, sum: 0.0, largest: f64::NEG_INFINITY, buckets: BTreeMap::new() });
        }
        let has_buckets = self.0.kind == SensorKind::Histogram;
        if let Some(sample) = recorded.samples.back_mut() {
            sample.count += 1;
            sample.sum += value;
            sample.largest = sample.largest.max(value);
            if has_buckets {
                *sample.buckets.entry(bucket_of(value)).or_insert(0) += 1;
            }
        }
    }

    /// Notes a duration, in milliseconds and fractions of them.
    pub fn record_duration(&self, duration: Duration) {
        self.record(duration.as_secs_f64() * 1_000.0);
    }

    pub(super) fn kind(&self) -> SensorKind {
        self.0.kind
    }

    /// Suffixes of metric names with their values now.
    pub(super) fn read(&self) -> Vec<(&'static str, f64)> {
        let now = self.0.clock.monotonic();
        let mut recorded = self.0.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.forget_before(now);
        let (rate, total) = (("-rate", recorded.rate(now)), ("-total", recorded.total as f64));
        match self.0.kind {
            SensorKind::Gauge => vec![("", recorded.last)],
            SensorKind::RateTotal => vec![rate, total],
            SensorKind::LatencyRateTotal => {
                vec![("-latency-avg", recorded.average()), ("-latency-max", recorded.largest()), rate, total]
            }
            SensorKind::Histogram => {
                let quantiles = [("-p50", 0.5), ("-p95", 0.95), ("-p99", 0.99)].map(|(name, share)| (name, recorded.quantile(share)));
                let mut values = vec![("-avg", recorded.average()), ("-max", recorded.largest())];
                values.extend(quantiles);
                values.extend([rate, total]);
                values
            }
        }
    }
}

impl std::fmt::Debug for Sensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sensor").field("kind", &self.0.kind).finish_non_exhaustive()
    }
}

impl Recorded {
    /// Drops windows that ended too long ago.
    fn forget_before(&mut self, now: Duration) {
        while self.samples.front().is_some_and(|sample| now.saturating_sub(sample.since) >= WINDOW * SAMPLES as u32) {
            self.samples.pop_front();
        }
    }

    fn count(&self) -> u64 {
        self.samples.iter().map(|sample| sample.count).sum()
    }

    /// Events per second. As in Kafka, time is not counted below all windows but one: what has just begun is no burst.
    fn rate(&self, now: Duration) -> f64 {
        let elapsed = self.samples.front().map_or(Duration::ZERO, |sample| now.saturating_sub(sample.since));
        self.count() as f64 / elapsed.max(WINDOW * (SAMPLES as u32 - 1)).as_secs_f64()
    }

    /// Not a number while nothing was recorded, as in Kafka.
    fn average(&self) -> f64 {
        self.samples.iter().map(|sample| sample.sum).sum::<f64>() / self.count() as f64
    }

    fn largest(&self) -> f64 {
        self.samples.iter().map(|sample| sample.largest).reduce(f64::max).unwrap_or(f64::NAN)
    }

    fn quantile(&self, share: f64) -> f64 {
        let mut buckets: BTreeMap<u16, u64> = BTreeMap::new();
        for (bucket, count) in self.samples.iter().flat_map(|sample| &sample.buckets) {
            *buckets.entry(*bucket).or_insert(0) += count;
        }
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in buckets {
            seen += count;
            if seen >= wanted {
                return value_of(bucket).min(self.largest());
            }
        }
        f64::NAN
    }
}

/// Sign, exponent and four bits of the fraction: buckets of 6 %, in the order of their values. Below zero is zero.
fn bucket_of(value: f64) -> u16 {
    (value.max(0.0).to_bits() >> 48) as u16
}

/// The middle of a bucket.
fn value_of(bucket: u16) -> f64 {
    if bucket == 0 { 0.0 } else { f64::from_bits(u64::from(bucket) << 48 | 1 << 47) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    fn read(sensor: &Sensor, suffix: &str) -> f64 {
        sensor.read().into_iter().find(|(name, _)| *name == suffix).expect("a metric of that name").1
    }

    #[test]
    fn rates_averages_and_extremes_are_over_the_last_two_windows_and_totals_over_all() {
        let clock = Arc::new(ManualClock::new(0));
        let sensor = Sensor::new(SensorKind::LatencyRateTotal, &(Arc::clone(&clock) as Arc<dyn Clock>));
        assert!(read(&sensor, "-latency-avg").is_nan() && read(&sensor, "-latency-max").is_nan());
        for _ in 0..60 {
            sensor.record(4.0);
        }
        assert_eq!(read(&sensor, "-rate"), 2.0, "60 events in what counts as 30 s");
        clock.advance(30_000);
        sensor.record(64.0 + 1.0);
        assert_eq!((read(&sensor, "-latency-avg"), read(&sensor, "-latency-max")), (5.0, 65.0));
        clock.advance(30_000);
        assert_eq!((read(&sensor, "-latency-avg"), read(&sensor, "-rate")), (65.0, 1.0 / 30.0));
        clock.advance(60_000);
        assert_eq!((read(&sensor, "-rate"), read(&sensor, "-total")), (0.0, 61.0));
        assert!(read(&sensor, "-latency-max").is_nan());
    }

    #[test]
    fn quantiles_are_right_to_a_few_percent() {
        let sensor = Sensor::new(SensorKind::Histogram, &(Arc::new(ManualClock::new(0)) as Arc<dyn Clock>));
        for value in 1..=1_000 {
            sensor.record(f64::from(value));
        }
        for (suffix, expected) in [("-p50", 500.0), ("-p95", 950.0), ("-p99", 990.0)] {
            let found = read(&sensor, suffix);
            assert!((found / expected - 1.0).abs() < 0.05, "{suffix}: {found} for {expected}");
        }
        assert_eq!(read(&sensor, "-max"), 1_000.0);
    }
}
