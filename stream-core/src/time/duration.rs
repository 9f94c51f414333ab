//! Durations as Java writes them.

use std::time::Duration;

/// Reads `P[nD][T[nH][nM][n[.n]S]]`, as `java.time.Duration` does; `None` when it is not one.
pub(crate) fn parse_iso8601(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix(['P', 'p'])?;
    let (days, time) = match rest.split_once(['T', 't']) {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut seconds = 0.0;
    for (part, units) in [(days, &[('D', 86_400.0)][..]), (time, &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)][..])] {
        let mut units = units.iter();
        let mut rest = part;
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let unit = rest[end..].chars().next()?.to_ascii_uppercase();
            // Units come in falling order, each once.
            let (_, factor) = units.find(|(known, _)| *known == unit)?;
            let number = &rest[..end];
            let whole = number.bytes().all(|digit| digit.is_ascii_digit());
            let fraction = unit == 'S' && number.bytes().all(|digit| digit.is_ascii_digit() || digit == b'.');
            if !whole && !fraction {
                return None;
            }
            seconds += number.parse::<f64>().ok()? * factor;
            rest = &rest[end + 1..];
        }
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_java_reads_them() {
        let read = |text| parse_iso8601(text).map(|duration| duration.as_millis());
        assert_eq!(read("P7D"), Some(604_800_000));
        assert_eq!(read("PT1H30M"), Some(5_400_000));
        assert_eq!(read("P1DT2H3M4.5S"), Some(93_784_500));
        for wrong in ["", "P", "PT", "7D", "P1H", "PT1D", "PT1M1H", "PT-1S", "PTxS", "P1DT"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
