//! Aligned text tables: the first column to the left, numbers to the right.

/// A table with a heading; `None` in numbers is written as `-` by [`percent`] and its like.
#[must_use]
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([heading[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells.zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    let mut lines = vec![line(&mut heading.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n") + "\n"
}

/// A share in percent.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| tenths(share * 100.0, false))
}

/// A difference of two shares in points, with its sign.
pub(super) fn points(difference: Option<f64>) -> String {
    difference.map_or_else(|| "-".into(), |difference| tenths(difference * 100.0, true))
}

fn tenths(value: f64, signed: bool) -> String {
    // no "-0.0"
    let value = (value * 10.0).round() / 10.0 + 0.0;
    if signed { format!("{value:+.1}") } else { format!("{value:.1}") }
}

/// Bytes in the binary unit that leaves at most four digits before the point.
#[allow(clippy::cast_precision_loss)] // for people
pub(super) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "B" { format!("{count} B") } else { format!("{value:.1} {unit}") }
}

/// `1:02:03`, `2:03` or `0:09`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
pub(super) fn clock(secs: f64) -> String {
    let secs = secs.round().clamp(0.0, 1e9) as u64;
    let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{secs:02}") } else { format!("{minutes}:{secs:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_whatever_the_letters() {
        let rows = vec![vec!["é".into(), "1.0".into()], vec!["long name".into(), "-12.5".into()]];
        assert_eq!(table(&["run", "x"], &rows), "run            x\né            1.0\nlong name  -12.5\n");
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(
            (percent(Some(0.123_4)), percent(None), points(Some(-0.000_1))),
            ("12.3".into(), "-".into(), "+0.0".into())
        );
        assert_eq!((bytes(1023), bytes(1536), bytes(3 << 30)), ("1023 B".into(), "1.5 KiB".into(), "3.0 GiB".into()));
        assert_eq!((clock(9.4), clock(3723.0), clock(f64::NAN)), ("0:09".into(), "1:02:03".into(), "0:00".into()));
    }
}
