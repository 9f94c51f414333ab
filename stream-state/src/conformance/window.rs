//! x
pub fn windows_behave_like_a_map() {}
