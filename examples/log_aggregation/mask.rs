//! Makes messages comparable: what differs from one occurrence to the next is masked.

/// Replaces numbers by `#` and ids (hexadecimal of eight digits or more, UUIDs) by `<id>`: `order 4711 of 0xdeadbeef99` becomes
/// `order # of <id>`.
pub fn mask(message: &str) -> String {
    let mut masked = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(|character: char| character.is_ascii_alphanumeric()) {
        masked.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|character: char| !character.is_ascii_alphanumeric() && character != '-').unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        push_word(word, &mut masked);
        rest = tail;
    }
    masked.push_str(rest);
    masked
}

fn push_word(word: &str, masked: &mut String) {
    let has_digit = word.bytes().any(|byte| byte.is_ascii_digit());
    if !has_digit {
        masked.push_str(word);
    } else if is_id(word) {
        masked.push_str("<id>");
    } else {
        let mut in_number = false;
        for character in word.chars() {
            let digit = character.is_ascii_digit();
            if !digit {
                masked.push(character);
            } else if !in_number {
                masked.push('#');
            }
            in_number = digit;
        }
    }
}

fn is_id(word: &str) -> bool {
    let word = word.strip_prefix("0x").unwrap_or(word);
    let digits = word.bytes().filter(|byte| *byte != b'-').count();
    let decimal = word.bytes().all(|byte| byte.is_ascii_digit());
    digits >= 8 && !decimal && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn numbers_and_ids_are_masked_words_stay() {
        assert_eq!(mask("order 4711 took 12.5 ms"), "order # took #.# ms");
        assert_eq!(mask("session 550e8400-e29b-41d4-a716-446655440000 closed"), "session <id> closed");
        assert_eq!(mask("token 0xdeadbeef99 of worker-3"), "token <id> of worker-#");
        assert_eq!(mask("192.0.2.7:443 refused"), "#.#.#.#:# refused");
        assert_eq!(mask("défense № 7 — naïve"), "défense № # — naïve");
        assert_eq!(mask(""), "");
    }

    #[test]
    fn words_of_hexadecimal_letters_are_no_ids() {
        assert_eq!(mask("a decade of facade"), "a decade of facade");
    }
}
