//! Changes of an expected answer, each of which a comparison must notice.

use serde_json::Value;

use super::compare::{is_changelog, is_internal, retention_ms};
use super::expected::EXCEPTION_HEADER;

/// One change, by JSON pointers below the case.
#[derive(Debug)]
pub enum Mutation {
    Replace(String, Value),
    Remove(String, usize),
    Insert(String, usize, Value),
    /// Two neighbours of an array.
    Swap(String, usize),
}

impl Mutation {
    /// Changes the case, and gives what changes it back.
    pub fn apply(&self, case: &mut Value) -> Self {
        let mut array = |at: &str| case.pointer_mut(at).and_then(Value::as_array_mut).map(std::mem::take).expect("an array");
        match self {
            Self::Replace(at, value) => {
                let before = std::mem::replace(case.pointer_mut(at).expect("a value"), value.clone());
                Self::Replace(at.clone(), before)
            }
            Self::Remove(at, index) => {
                let mut rows = array(at);
                let removed = rows.remove(*index);
                *case.pointer_mut(at).expect("an array") = Value::Array(rows);
                Self::Insert(at.clone(), *index, removed)
            }
            Self::Insert(at, index, value) => {
                let mut rows = array(at);
                rows.insert(*index, value.clone());
                *case.pointer_mut(at).expect("an array") = Value::Array(rows);
                Self::Remove(at.clone(), *index)
            }
            Self::Swap(at, index) => {
                let mut rows = array(at);
                rows.swap(*index, index + 1);
                *case.pointer_mut(at).expect("an array") = Value::Array(rows);
                Self::Swap(at.clone(), *index)
            }
        }
    }
}

/// Another value of the same kind.
fn other(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_i64().map_or(0, |number| number.wrapping_add(1))),
        Value::String(text) => Value::from(format!("x{text}")),
        Value::Bool(is) => Value::Bool(!is),
        Value::Object(object) if object.contains_key("hex") => {
            serde_json::json!({"hex": format!("5a{}", value["hex"].as_str().unwrap_or_default())})
        }
        _ => Value::from("x"),
    }
}

/// Every change that must be noticed.
pub fn of(case: &Value) -> Vec<Mutation> {
    let mut mutations = Mutations { case, found: Vec::new() };
    for field in ["/describe", "/branches", "/internal-topics", "/copartition"] {
        mutations.leaves(&format!("/expected{field}"));
    }
    for index in 0..case["expected"]["steps"].as_array().map_or(0, Vec::len) {
        mutations.leaves(&format!("/expected/steps/{index}/seen"));
        mutations.records(index);
    }
    if case["expected"]["error"].is_null() {
        mutations.leaves("/expected/dropped");
        for index in 0..case["expected"]["stores"].as_array().map_or(0, Vec::len) {
            mutations.store(index);
        }
    } else {
        mutations.leaves("/expected/error/at");
        let mut class = "/expected/error".to_owned();
        while case.pointer(&format!("{class}/cause")).is_some_and(Value::is_object) {
            class.push_str("/cause");
        }
        mutations.leaves(&format!("{class}/class"));
    }
    mutations.found
}

/// Whether a store keeps the time of its rows: not one from a supplier of plain values.
fn keeps_time(case: &Value, store: &Value) -> bool {
    let statements = case["topology"].as_array().into_iter().flatten();
    let plain = |statement: &Value| {
        let materialized = &statement["materialized"];
        materialized["name"] == store["name"] && materialized["store"].is_string() && materialized["store"] != "persistent-timestamped"
    };
    store["kind"] != "key-value" || !statements.into_iter().any(plain)
}

struct Mutations<'a> {
    case: &'a Value,
    found: Vec<Mutation>,
}

