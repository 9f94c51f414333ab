//! Every public method of the DSL and of the stores has an example, which runs as a test of its crate. Reads files only.

use std::fs;
use std::path::{Path, PathBuf};

/// The crates whose methods programs call.
const CRATES: [&str; 2] = ["stream-dsl/src", "stream-state/src"];

/// What programs do not call: the functions that test an implementation of a store.
const EXEMPT: &str = "stream-state/src/conformance/";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The name of the public function that a line declares.
fn declared(line: &str) -> Option<&str> {
    let mut rest = line.strip_prefix("pub ")?;
    while let Some(without) = ["async ", "const "].iter().find_map(|word| rest.strip_prefix(word)) {
        rest = without;
    }
    rest.strip_prefix("fn ")?.split(['(', '<']).next()
}

/// The public functions of a file's product lines, each with whether its documentation holds an example.
fn functions(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut has_example = false;
    for line in text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]") {
        if let Some(documentation) = line.strip_prefix("///") {
            has_example |= documentation.trim_start().starts_with("```");
        } else if !line.starts_with("#[") {
            if let Some(name) = declared(line) {
                found.push((name, has_example));
            }
            has_example = false;
        }
    }
    found
}

#[test]
fn every_public_method_of_the_dsl_and_the_stores_has_an_example() {
    let (mut seen, mut missing) = (0, Vec::new());
    for folder in CRATES {
        let mut sources = Vec::new();
        files(&root().join(folder), &mut sources);
        for source in sources {
            let path = source.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            if path.starts_with(EXEMPT) {
                continue;
            }
            let text = fs::read_to_string(&source).unwrap();
            for (name, has_example) in functions(&text) {
                seen += 1;
                if !has_example {
                    missing.push(format!("{path}: `{name}` has no example"));
                }
            }
        }
    }
    assert!(seen > 300, "only {seen} public methods were found below {}", root().display());
    missing.sort();
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn a_method_without_an_example_is_found() {
    let text = "/// Says it.\n/// ```\n/// one();\n/// ```\n#[must_use]\npub const fn one() {}\n/// Does not.\npub fn two<K>() {}\nfn three() {}\n";
    assert_eq!(functions(text), [("one", true), ("two", false)]);
}
