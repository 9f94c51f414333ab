//! What a case says that Kafka Streams did, as bytes.

use kstreams::core::Headers;
use kstreams::core::record::OwnedRecord;
use serde_json::Value;

pub type Bytes = Option<Vec<u8>>;

/// A record without its offset.
#[derive(Clone, Debug)]
pub struct Produced {
    pub topic: String,
    pub key: Bytes,
    pub value: Bytes,
    /// None where Kafka Streams leaves it to the producer: the buffers of `suppress` log so.
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, Header)>,
}

impl PartialEq for Produced {
    fn eq(&self, other: &Self) -> bool {
        let same_time = self.timestamp.is_none() || other.timestamp.is_none() || self.timestamp == other.timestamp;
        let parts = |record: &Self| (record.topic.clone(), record.key.clone(), record.value.clone());
        same_time && parts(self) == parts(other) && self.headers == other.headers
    }
}

/// A header's value in a case.
#[derive(Clone, Debug)]
pub enum Header {
    Bytes(Bytes),
    /// `"*"`: any value.
    Any,
    /// The class of an exception: only its kind counts.
    Exception(String),
}

impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Bytes(one), Self::Bytes(two)) => one == two,
            (Self::Exception(one), Self::Exception(two)) => exception_kind(one) == exception_kind(two),
            _ => false,
        }
    }
}

/// The header of a dead letter that names the exception.
pub const EXCEPTION_HEADER: &str = "__streams.errors.exception";

/// Java's class, or our word for it, as one of few kinds.
fn exception_kind(class: &str) -> &str {
    let name = class.rsplit(['.', '$', ':']).next().unwrap_or(class);
    match name {
        "SerializationException" | "SerdeError" => "serialization",
        "UserFailure" | "StreamsException" | "User" => "processing",
        other => other,
    }
}

/// The bytes of a key or value: text as UTF-8, numbers as 8 bytes, `{"hex"}` raw. An error for anything else.
pub fn bytes(value: &Value) -> Result<Bytes, String> {
    Ok(match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone().into_bytes()),
        Value::Number(number) => Some(number.as_i64().ok_or_else(|| format!("{number} is not a long"))?.to_be_bytes().to_vec()),
        other => {
            let hex =
                other["hex"].as_str().filter(|hex| hex.is_ascii() && hex.len() % 2 == 0).ok_or_else(|| format!("{other} is no value"))?;
            let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16));
            Some(bytes.collect::<Result<_, _>>().map_err(|_| format!("{hex} is not hex"))?)
        }
    })
}

pub fn number(value: &Value) -> Result<i64, String> {
    value.as_i64().ok_or_else(|| format!("{value} is not a number"))
}

/// The headers of a record that is piped.
pub fn headers(value: &Value) -> Result<Headers, String> {
    let mut headers = Headers::new();
    for header in value.as_array().into_iter().flatten() {
        headers.add(header[0].as_str().ok_or("a header without a name")?, bytes(&header[1])?.as_deref());
    }
    Ok(headers)
}

impl Produced {
    /// A record of an expected step.
    pub fn wanted(record: &Value) -> Result<Self, String> {
        let header = |header: &Value| -> Result<(String, Header), String> {
            let name = header[0].as_str().ok_or("a header without a name")?.to_owned();
            let value = match &header[1] {
                Value::String(text) if text == "*" => Header::Any,
                Value::String(class) if name == EXCEPTION_HEADER => Header::Exception(class.clone()),
                other => Header::Bytes(bytes(other)?),
            };
            Ok((name, value))
        };
        Ok(Self {
            topic: record["topic"].as_str().ok_or("a record without a topic")?.to_owned(),
            key: bytes(&record["key"])?,
            value: bytes(&record["value"])?,
            timestamp: if record["ts"].is_null() { None } else { Some(number(&record["ts"])?) },
            headers: record["headers"].as_array().into_iter().flatten().map(header).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&OwnedRecord> for Produced {
    fn from(record: &OwnedRecord) -> Self {
        let header = |header: &kstreams::core::record::Header| {
            let value = header.value.as_deref().map(<[u8]>::to_vec);
            let value = match &value {
                Some(bytes) if &*header.key == EXCEPTION_HEADER => Header::Exception(String::from_utf8_lossy(bytes).into_owned()),
                _ => Header::Bytes(value),
            };
            (header.key.to_string(), value)
        };
        Self {
            topic: record.topic.to_string(),
            key: record.key.clone(),
            value: record.value.clone(),
            timestamp: Some(record.timestamp),
            headers: record.headers.iter().map(header).collect(),
        }
    }
}

/// Bytes as a reader of a difference wants them: text where they are text, long where they are eight bytes, else hex.
pub fn readable(bytes: &Bytes) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    if !bytes.is_empty() && bytes.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return format!("{:?}", String::from_utf8_lossy(bytes));
    }
    match <[u8; 8]>::try_from(bytes.as_slice()) {
        Ok(long) => i64::from_be_bytes(long).to_string(),
        Err(_) => format!("0x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

impl std::fmt::Display for Produced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = self.timestamp.map_or_else(|| "any time".to_owned(), |timestamp| timestamp.to_string());
        write!(f, "{}: {} = {} @{time}", self.topic, readable(&self.key), readable(&self.value))?;
        for (name, value) in &self.headers {
            match value {
                Header::Bytes(bytes) => write!(f, " [{name}: {}]", readable(bytes))?,
                Header::Any => write!(f, " [{name}: *]")?,
                Header::Exception(class) => write!(f, " [{name}: {class}]")?,
            }
        }
        Ok(())
    }
}
