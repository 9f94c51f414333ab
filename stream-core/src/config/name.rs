//! Names that become topics, groups and folders; and names that were misspelt.

use crate::error::{Error, Result};

/// Checks a name by Kafka's rule for topics: letters, digits, `.`, `_` and `-`, at most 249 of them, and neither `.` nor `..`.
///
/// The application id, stores and topics become part of paths, so the rule also keeps them inside of the state directory.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid), with `what` and the reason.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let reason = match name {
        "" => "it is empty",
        "." | ".." => "it would be a folder of another kind",
        _ if name.len() > 249 => "it is longer than 249 characters",
        _ if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) => {
            "only letters, digits, `.`, `_` and `-` are allowed"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid(format!("{what} `{name}` is not a valid name: {reason}")))
}

/// The candidate that differs from `name` in the fewest letters, when it is near enough to be meant.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.len() / 4).clamp(1, 5);
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The edit distance, with `.`, `_` and `-` taken for the same.
fn distance(one: &str, two: &str) -> usize {
    let fold = |byte: u8| if b"._-".contains(&byte) { b'.' } else { byte.to_ascii_lowercase() };
    let two: Vec<u8> = two.bytes().map(fold).collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (i, a) in one.bytes().map(fold).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in two.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[two.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_recognised() {
        let names = ["commit.interval.ms", "state.dir", "linger.ms"];
        assert_eq!(nearest("commit.intervall.ms", names.into_iter()), Some("commit.interval.ms"));
        assert_eq!(nearest("state_dir", names.into_iter()), Some("state.dir"));
        assert_eq!(nearest("something.else", names.into_iter()), None);
    }

    #[test]
    fn a_name_cannot_leave_the_state_directory() {
        for wrong in ["", ".", "..", "a/b", "../x", "a b", "ä", &"x".repeat(250)] {
            assert!(check_name("application.id", wrong).is_err(), "{wrong}");
        }
        assert!(check_name("application.id", "my-app_1.2").is_ok());
    }
}
