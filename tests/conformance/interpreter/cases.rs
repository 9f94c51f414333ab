//! Where cases come from: the repository's own, or those that `KSTREAMS_CONFORMANCE` names.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;

/// A case and the file it was read from.
pub struct Case {
    pub name: String,
    pub file: PathBuf,
    pub document: Value,
}

impl Case {
    /// Whether it is one of the repository's.
    pub fn is_own(&self) -> bool {
        self.file.starts_with(own())
    }
}

/// The cases of the repository, or of the folder or file that `KSTREAMS_CONFORMANCE` names: `.json` files hold one case, `.jsonl` and
/// `.jsonl.gz` one on each line.
pub fn all() -> Vec<Case> {
    match std::env::var_os("KSTREAMS_CONFORMANCE") {
        Some(path) => below(Path::new(&path)),
        None => below(&own()),
    }
}

/// The cases of the repository that were written by hand, in their areas.
pub fn by_hand() -> Vec<Case> {
    let mut cases = below(&own());
    cases.retain(|case| case.file.extension().is_some_and(|extension| extension == "json"));
    cases
}

fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// The case that is alone in a `.json` file.
pub fn at(file: &Path) -> Case {
    below(file).pop().unwrap_or_else(|| panic!("{} holds no case", file.display()))
}

/// Every case below a path, in the order of the files' names.
///
/// # Panics
/// When a file cannot be read or holds something else: a run that leaves out cases would prove nothing.
fn below(path: &Path) -> Vec<Case> {
    let mut found = Vec::new();
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut entries: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
        entries.sort();
        for entry in entries {
            found.extend(below(&entry));
        }
        return found;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".json") {
        let mut text = String::new();
        open(path).read_to_string(&mut text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        found.push(case(path, &text));
    } else if name.ends_with(".jsonl") {
        found.extend(lines(path, open(path)));
    } else if name.ends_with(".jsonl.gz") {
        found.extend(lines(path, GzDecoder::new(open(path))));
    }
    found
}

fn open(path: &Path) -> File {
    File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lines(path: &Path, file: impl Read) -> Vec<Case> {
    let lines = BufReader::new(file).lines().map(|line| line.unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    lines.filter(|line| !line.trim().is_empty()).map(|line| case(path, &line)).collect()
}

fn case(path: &Path, text: &str) -> Case {
    let document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = document["name"].as_str().unwrap_or("a case without a name").to_owned();
    Case { name, file: path.to_owned(), document }
}
