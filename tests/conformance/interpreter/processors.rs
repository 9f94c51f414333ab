//! The processors of the catalogue.

use std::marker::PhantomData;
use std::time::Duration;

use kstreams::core::processor::{
    FixedKeyContext, FixedKeyProcessor, FixedKeyRecord, InitContext, Processor, ProcessorContext, PunctuationId, PunctuationType,
};
use kstreams::core::record::RecordMetadata;
use kstreams::core::{BoxError, Headers, Record};
use serde_json::Value;

use super::datum::{Datum, Nullable, Type, Visible, of_text, text};
use super::program::{Done, out};
use super::stores::Store;

/// What a `processor` says.
#[derive(Clone, Debug)]
pub struct Spec(Value);

/// A record on its way, without its key.
type Sent = (Nullable, i64, Headers);

/// What is known about the moment.
struct Moment {
    source: Option<RecordMetadata>,
    stream_time: i64,
    system_time: i64,
}

impl Moment {
    fn shown(&self, timestamp: i64) -> String {
        let (topic, offset) = self.source.as_ref().map_or(("null", -1), |source| (&*source.topic, source.offset));
        format!("{topic}/{offset} ts={timestamp} stream={} wall={}", self.stream_time, self.system_time)
    }
}

impl Spec {
    /// # Errors
    /// When the catalogue has no such processor.
    pub fn new(spec: &Value) -> Done<Self> {
        const KINDS: &[&str] = &[
            "forward",
            "drop",
            "twice",
            "forward-to",
            "dedup",
            "count",
            "count-timestamped",
            "table-put",
            "buffer",
            "tick",
            "add-header",
            "set-timestamp",
            "show-context",
            "fail-on",
            "forward-then-fail",
            "store-get",
            "kv-op",
            "versioned-op",
            "window-op",
            "session-op",
        ];
        let this = Self(spec.clone());
        if KINDS.contains(&this.kind()) { Ok(this) } else { out(format_args!("processor {}", this.kind())) }
    }

    /// With the size of the windows of its store, if that was declared.
    pub fn among(mut self, statements: &[Value]) -> Self {
        let declared = statements.iter().map(|statement| &statement["store"]).find(|store| store["name"] == self.0["store"]);
        if let Some(size) = declared.map(|store| store["window-ms"].clone()) {
            self.0["window-ms"] = size;
        }
        self
    }

    fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap_or_default()
    }

    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    /// The types of what it forwards.
    pub fn types(&self, key: Type, value: Type) -> (Type, Type) {
        match self.kind() {
            "count" | "count-timestamped" => (key, Type::Long),
            "show-context" | "store-get" | "kv-op" | "versioned-op" | "window-op" | "session-op" => (key, Type::Text),
            _ => (key, value),
        }
    }

    fn open(&self, cx: &InitContext<'_>) -> Result<Option<Store>, BoxError> {
        Ok(self.0["store"].as_str().map(|name| Store::open(cx, name)).transpose()?)
    }

    fn schedule(&self, cx: &mut InitContext<'_>) {
        if matches!(self.kind(), "tick" | "buffer") {
            let every = Duration::from_millis(self.0["every-ms"].as_u64().unwrap_or(1));
            let kind = if self.text("time") == "wall" { PunctuationType::WallClockTime } else { PunctuationType::StreamTime };
            match self.0["start-ms"].as_i64() {
                Some(start) => cx.schedule_from(start, every, kind),
                None => cx.schedule(every, kind),
            };
        }
    }

    /// The record after `add-header`.
    fn with_header(&self, mut headers: Headers) -> Headers {
        headers.add(self.text("header"), self.0["value"].as_str().map(str::as_bytes));
        headers
    }

    /// What those kinds forward that also exist with a fixed key.
    fn respond(&self, store: Option<&Store>, key: &Nullable, sent: Sent, moment: &Moment) -> Result<Vec<Sent>, BoxError> {
        let (value, timestamp, headers) = sent;
        let store = || store.ok_or("a processor without its store");
        Ok(match self.kind() {
            "forward" => vec![(value, timestamp, headers)],
            "drop" => Vec::new(),
            "twice" => vec![(value.clone(), timestamp, headers.clone()), (value, timestamp, headers)],
            "dedup" => {
                if let Some(key) = key {
                    let known = store()?.get(key)?;
                    if known.is_some() && known == value {
                        return Ok(Vec::new());
                    }
                    store()?.put(key, value.clone(), timestamp)?;
                }
                vec![(value, timestamp, headers)]
            }
            "count" | "count-timestamped" => {
                let Some(key) = key else { return Ok(Vec::new()) };
                let row = store()?.row(key)?;
                let count = match &row {
                    Some((Datum::Long(count), _)) => count + 1,
                    _ => 1,
                };
                let stored_at = row.and_then(|(_, at)| at).map_or(timestamp, |at| at.max(timestamp));
                store()?.put(key, Some(Datum::Long(count)), stored_at)?;
                vec![(Some(Datum::Long(count)), timestamp, headers)]
            }
            "add-header" => vec![(value, timestamp, self.with_header(headers))],
            "set-timestamp" => vec![(value, timestamp + self.0["plus-ms"].as_i64().unwrap_or(0), headers)],
            "show-context" => vec![(of_text(format!("{} {}", text(&value), moment.shown(timestamp))), timestamp, headers)],
            "fail-on" => {
                if value.is_some() && text(&value) == self.text("text") {
                    return Err(format!("boom: {}", self.text("text")).into());
                }
                vec![(value, timestamp, headers)]
            }
            "store-get" => {
                let row = key.as_ref().map_or_else(|| Ok("null".to_owned()), |key| store()?.shown(key).map_err(BoxError::from))?;
                vec![(of_text(format!("{}|{row}", text(&value))), timestamp, headers)]
            }
            other => return Err(format!("no processor {other}").into()),
        })
    }
}

