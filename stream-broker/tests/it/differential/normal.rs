//! What two brokers may answer differently, taken out of an answer.

use super::side::Side;

/// Fields that are a broker's own: its ids, clock, address and texts.
const OWN: &[&str] = &[
    "throttle_time_ms",
    "error_message",
    "heartbeat_interval_ms",
    "log_append_time_ms",
    "last_timestamp",
    "transaction_start_time_ms",
    "client_host",
    "cluster_id",
    "controller_id",
    "host",
    "port",
    "node_id",
    "leader_id",
    "replica_nodes",
    "isr_nodes",
    "coordinator_epoch",
    "unknown_tagged_fields",
    "documentation",
    // Which of several partitions a member gets is up to the broker; how many is compared by the describing step.
    "node_endpoints",
    "current_leader",
    // A broker need not say what it was not asked for.
    "config_type",
];

/// The text of an answer without what is a broker's own.
pub fn normalize(answer: &str, side: &Side) -> String {
    let mut text = answer.replace(&side.prefix, "~");
    for (id, name) in &side.names {
        text = text.replace(id.as_str(), name);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    'outer: while !rest.is_empty() {
        for field in OWN {
            let starts = out.ends_with([' ', '{', '(']) || out.is_empty();
            if let Some(value) = rest.strip_prefix(field).and_then(|rest| rest.strip_prefix(": "))
                && starts
            {
                rest = skip_value(value);
                continue 'outer;
            }
        }
        let mut characters = rest.chars();
        out.extend(characters.next());
        rest = characters.as_str();
    }
    out
}

/// What follows a value in the text that `Debug` makes.
fn skip_value(text: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' | ')' | ']' | '}' if depth == 0 => return text[at..].strip_prefix(", ").unwrap_or(&text[at..]),
            _ => {}
        }
    }
    ""
}
