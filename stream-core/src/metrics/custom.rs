//! [`StreamsMetrics`]: the metrics that a program's own processors add.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::sensor::{Sensor, SensorKind};
use crate::error::{Error, Result};
use crate::id::TaskId;
use crate::time::{Clock, SystemClock};

/// The name of a metric, as Kafka's `MetricName`: equal names mean one metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct MetricName {
    /// `stream-<scope>-metrics`.
    pub group: String,
    /// For example `lookup-rate`.
    pub name: String,
    /// `task-id`, `<scope>-id`, and those that the program adds.
    pub tags: BTreeMap<String, String>,
}

impl fmt::Display for MetricName {
    /// As the object names of Java's management: `kafka.streams:type=<group>,<tag>=<value>,…:<name>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka.streams:type={}", self.group)?;
        self.tags.iter().try_for_each(|(tag, value)| write!(f, ",{tag}={value}"))?;
        write!(f, ":{}", self.name)
    }
}

/// The sensors of an application. They stay when tasks move or start again: counts go on.
pub(crate) struct MetricRegistry {
    clock: Arc<dyn Clock>,
    /// By operation; the names of the metrics follow from it and from the sensor.
    sensors: Mutex<BTreeMap<MetricName, Sensor>>,
}

impl MetricRegistry {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, sensors: Mutex::default() }
    }

    /// All metrics with their values now.
    pub(crate) fn read(&self) -> BTreeMap<MetricName, f64> {
        let sensors: Vec<(MetricName, Sensor)> = self
            .sensors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|(name, sensor)| (name.clone(), sensor.clone()))
            .collect();
        let of = |(operation, sensor): (MetricName, Sensor)| {
            let values = sensor.read();
            values
                .into_iter()
                .map(move |(suffix, value)| (MetricName { name: format!("{}{suffix}", operation.name), ..operation.clone() }, value))
        };
        sensors.into_iter().flat_map(of).collect()
    }
}

impl Default for MetricRegistry {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock::new()))
    }
}

/// Adds metrics to those of the application, from a processor's `init`. Mirrors Kafka Streams' `StreamsMetrics`.
///
/// Each sensor belongs to a *scope* (what kind of thing is measured), an *entity* (which one) and an *operation*. Its metrics are in the
/// group `stream-<scope>-metrics`, named `<operation>-total`, `<operation>-rate` and so on, with the tags `task-id` and `<scope>-id` (the entity)
/// beside the program's own. Where Kafka Streams tags with the thread, tags here name the task: tasks move between threads.
///
/// [`KafkaStreams::custom_metrics`](crate::app::KafkaStreams::custom_metrics) reads them. Rates, averages, extremes and quantiles are over the last 30
/// to 60 seconds.
///
/// ```
/// use stream_core::metrics::Sensor;
/// use stream_core::{BoxError, InitContext, Processor, ProcessorContext, Record};
///
/// /// Measures how large orders are.
/// #[derive(Default)]
/// struct Measure { sizes: Option<Sensor> }
///
/// impl Processor for Measure {
///     type KeyIn = String;
///     type ValueIn = i64;
///     type KeyOut = String;
///     type ValueOut = i64;
///
///     fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
///         self.sizes = Some(cx.metrics().add_histogram("shop", "orders", "amount", &[("currency", "EUR")])?);
///         Ok(())
///     }
///
///     fn process(&mut self, order: Record<String, i64>, cx: &mut ProcessorContext<'_, String, i64>) -> Result<(), BoxError> {
///         if let Some(sizes) = &self.sizes {
///             sizes.record(order.value as f64);
///         }
///         Ok(cx.forward(order)?)
///     }
/// }
/// ```
#[derive(Clone)]
pub struct StreamsMetrics {
    registry: Arc<MetricRegistry>,
    task: TaskId,
}

impl StreamsMetrics {
    pub(crate) fn new(registry: Arc<MetricRegistry>, task: TaskId) -> Self {
        Self { registry, task }
    }

    /// Counts events: `<operation>-total` and `<operation>-rate` (per second).
    ///
    /// # Errors
    /// When a name is empty, or the operation has a sensor of another kind.
    pub fn add_rate_total_sensor(&self, scope: &str, entity: &str, operation: &str, tags: &[(&str, &str)]) -> Result<Sensor> {
        self.add(SensorKind::RateTotal, scope, entity, operation, tags)
    }

    /// Measures durations: `<operation>-latency-avg`, `<operation>-latency-max`, `<operation>-rate` and `<operation>-total`.
    ///
    /// # Errors
    /// As [`add_rate_total_sensor`](Self::add_rate_total_sensor).
    pub fn add_latency_rate_total_sensor(&self, scope: &str, entity: &str, operation: &str, tags: &[(&str, &str)]) -> Result<Sensor> {
        self.add(SensorKind::LatencyRateTotal, scope, entity, operation, tags)
    }

    /// Measures values: `<operation>-avg`, `-max`, `-p50`, `-p95`, `-p99`, `-rate` and `-total`. Quantiles are right to 6 %.
    ///
    /// # Errors
    /// As [`add_rate_total_sensor`](Self::add_rate_total_sensor).
    pub fn add_histogram(&self, scope: &str, entity: &str, operation: &str, tags: &[(&str, &str)]) -> Result<Sensor> {
        self.add(SensorKind::Histogram, scope, entity, operation, tags)
    }

    /// Shows the value that was recorded last, as `<operation>`.
    ///
    /// # Errors
    /// As [`add_rate_total_sensor`](Self::add_rate_total_sensor).
    pub fn add_gauge(&self, scope: &str, entity: &str, operation: &str, tags: &[(&str, &str)]) -> Result<Sensor> {
        self.add(SensorKind::Gauge, scope, entity, operation, tags)
    }

    /// All metrics that processors of the application added, with their values now.
    pub fn read(&self) -> BTreeMap<MetricName, f64> {
        self.registry.read()
    }

    fn add(&self, kind: SensorKind, scope: &str, entity: &str, operation: &str, tags: &[(&str, &str)]) -> Result<Sensor> {
        for (what, name) in [("scope", scope), ("entity", entity), ("operation", operation)] {
            if name.is_empty() {
                return Err(Error::invalid(format!("a metric needs a {what}: `{scope}`, `{entity}`, `{operation}` has an empty one")));
            }
        }
        let mut all: BTreeMap<String, String> = tags.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect();
        all.insert("task-id".to_owned(), self.task.to_string());
        all.insert(format!("{scope}-id"), entity.to_owned());
        let name = MetricName { group: format!("stream-{scope}-metrics"), name: operation.to_owned(), tags: all };
        let mut sensors = self.registry.sensors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = sensors.get(&name) {
            if known.kind() != kind {
                return Err(Error::invalid(format!(
                    "the sensor {name} was added before as {:?}, and now as {kind:?}; give one of them another operation or other tags",
                    known.kind()
                )));
            }
            return Ok(known.clone());
        }
        let sensor = Sensor::new(kind, &self.registry.clock);
        sensors.insert(name, sensor.clone());
        Ok(sensor)
    }
}

impl fmt::Debug for StreamsMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamsMetrics").field("task", &self.task).finish_non_exhaustive()
    }
}
