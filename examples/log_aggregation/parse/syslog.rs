//! What both syslog formats share.

/// Takes `<134>` off the front: the severity, and the rest of the line.
pub fn priority(line: &str) -> Option<(u8, &str)> {
    let (priority, rest) = line.strip_prefix('<')?.split_once('>')?;
    let priority: u8 = priority.parse().ok().filter(|priority| *priority <= 191)?;
    Some((priority % 8, rest))
}
