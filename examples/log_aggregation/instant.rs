//! Dates and times as log lines hold them. A line without a zone is read as UTC.

use serde::{Deserialize, Serialize};

const DAY_MS: i64 = 86_400_000;

/// What a line tells about its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineTime {
    /// Milliseconds since the Unix epoch.
    At(i64),
    /// As in RFC 3164: everything but the year.
    WithoutYear { month: u32, day: u32, ms_of_day: i64 },
    /// Nothing.
    Unknown,
}

impl LineTime {
    /// The time in ms, if the line tells one. Where it has no year, that is `year`, or else the latest in which the line is at most a day
    /// ahead of `reference_ms` (the timestamp of its record).
    pub fn resolve(self, reference_ms: i64, year: Option<i64>) -> Option<i64> {
        match self {
            Self::At(ms) => Some(ms),
            Self::Unknown => None,
            Self::WithoutYear { month, day, ms_of_day } => {
                let at = |year| days_of_civil(year, month, day) * DAY_MS + ms_of_day;
                if let Some(year) = year {
                    return Some(at(year));
                }
                let (this_year, _, _) = civil_of_days(reference_ms.div_euclid(DAY_MS));
                Some(if at(this_year) > reference_ms + DAY_MS { at(this_year - 1) } else { at(this_year) })
            }
        }
    }
}

/// Reads `2024-03-05T10:11:12.345+01:00`, with `T` or blanks between, fraction and zone optional.
pub fn parse_iso(text: &str) -> Option<LineTime> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let year = parts.next()?.parse().ok()?;
    let (month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let rest = rest.strip_prefix('T').unwrap_or_else(|| rest.trim_start());
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    Some(LineTime::At(civil_ms(year, month, day)? + parse_clock(clock)? - parse_zone(zone)?))
}

/// Reads `10:11:12` or `10:11:12.345` as ms of the day.
pub fn parse_clock(text: &str) -> Option<i64> {
    let (clock, fraction) = text.trim().split_once(['.', ',']).unwrap_or((text.trim(), ""));
    let mut parts = clock.split(':');
    let mut next = |limit: i64| parts.next()?.parse::<i64>().ok().filter(|part| (0..limit).contains(part));
    let ms = (next(24)? * 60 + next(60)?) * 60_000 + next(61)? * 1000;
    let milliseconds = match fraction {
        "" => 0,
        digits => format!("{:0<3.3}", digits).parse().ok()?,
    };
    parts.next().is_none().then_some(ms + milliseconds)
}

/// Reads ``, `Z`, `+01:00` or `+0100` as ms.
pub fn parse_zone(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first() {
        None | Some(b'Z') => return Some(0),
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|digit| *digit != ':').collect();
    let (hours, minutes) = digits.split_at_checked(2)?;
    Some(sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?) * 60_000)
}

/// Reads `Jan`, …, `Dec` as 1 to 12.
pub fn parse_month(name: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    MONTHS.iter().position(|month| *month == name).map(|index| index as u32 + 1)
}

/// Midnight of a date, ms since the epoch; `None` for a date that does not exist.
pub fn civil_ms(year: i64, month: u32, day: u32) -> Option<i64> {
    let days = days_of_civil(year, month, day);
    ((1970..=9999).contains(&year) && civil_of_days(days) == (year, month, day)).then_some(days * DAY_MS)
}

/// `2024-03-05 10:11` of ms since the epoch.
pub fn minute_text(ms: i64) -> String {
    let (year, month, day) = civil_of_days(ms.div_euclid(DAY_MS));
    let minute = ms.rem_euclid(DAY_MS) / 60_000;
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minute / 60, minute % 60)
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar: years are counted from March, so that the leap day is the
/// last one.
fn days_of_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

fn civil_of_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month as u32, day as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_times_with_and_without_zone_are_read() {
        assert_eq!(parse_iso("1970-01-02 00:00:01"), Some(LineTime::At(DAY_MS + 1000)));
        assert_eq!(parse_iso("2024-02-29T12:00:00.5Z"), Some(LineTime::At(1_709_208_000_500)));
        assert_eq!(parse_iso("2024-02-29T13:00:00+01:00"), parse_iso("2024-02-29T12:00:00"));
        assert_eq!(parse_iso("2023-02-29T12:00:00"), None);
        assert_eq!(parse_iso("2024-02-29T25:00:00"), None);
        assert_eq!(parse_iso("2024-02-29"), None);
    }

    #[test]
    fn dates_survive_the_way_there_and_back() {
        for days in -1000..40_000 {
            let (year, month, day) = civil_of_days(days);
            assert_eq!(days_of_civil(year, month, day), days);
        }
    }

    #[test]
    fn a_time_without_year_is_the_latest_that_is_not_ahead() {
        let january = civil_ms(2025, 1, 1).expect("a date");
        let december = LineTime::WithoutYear { month: 12, day: 31, ms_of_day: 0 };
        assert_eq!(december.resolve(january, None), civil_ms(2024, 12, 31));
        assert_eq!(december.resolve(january, Some(2020)), civil_ms(2020, 12, 31));
        assert_eq!(LineTime::Unknown.resolve(7, None), None);
    }

    #[test]
    fn minutes_are_shown_in_utc() {
        assert_eq!(minute_text(1_709_208_061_000), "2024-02-29 12:01");
    }
}