/// A processor of the catalogue, over streams of any types.
pub struct CaseProcessor<K, V> {
    spec: Spec,
    store: Option<Store>,
    calls: i64,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> CaseProcessor<K, V> {
    pub fn new(spec: Spec) -> Self {
        Self { spec, store: None, calls: 0, types: PhantomData }
    }

    fn store(&self) -> Result<&Store, BoxError> {
        self.store.as_ref().ok_or_else(|| "a processor without its store".into())
    }
}

impl<K: Visible, V: Visible> Processor for CaseProcessor<K, V> {
    type KeyIn = K;
    type ValueIn = V;
    type KeyOut = Nullable;
    type ValueOut = Nullable;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = self.spec.open(cx)?;
        self.spec.schedule(cx);
        Ok(())
    }

    fn process(&mut self, record: Record<K, V>, cx: &mut ProcessorContext<'_, Nullable, Nullable>) -> Result<(), BoxError> {
        let (key, value) = (record.key.datum(), record.value.datum());
        let Record { timestamp, headers, .. } = record;
        let whole = |key: Nullable, value: Nullable, headers: Headers| Record { key, value, timestamp, headers };
        match self.spec.kind() {
            "forward-to" => cx.forward_to(self.spec.text("child"), whole(key, value, headers))?,
            "tick" => cx.forward(whole(key, value, headers))?,
            "forward-then-fail" => {
                let fails = text(&value) == self.spec.text("text");
                cx.forward(whole(key, value, headers))?;
                if fails {
                    return Err(format!("boom: {}", self.spec.text("text")).into());
                }
            }
            "table-put" | "buffer" => {
                if let Some(key) = key {
                    self.store()?.put(&key, value, timestamp)?;
                }
            }
            "kv-op" | "versioned-op" | "window-op" | "session-op" => {
                let (Some(on), command) = (&key, text(&value)) else { return Err("a command without a key".into()) };
                let result = self.store()?.command(&command, on, timestamp, self.spec.0["window-ms"].as_i64().unwrap_or(0))?;
                cx.forward(whole(key, of_text(result), headers))?;
            }
            _ => {
                let moment = Moment {
                    source: cx.record_metadata(),
                    stream_time: cx.current_stream_time_ms(),
                    system_time: cx.current_system_time_ms(),
                };
                for (value, timestamp, headers) in self.spec.respond(self.store.as_ref(), &key, (value, timestamp, headers), &moment)? {
                    cx.forward(Record { key: key.clone(), value, timestamp, headers })?;
                }
            }
        }
        Ok(())
    }

    fn punctuate(&mut self, id: PunctuationId, timestamp: i64, cx: &mut ProcessorContext<'_, Nullable, Nullable>) -> Result<(), BoxError> {
        self.calls += 1;
        if self.spec.0["stop-after"].as_i64() == Some(self.calls) {
            cx.cancel(id);
        }
        let headers = Headers::new();
        if self.spec.kind() == "tick" {
            let moment =
                Moment { source: cx.record_metadata(), stream_time: cx.current_stream_time_ms(), system_time: cx.current_system_time_ms() };
            let value = format!("at={timestamp} n={} {}", self.calls, moment.shown(timestamp));
            return Ok(cx.forward(Record { key: of_text("tick"), value: of_text(value), timestamp, headers })?);
        }
        let store = self.store()?;
        for (key, (value, _)) in store.rows(false)? {
            cx.forward(Record { key: Some(key.clone()), value: Some(value), timestamp, headers: headers.clone() })?;
            if self.spec.0["clear"] == true {
                store.put(&key, None, timestamp)?;
            }
        }
        Ok(())
    }
}

/// The same with a fixed key.
pub struct CaseFixedKeyProcessor<K, V> {
    spec: Spec,
    store: Option<Store>,
    types: PhantomData<fn(K, V)>,
}

impl<K, V> CaseFixedKeyProcessor<K, V> {
    pub fn new(spec: Spec) -> Self {
        Self { spec, store: None, types: PhantomData }
    }
}

impl<K: Visible, V: Visible> FixedKeyProcessor for CaseFixedKeyProcessor<K, V> {
    type Key = K;
    type ValueIn = V;
    type ValueOut = Nullable;

    fn init(&mut self, cx: &mut InitContext<'_>) -> Result<(), BoxError> {
        self.store = self.spec.open(cx)?;
        Ok(())
    }

    fn process(&mut self, record: FixedKeyRecord<K, V>, cx: &mut FixedKeyContext<'_, '_, K, Nullable>) -> Result<(), BoxError> {
        let moment =
            Moment { source: cx.record_metadata(), stream_time: cx.current_stream_time_ms(), system_time: cx.current_system_time_ms() };
        let sent = (record.value().datum(), record.timestamp(), record.headers().clone());
        for (value, timestamp, headers) in self.spec.respond(self.store.as_ref(), &record.key().datum(), sent, &moment)? {
            cx.forward(record.clone().with_value(value).with_timestamp(timestamp).with_headers(headers))?;
        }
        Ok(())
    }
}
