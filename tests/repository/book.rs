//! The book is whole: its chapters, links and pictures exist, and its examples are tests. Reads files only.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn chapters() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(root().join("docs/src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(found.len() > 5, "the book was not found below {}", root().display());
    found.sort();
    found
}

/// What a text links to, without the links that leave the book.
fn targets(text: &str) -> Vec<&str> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.filter(|link| link.ends_with(".md") || link.ends_with(".svg") || link.contains(".md#")).collect()
}

#[test]
fn every_link_and_picture_of_the_book_exists() {
    let mut missing = Vec::new();
    for (name, text) in chapters() {
        for target in targets(&text) {
            let (file, section) = target.split_once('#').unwrap_or((target, ""));
            let Ok(linked) = fs::read_to_string(root().join("docs/src").join(file)) else {
                missing.push(format!("{name}: {target}"));
                continue;
            };
            let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-") == section;
            if !section.is_empty() && !linked.lines().any(|line| line.starts_with('#') && heading(line)) {
                missing.push(format!("{name}: {target}, which has no such section"));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn every_chapter_and_picture_is_used() {
    let chapters = chapters();
    let used: Vec<&str> = chapters.iter().flat_map(|(_, text)| targets(text)).collect();
    let pictures = fs::read_dir(root().join("docs/src/img")).unwrap().map(|entry| entry.unwrap().file_name());
    let pictures = pictures.map(|name| Path::new("img").join(name).to_string_lossy().replace('\\', "/"));
    let names = chapters.iter().map(|(name, _)| name.clone()).filter(|name| name != "SUMMARY.md").chain(pictures);
    let unused: Vec<String> = names.filter(|name| !used.contains(&name.as_str())).collect();
    assert!(unused.is_empty(), "nothing shows {}", unused.join(", "));
}

#[test]
fn every_example_of_the_book_is_a_test() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let has_example = |text: &str| text.lines().any(|line| line.starts_with("```rust"));
    let is_test = |name: &str| library.contains(&format!("include_str!(\"../docs/src/{name}\")"));
    let silent: Vec<String> =
        chapters().into_iter().filter(|(name, text)| has_example(text) && !is_test(name)).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "src/lib.rs does not include {}", silent.join(", "));
}
