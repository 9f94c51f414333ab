//! Keys and values of cases: text, numbers and windowed keys.

use std::sync::Arc;

use kstreams::core::serdes::{Serde, SerdeContext, SerdeError, SerdeRef};
use kstreams::dsl::Windowed;
use serde_json::Value;

/// A key or value that is not null.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    Text(String),
    Long(i64),
    Window(Box<Windowed<Datum>>),
}

/// A key or value.
pub type Nullable = Option<Datum>;

/// The type of keys or values of a stream or table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    Long,
}

impl Type {
    pub fn of(value: &Value) -> Self {
        if value == "long" { Self::Long } else { Self::Text }
    }

    pub fn serde(self) -> SerdeRef<Datum> {
        Arc::new(self)
    }

    pub fn nullable(self) -> SerdeRef<Nullable> {
        kstreams::core::serdes::Nullable::over(self.serde())
    }
}

impl Serde<Datum> for Type {
    fn serialize(&self, value: &Datum, out: &mut Vec<u8>, _cx: &SerdeContext<'_>) -> Result<(), SerdeError> {
        match (self, value) {
            (Self::Text, Datum::Text(text)) => out.extend_from_slice(text.as_bytes()),
            (Self::Long, Datum::Long(number)) => out.extend_from_slice(&number.to_be_bytes()),
            (_, other) => return Err(SerdeError::bad(format!("{other:?} is not of type {self:?}"))),
        }
        Ok(())
    }

    fn deserialize(&self, bytes: &[u8], _cx: &SerdeContext<'_>) -> Result<Datum, SerdeError> {
        match self {
            // As Java: bytes that are not UTF-8 are replaced.
            Self::Text => Ok(Datum::Text(String::from_utf8_lossy(bytes).into_owned())),
            Self::Long => {
                let bytes: [u8; 8] = bytes.try_into().map_err(|_| SerdeError::bad("a number has 8 bytes"))?;
                Ok(Datum::Long(i64::from_be_bytes(bytes)))
            }
        }
    }
}

/// What the functions of a case see of a key or value.
pub trait Visible: Clone + 'static {
    fn datum(&self) -> Nullable;
}

impl Visible for Datum {
    fn datum(&self) -> Nullable {
        Some(self.clone())
    }
}

impl Visible for Windowed<Datum> {
    fn datum(&self) -> Nullable {
        Some(Datum::Window(Box::new(self.clone())))
    }
}

impl Visible for i64 {
    fn datum(&self) -> Nullable {
        Some(Datum::Long(*self))
    }
}

impl<T: Visible> Visible for Option<T> {
    fn datum(&self) -> Nullable {
        self.as_ref().and_then(T::datum)
    }
}

/// The text form of a key or value.
pub fn text(datum: &Nullable) -> String {
    match datum {
        None => "null".to_owned(),
        Some(Datum::Text(text)) => text.clone(),
        Some(Datum::Long(number)) => number.to_string(),
        Some(Datum::Window(windowed)) => {
            format!("{}@{}/{}", text(&Some(windowed.key.clone())), windowed.window.start_ms(), windowed.window.end_ms())
        }
    }
}

pub fn of_text(text: impl Into<String>) -> Nullable {
    Some(Datum::Text(text.into()))
}

/// How a case shows what `peek` saw.
pub fn shown(datum: &Nullable) -> Value {
    match datum {
        None => Value::Null,
        Some(Datum::Long(number)) => Value::from(*number),
        other => Value::from(text(other)),
    }
}
