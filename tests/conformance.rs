//! Cases of Kafka Streams 4.3.1, interpreted over the public API: `describe()` text, internal topics, branches, every record on every
//! topic, what `peek` saw, dropped records.

mod interpreter;

use std::collections::BTreeMap;

use interpreter::{Verdict, cases, judge};
use serde_json::Value;

#[test]
fn cases_of_kafka_streams_give_the_same_answers() {
    let (mut equal, mut differ, mut not_yet) = (0, Vec::new(), BTreeMap::<String, usize>::new());
    for case in cases::all() {
        match judge(&case.document) {
            Verdict::Equal => equal += 1,
            Verdict::Differs(differences) => differ.push(format!("{}: {}", case.name, differences.join("\n"))),
            Verdict::NotYet(reason) => *not_yet.entry(reason).or_default() += 1,
        }
    }
    let left_out: usize = not_yet.values().sum();
    println!("{} cases: {equal} equal, {} differ, {left_out} not yet", equal + differ.len() + left_out, differ.len());
    for (reason, count) in not_yet {
        println!("  {count} not yet: {reason}");
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
    let equal = cases::by_hand().into_iter().map(|case| case.document).filter(|case| matches!(judge(case), Verdict::Equal));
    for case in equal.filter(|case| case["expected"]["error"].is_null()).take(60) {
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
