//! Interprets cases over the public API, and compares with what Kafka Streams did.

pub mod cases;
pub mod compare;
mod datum;
pub mod exceptions;
pub mod expected;
mod extractors;
mod functions;
mod joins;
pub mod known_differences;
pub mod mutations;
mod processors;
pub mod program;
pub mod run;
mod store_commands;
pub mod store_rows;
mod stores;
mod streams;
mod tables;
mod topology;
mod windows;

use serde_json::Value;

use run::{Mode, run};

/// What came of a case.
pub enum Verdict {
    Equal,
    /// Readable differences.
    Differs(Vec<String>),
    /// Why it cannot be said here, by the list of exceptions.
    Inexpressible(&'static str),
    /// What of the API is not there yet, or not interpreted yet.
    NotYet(String),
}

/// Runs a case and compares.
pub fn judge(case: &Value, mode: Mode) -> Verdict {
    if let Some(reason) = case["name"].as_str().and_then(exceptions::reason) {
        return Verdict::Inexpressible(reason);
    }
    match run(case, mode) {
        Err(reason) => Verdict::NotYet(reason),
        Ok(mut finished) => {
            let differences = compare::differences(case, &finished.observed);
            if differences.is_empty() {
                return Verdict::Equal;
            }
            if let Some(reason) = exceptions::reason_for_headers(case) {
                let mut case = case.clone();
                compare::forget_headers(&mut case, &mut finished.observed);
                if compare::differences(&case, &finished.observed).is_empty() {
                    return Verdict::Inexpressible(reason);
                }
            }
            Verdict::Differs(differences)
        }
    }
}
