//! Cases of Kafka Streams 4.3.1, interpreted over the public API: `describe()` text, internal topics, branches, every record on every
//! topic, what `peek` saw, dropped records.

mod interpreter;

use std::collections::BTreeMap;
use std::path::Path;

use interpreter::{Verdict, judge};
use serde_json::Value;

#[test]
fn cases_of_kafka_streams_give_the_same_answers() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/all.jsonl");
    let file = std::env::var_os("KSTREAMS_DSL_CASES").map_or(file, Into::into);
    let (mut equal, mut differ, mut out_of_scope) = (0, Vec::new(), BTreeMap::<String, usize>::new());
    for line in std::fs::read_to_string(&file).expect("the cases").lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
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
