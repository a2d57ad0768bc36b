//! Numbers as people read them: bytes, counts, shares, durations.

pub use crate::ui::words::grouped;

/// `1.5 GB`; decimal units, as the hub writes them.
pub fn bytes(bytes: u64) -> String {
    scaled(bytes, &["B", "kB", "MB", "GB", "TB", "PB"])
}

/// `134.5 M`.
pub fn count(count: u64) -> String {
    scaled(count, &["", "K", "M", "B", "T"]).trim_end().to_owned()
}

/// Three digits at least, and one after the point where that is few.
fn scaled(value: u64, units: &[&str]) -> String {
    let mut number = value as f64;
    let mut index = 0;
    // 999.95 would be written as 1000.0
    while number >= 999.95 && index + 1 < units.len() {
        number /= 1000.0;
        index += 1;
    }
    let unit = units.get(index).copied().unwrap_or_default();
    if index == 0 || number >= 99.95 { format!("{number:.0} {unit}") } else { format!("{number:.1} {unit}") }
}

/// `15.6 %`; small shares keep two digits that mean something.
pub fn percent(part: u64, whole: u64) -> String {
    let share = if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 };
    match share {
        0.0 => "0 %".to_owned(),
        share if share < 0.01 => "< 0.01 %".to_owned(),
        share if share < 1.0 => format!("{share:.2} %"),
        share if share < 99.95 => format!("{share:.1} %"),
        _ => "100 %".to_owned(),
    }
}

/// `3 min 20 s`.
pub fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs < 0.0 {
        return "unknown".to_owned();
    }
    let secs = secs.round() as u64;
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// `12.0 ms`.
pub fn step_time(secs: f64) -> String {
    match secs * 1000.0 {
        millis if millis < 10.0 => format!("{millis:.2} ms"),
        millis if millis < 1000.0 => format!("{millis:.0} ms"),
        _ => format!("{secs:.2} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well_at_every_size() {
        assert_eq!(
            [0, 999, 1_048_000, 269_060_552, 999_950].map(bytes),
            ["0 B", "999 B", "1.0 MB", "269 MB", "1.0 MB"]
        );
        assert_eq!([262_000, 134_515_008, 12].map(count), ["262 K", "135 M", "12"]);
        assert_eq!(
            [(0, 0), (1, 1_000_000), (5, 1000), (156, 1000), (7, 7)].map(|(part, whole)| percent(part, whole)),
            ["0 %", "< 0.01 %", "0.50 %", "15.6 %", "100 %"]
        );
        assert_eq!(
            [0.4, 48.0, 200.0, 7500.0, f64::NAN].map(duration),
            ["0 s", "48 s", "3 min 20 s", "2 h 5 min", "unknown"]
        );
        assert_eq!([0.00123, 0.012, 2.5].map(step_time), ["1.23 ms", "12 ms", "2.50 s"]);
    }
}
