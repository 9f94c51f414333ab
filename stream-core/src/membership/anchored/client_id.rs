//! What a member shows of itself to all others: the end of its `client.id`.
//!
//! `<client id>-<fingerprint>` for a member, `<client id>-<fingerprint>-shutdown` for one that only asks all others to end.

const SHUTDOWN: &str = "-shutdown";

pub(super) fn of_member(client_id: &str, fingerprint: &str) -> String {
    format!("{client_id}-{fingerprint}")
}

pub(super) fn of_shutdown(client_id: &str, fingerprint: &str) -> String {
    format!("{client_id}-{fingerprint}{SHUTDOWN}")
}

pub(super) fn asks_for_shutdown(client_id: &str) -> bool {
    client_id.ends_with(SHUTDOWN)
}

pub(super) fn shows(client_id: &str, fingerprint: &str) -> bool {
    client_id.rsplit_once('-').is_some_and(|(_, shown)| shown == fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_shows_its_fingerprint_whatever_the_program_calls_itself() {
        for name in ["app", "my-app-00ff", ""] {
            assert!(shows(&of_member(name, "00ff"), "00ff"));
            assert!(!shows(&of_member(name, "00fe"), "00ff"));
            assert!(!asks_for_shutdown(&of_member(name, "00ff")));
            assert!(asks_for_shutdown(&of_shutdown(name, "00ff")));
        }
        assert!(!shows("consumer-of-somebody-else", "00ff"));
        assert!(!shows("rdkafka", "00ff"));
    }
}
