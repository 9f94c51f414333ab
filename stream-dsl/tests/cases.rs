//! Cases of Kafka Streams 4.3.1, interpreted over the public API: `describe()` text, internal topics, branches, every record on every
//! topic, what `peek` saw, dropped records.

mod interpreter;

use std::collections::BTreeMap;
use std::path::Path;

use interpreter::{Verdict, judge};
use serde_json::Value;

/// Those of this crate, or the lines of the file that `KSTREAMS_DSL_CASES` names.
fn cases() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/kafka-streams-4.3.1.jsonl");
    let file = std::env::var_os("KSTREAMS_DSL_CASES").map_or(file, Into::into);
    let lines = std::fs::read_to_string(&file).expect("the cases");
    lines.lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

#[test]
fn cases_of_kafka_streams_give_the_same_answers() {
    let (mut equal, mut differ, mut out_of_scope) = (0, Vec::new(), BTreeMap::<String, usize>::new());
    for case in cases() {
        match judge(&case) {
            Verdict::Equal => equal += 1,
            Verdict::Differs(differences) => differ.push(format!("{}: {}", case["name"], differences.join("\n"))),
            Verdict::OutOfScope(reason) => *out_of_scope.entry(reason).or_default() += 1,
        }
    }
    let left_out: usize = out_of_scope.values().sum();
    println!("{} cases: {equal} equal, {} differ, {left_out} out of scope", equal + differ.len() + left_out, differ.len());
    for (reason, count) in out_of_scope {
        println!("  {count} out of scope: {reason}");
    }
    assert!(differ.is_empty(), "{}", differ.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn a_changed_answer_is_noticed() {
    let change = |value: &mut Value| {
        *value = match value {
            Value::Number(number) => Value::from(number.as_i64().unwrap_or(0) + 1),
            _ => Value::from("something else"),
        };
    };
    for case in cases().iter().filter(|case| case["expected"]["error"].is_null()).take(60) {
        let steps = case["expected"]["steps"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(step) = steps.iter().position(|step| step["records"].as_array().is_some_and(|records| !records.is_empty())) else {
            continue;
        };
        // The last record: an earlier one of a changelog may count for nothing.
        let last = steps[step]["records"].as_array().map_or(0, |records| records.len() - 1);
        for path in ["key", "value", "ts", "topic"] {
            let mut mutant = case.clone();
            change(&mut mutant["expected"]["steps"][step]["records"][last][path]);
            assert!(matches!(judge(&mutant), Verdict::Differs(_)), "{}: a changed {path} of step {step} was not noticed", case["name"]);
        }
        let mut mutant = case.clone();
        change(&mut mutant["expected"]["dropped"]);
        assert!(matches!(judge(&mutant), Verdict::Differs(_)), "{}: a changed count of dropped records was not noticed", case["name"]);
        change(&mut mutant["expected"]["describe"][2]);
        assert!(matches!(judge(&mutant), Verdict::Differs(_)), "{}: a changed describe was not noticed", case["name"]);
    }
}