impl Mutations<'_> {
    /// Changes each value below a place that is neither an object nor an array.
    fn leaves(&mut self, at: &str) {
        match self.case.pointer(at) {
            None => {}
            Some(Value::Array(values)) => (0..values.len()).for_each(|index| self.leaves(&format!("{at}/{index}"))),
            Some(Value::Object(values)) if !values.contains_key("hex") => {
                values.keys().for_each(|name| self.leaves(&format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))));
            }
            Some(value) => self.found.push(Mutation::Replace(at.to_owned(), other(value))),
        }
    }

    fn records(&mut self, step: usize) {
        let at = format!("/expected/steps/{step}/records");
        let records = self.case.pointer(&at).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let failed = self.case["expected"]["error"]["at"] == format!("step {step}");
        let topic = |index: usize| records[index]["topic"].as_str().unwrap_or_default();
        // Where the comparison is free: a change that the same step changes again, and changes that no commit logged.
        let is_free = |index: usize| {
            let again = |later: &Value| ["topic", "key"].iter().all(|field| later[*field] == records[index][*field]);
            is_changelog(topic(index)) && (failed || records[index + 1..].iter().any(again))
        };
        for (index, record) in records.iter().enumerate().filter(|(index, _)| !is_free(*index)) {
            for field in ["topic", "key", "value", "ts"] {
                self.leaves(&format!("{at}/{index}/{field}"));
            }
            let headers = record["headers"].as_array().map_or(&[][..], Vec::as_slice);
            for (number, header) in headers.iter().enumerate() {
                self.leaves(&format!("{at}/{index}/headers/{number}/0"));
                if header[1] != "*" && header[0] != EXCEPTION_HEADER {
                    self.leaves(&format!("{at}/{index}/headers/{number}/1"));
                }
                if headers.get(number + 1).is_some_and(|next| next != header) {
                    self.found.push(Mutation::Swap(format!("{at}/{index}/headers"), number));
                }
            }
            // The same change, made before in this step, stands for it.
            if !is_changelog(topic(index)) || !records[..index].contains(record) {
                self.found.push(Mutation::Remove(at.clone(), index));
            }
            self.found.push(Mutation::Insert(at.clone(), index, record.clone()));
            if is_changelog(topic(index)) {
                // The same change twice is the change.
                self.found.pop();
            }
            let Some(next) = records.get(index + 1).filter(|next| *next != record && !is_free(index + 1)) else { continue };
            let unordered = record["ts"].is_null() || next["ts"].is_null();
            let ordered = topic(index) == topic(index + 1) && !unordered || !is_internal(topic(index)) && !is_internal(topic(index + 1));
            if ordered && (next["key"] != record["key"] || !is_changelog(topic(index))) {
                self.found.push(Mutation::Swap(at.clone(), index));
            }
        }
    }

    fn store(&mut self, index: usize) {
        let at = format!("/expected/stores/{index}");
        let store = &self.case["expected"]["stores"][index];
        for field in ["name", "kind", "size"] {
            self.leaves(&format!("{at}/{field}"));
        }
        let rows = store["entries"].as_array().map_or(&[][..], Vec::as_slice);
        let time = |entry: &Value| entry[if store["kind"] == "session" { "end" } else { "start" }].as_i64().unwrap_or(0);
        let latest = rows.iter().map(time).max().unwrap_or(0);
        // Rows beyond the retention may be missing, and the latest row decides which these are.
        let kept = |entry: &Value| retention_ms(self.case, store).is_none_or(|retention| time(entry) > latest - retention);
        let decides = |entry: &Value| time(entry) == latest && retention_ms(self.case, store).is_some();
        for (row, entry) in rows.iter().enumerate().filter(|(_, entry)| kept(entry)) {
            for field in entry.as_object().into_iter().flat_map(|entry| entry.keys()) {
                // The end of a window is not part of its row; a store of plain values keeps no time.
                if (store["kind"] != "window" || field != "end") && (field != "ts" || keeps_time(self.case, store)) {
                    self.leaves(&format!("{at}/entries/{row}/{field}"));
                }
            }
            if !decides(entry) {
                self.found.push(Mutation::Remove(format!("{at}/entries"), row));
            }
            if store["kind"] == "key-value" && row + 1 < rows.len() {
                self.found.push(Mutation::Swap(format!("{at}/entries"), row));
            }
        }
    }
}
