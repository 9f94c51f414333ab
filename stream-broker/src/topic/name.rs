//! Which names a topic may have.

const MAX_CHARACTERS: usize = 249;

/// Why `name` is not a topic name; `None` if it is one.
pub(crate) fn objection(name: &str) -> Option<String> {
    let problem = if name.is_empty() {
        "it is empty".to_owned()
    } else if name == "." || name == ".." {
        "'.' and '..' are not allowed".to_owned()
    } else if name.len() > MAX_CHARACTERS {
        format!("it is longer than {MAX_CHARACTERS} characters")
    } else if name.bytes().any(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))) {
        "only ASCII letters, digits, '.', '_' and '-' are allowed".to_owned()
    } else {
        return None;
    };
    Some(format!("the topic name '{name}' is invalid: {problem}"))
}

/// The form in which two names are the same: metric names cannot tell '.' and '_' apart.
pub(crate) fn collision_key(name: &str) -> String {
    name.replace('.', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_dot_underscore_and_dash_make_a_name() {
        assert_eq!(objection("orders-2_by.Region"), None);
        assert_eq!(objection(&"a".repeat(249)), None);
    }

    #[test]
    fn other_names_are_refused() {
        for name in ["", ".", "..", "a/b", "a b", "ä", &"a".repeat(250)] {
            assert!(objection(name).is_some(), "{name:?}");
        }
    }
}
