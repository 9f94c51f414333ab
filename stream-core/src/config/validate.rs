//! What settings must be to each other.

use super::StreamsConfig;
use super::client::ClientScope;
use super::name::check_name;
use super::setting::Setting;
use crate::error::{Error, Result};

impl StreamsConfig {
    /// Checks the configuration as a whole.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid), with the settings that contradict each other and how to mend it.
    pub fn validate(&self) -> Result<()> {
        for required in ["application.id", "bootstrap.servers"] {
            if self.text(required).is_empty() {
                return Err(Error::invalid(format!("`{required}` is not set; every application needs it")));
            }
        }
        check_name("application.id", self.application_id())?;
        for (name, value) in &self.values {
            if let Some(reason) = Setting::find(name).and_then(|setting| setting.check(value).err()) {
                return Err(Error::invalid(format!("`{name}` is `{value}`: {reason}")));
            }
        }
        self.check_group()?;
        if self.processing_guarantee().is_exactly_once() { self.check_transactions() } else { Ok(()) }
    }

    fn check_group(&self) -> Result<()> {
        if self.heartbeat_interval() >= self.session_timeout() {
            return Err(self.contradiction(
                "heartbeat.interval.ms",
                "below",
                "session.timeout.ms",
                "or the group would take this process for dead",
            ));
        }
        if self.session_timeout() > self.max_poll_interval() {
            return Err(self.contradiction("session.timeout.ms", "at most", "max.poll.interval.ms", "raise the latter with it"));
        }
        Ok(())
    }

    /// A zombie must lose its transaction before its tasks are given away, and a transaction must outlive what is done in it.
    fn check_transactions(&self) -> Result<()> {
        let timeout = self.transaction_timeout();
        if timeout > self.session_timeout() {
            let why = "or a process that was declared dead could hold back readers for longer than its tasks are away";
            return Err(self.contradiction("transaction.timeout.ms", "at most", "session.timeout.ms", why));
        }
        if self.commit_interval() >= timeout {
            return Err(Error::invalid(format!(
                "`commit.interval.ms` ({} ms) must be below `transaction.timeout.ms` ({} ms), or the broker aborts each transaction before it is \
                 committed; lower the first or raise the second",
                self.commit_interval().as_millis(),
                timeout.as_millis()
            )));
        }
        for scope in
            [ClientScope::All, ClientScope::Consumers, ClientScope::MainConsumer, ClientScope::GlobalConsumer, ClientScope::RestoreConsumer]
        {
            let level = self.clients.get(&scope).and_then(|properties| properties.get("isolation.level"));
            if level.is_some_and(|level| level != "read_committed") {
                return Err(Error::invalid(format!(
                    "`{}isolation.level` is `read_uncommitted`, but with `exactly_once_v2` only committed records may be read; leave it out",
                    scope.prefix()
                )));
            }
        }
        for name in ["delivery.timeout.ms", "message.timeout.ms"] {
            let set = [ClientScope::All, ClientScope::Producer]
                .iter()
                .find(|scope| self.clients.get(scope).is_some_and(|set| set.contains_key(name)));
            if let Some(scope) = set {
                return Err(Error::invalid(format!(
                    "`{}{name}` cannot be set with `exactly_once_v2`: it follows from `transaction.timeout.ms`; leave it out",
                    scope.prefix()
                )));
            }
        }
        Ok(())
    }

    fn contradiction(&self, one: &str, relation: &str, other: &str, why: &str) -> Error {
        Error::invalid(format!("`{one}` ({} ms) must be {relation} `{other}` ({} ms), {why}", self.text(one), self.text(other)))
    }
}
