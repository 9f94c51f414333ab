//! [`FencingToken`]: who commits, as the group coordinator knows it.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};

/// The membership under which offsets are committed. It is taken together with the set of owned tasks, so that a process that lost
/// them commits with an old generation, and the coordinator refuses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FencingToken {
    /// The group: the application id.
    pub group: Arc<str>,
    /// The member id that the coordinator gave.
    pub member: Arc<str>,
    /// The generation of the group.
    pub generation: i32,
    /// `group.instance.id`, for static members.
    pub instance: Option<Arc<str>>,
}

impl FencingToken {
    /// Whether a commit under this token is fenced at all.
    ///
    /// # Errors
    /// [`ErrorKind::Abortable`] for an empty member or a negative generation: the coordinator checks neither then, and the commit of a
    /// process that lost its tasks would land.
    pub fn check(&self) -> Result<()> {
        if self.member.is_empty() || self.generation < 0 {
            return Err(Error::new(
                ErrorKind::Abortable,
                format!(
                    "this process is not a member of group {} now (member `{}`, generation {}); its offsets are not committed",
                    self.group, self.member, self.generation
                ),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(member: &str, generation: i32) -> FencingToken {
        FencingToken { group: "app".into(), member: member.into(), generation, instance: None }
    }

    #[test]
    fn a_token_that_the_coordinator_would_not_check_is_refused() {
        assert!(token("member-1", 0).check().is_ok());
        for unfenced in [token("", 3), token("member-1", -1)] {
            assert_eq!(unfenced.check().unwrap_err().kind(), ErrorKind::Abortable);
        }
    }
}
