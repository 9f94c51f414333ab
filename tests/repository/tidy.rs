//! The repository's own rules, as far as a machine can see them. Reads files only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Product lines that one file may have; a file with two reasons to change is split before.
const MAX_LINES: usize = 500;

/// Words that name no job.
const EMPTY_WORDS: [&str; 11] = ["Abstract", "Base", "Helper", "Helpers", "Impl", "Manager", "Misc", "Stuff", "Util", "Utils", "Wrapper"];

/// Which crates a crate may use. There are no other arrows.
const ARROWS: [(&str, &[&str]); 6] = [
    (".", &["stream-core", "stream-dsl", "stream-state"]),
    ("stream-core", &[]),
    ("stream-state", &["stream-core"]),
    ("stream-dsl", &["stream-core", "stream-state"]),
    ("stream-testkit", &["stream-core"]),
    ("stream-broker", &[]),
];

/// A Rust file of the repository.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Whether the file is part of a library or program, not of its tests, benchmarks or examples.
    fn is_product(&self) -> bool {
        let mut parts = self.path.split('/');
        !parts.any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples"))
    }

    /// The lines with their numbers, up to the first module of tests within the file.
    fn product_lines(&self) -> Vec<(usize, &str)> {
        let lines: Vec<&str> = self.text.lines().collect();
        let opens_tests = |index: usize| {
            lines[index].trim() == "#[cfg(test)]"
                && lines.get(index + 1).is_some_and(|next| next.trim_start().starts_with("mod ") && next.ends_with('{'))
        };
        let end = (0..lines.len()).find(|index| opens_tests(*index)).unwrap_or(lines.len());
        lines[..end].iter().enumerate().map(|(index, line)| (index + 1, *line)).collect()
    }

    /// As [`product_lines`](Self::product_lines), without comments.
    fn code(&self) -> Vec<(usize, &str)> {
        let is_code = |line: &str| !line.trim_start().starts_with("//");
        self.product_lines().into_iter().filter(|(_, line)| is_code(line)).collect()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    open.push(path);
                }
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found below {}", root().display());
    found.sort_by(|one, two| one.path.cmp(&two.path));
    found
}

#[track_caller]
fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The words of a name in camel or snake case, each with a capital.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut at_start = true;
    for letter in name.chars() {
        if letter == '_' || letter == '-' {
            at_start = true;
        } else if at_start || letter.is_uppercase() {
            words.push(letter.to_uppercase().collect());
            at_start = false;
        } else if let Some(word) = words.last_mut() {
            word.push(letter);
        }
    }
    words
}

fn empty_word(name: &str) -> Option<String> {
    words(name).into_iter().find(|word| EMPTY_WORDS.contains(&word.as_str()))
}

#[test]
fn no_file_has_more_than_500_product_lines() {
    let sources = sources();
    let too_long = sources.iter().filter(|source| source.is_product()).map(|source| (source, source.product_lines().len()));
    let found: Vec<String> =
        too_long.filter(|(_, lines)| *lines > MAX_LINES).map(|(source, lines)| format!("{}: {lines} lines", source.path)).collect();
    assert_none(&found);
}

#[test]
fn no_type_or_file_has_a_name_without_a_job() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_product()) {
        for part in source.path.trim_end_matches(".rs").split('/') {
            if let Some(word) = empty_word(part) {
                found.push(format!("{}: a file or folder named `{part}` ({word})", source.path));
            }
        }
        for (number, line) in source.code() {
            let mut tokens = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|token| !token.is_empty());
            while let Some(token) = tokens.next() {
                if !matches!(token, "struct" | "enum" | "trait" | "union" | "type") {
                    continue;
                }
                let name = tokens.next().unwrap_or_default();
                if let Some(word) = empty_word(name) {
                    found.push(format!("{}:{number}: {token} `{name}` ({word})", source.path));
                }
            }
        }
    }
    assert_none(&found);
}

#[test]
fn product_code_has_no_stubs_and_does_not_unwrap() {
    let banned = ["todo!(", "unimplemented!(", "dbg!(", ".unwrap()", ".unwrap_err()", ".unwrap_unchecked()"];
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_product()) {
        for (number, line) in source.code() {
            if let Some(call) = banned.iter().find(|call| line.contains(**call)) {
                found.push(format!("{}:{number}: `{call}`", source.path));
            }
        }
    }
    assert_none(&found);
}

#[test]
fn unsafe_code_lives_in_modules_named_native() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_product()) {
        let is_native = source.path.trim_end_matches(".rs").split('/').any(|part| part == "native");
        for (number, line) in source.code() {
            let mut tokens = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            if !is_native && tokens.any(|token| token == "unsafe") {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none(&found);
}

#[test]
fn tests_are_named_as_claims() {
    let mut found = Vec::new();
    for source in sources() {
        for (number, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("fn test_") || line.trim_start().starts_with("async fn test_") {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert_none(&found);
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let mut found = Vec::new();
    for (name, allowed) in ARROWS {
        let manifest = root().join(name).join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else {
            continue;
        };
        let mut section = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']').to_owned();
                continue;
            }
            // Tests may use the broker: it never reaches a user's binary.
            let counts = section == "dependencies" || section.ends_with(".dependencies") && !section.starts_with("workspace");
            let dependency = line.split(['=', '.', ' ']).next().unwrap_or_default();
            if counts && dependency.starts_with("stream-") && !allowed.contains(&dependency) {
                found.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert_none(&found);
}

/// The layers of stream-core, lowest first, as its crate documentation lists them.
fn layers() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(root().join("stream-core/src/lib.rs")).unwrap();
    let documentation: String = text.lines().map_while(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n");
    let start = documentation.find("Layers, lowest first").expect("the crate documentation lists the layers");
    let paragraph = documentation[start..].split("\n\n").next().unwrap_or_default();
    let mut layers = BTreeMap::new();
    for (layer, names) in paragraph.split('`').skip(1).step_by(2).enumerate() {
        for name in names.split(',') {
            layers.insert(name.trim().to_owned(), layer);
        }
    }
    layers
}

/// The modules that a line names behind `crate::`.
fn used_modules(line: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut used = BTreeSet::new();
    for (at, prefix) in line.match_indices("crate::") {
        let rest = &line[at + prefix.len()..];
        let list =
            rest.strip_prefix('{').and_then(|list| list.split('}').next()).unwrap_or_else(|| rest.split(',').next().unwrap_or_default());
        used.extend(list.split(',').map(|name| name.trim().chars().take_while(|c| is_name(*c)).collect::<String>()));
    }
    used
}

#[test]
fn modules_of_stream_core_use_only_lower_layers() {
    let layers = layers();
    assert!(layers.len() > 10, "{layers:?}");
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.is_product()) {
        let Some(inner) = source.path.strip_prefix("stream-core/src/") else {
            continue;
        };
        let module = inner.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let Some(layer) = layers.get(module) else {
            found.push(format!("{}: module `{module}` is in no layer of the crate documentation", source.path));
            continue;
        };
        for (number, line) in source.code() {
            for used in used_modules(line) {
                if layers.get(&used).is_some_and(|used| used > layer) {
                    found.push(format!("{}:{number}: `{module}` uses `{used}`, which lies above it", source.path));
                }
            }
        }
    }
    assert_none(&found);
}

#[test]
fn every_folder_of_modules_says_what_it_is_for() {
    let is_module = |source: &&Source| source.is_product() && Path::new(&source.path).file_name().is_some_and(|name| name == "mod.rs");
    let silent = sources()
        .iter()
        .filter(is_module)
        .filter(|source| !source.text.starts_with("//!") && !source.text.starts_with("#![doc"))
        .map(|source| source.path.clone())
        .collect::<Vec<_>>();
    assert_none(&silent);
}
