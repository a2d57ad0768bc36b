//! Numbers and paths as people read them.

/// `8 s`, `3 min 05 s`, `2 h 07 min`; nothing for what is not a duration.
#[must_use]
pub fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs < 0.0 {
        return String::new();
    }
    let whole = secs.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `312 MB`, `1.73 GB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let mega = bytes as f64 / 1e6;
    if mega < 1.0 {
        return format!("{:.0} kB", mega * 1e3);
    }
    if mega < 1000.0 { format!("{mega:.0} MB") } else { format!("{:.2} GB", mega / 1000.0) }
}

/// Three digits: `1,240`, `24.5`, `0.31`.
#[must_use]
pub fn short(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    if number >= 1000.0 {
        let whole = number.round() as u64;
        if whole < 1_000_000 {
            return format!("{},{:03}", whole / 1000, whole % 1000);
        }
        return format!("{:.1} million", number / 1e6);
    }
    let digits = if number >= 100.0 {
        0
    } else if number >= 10.0 {
        1
    } else {
        2
    };
    format!("{number:.digits$}")
}

/// The last part of a path.
#[must_use]
pub fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(path)
}

/// What comes before the last part of a path.
#[must_use]
pub fn folder(path: &str) -> Option<&str> {
    path.trim_end_matches(['/', '\\'])
        .rsplit_once(['/', '\\'])
        .map(|(folder, _)| folder)
        .filter(|folder| !folder.is_empty())
}

/// A file's extension in lower case; empty for a folder or a file without one.
#[must_use]
pub fn extension(path: &str) -> String {
    match file_name(path).rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension.to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// A name that every file system takes: letters a to z, digits, and single dashes.
#[must_use]
pub fn slug(text: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let dashed: String = text.chars().map(letter).collect();
    let slug = dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if slug.is_empty() { "run".to_string() } else { slug }
}

/// A whole number with its thousands apart: `3,200`.
#[must_use]
pub fn grouped(whole: impl std::fmt::Display) -> String {
    let digits = whole.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 example`, `2,000 examples`.
#[must_use]
pub fn counted<Count: std::fmt::Display + PartialEq + From<u8>>(count: Count, one: &str, many: &str) -> String {
    let what = if count == Count::from(1) { one } else { many };
    format!("{} {what}", grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([duration(8.2), duration(185.0), duration(7620.0)], ["8 s", "3 min 05 s", "2 h 07 min"]);
        assert_eq!(duration(f64::NAN), "");
        assert_eq!([bytes(312_400_000), bytes(1_730_000_000)], ["312 MB", "1.73 GB"]);
        assert_eq!([0, 999, 49_152, 1_234_567].map(grouped), ["0", "999", "49,152", "1,234,567"]);
        assert_eq!(
            (counted(1_usize, "line", "lines"), counted(2_000_u64, "line", "lines")),
            ("1 line".into(), "2,000 lines".into())
        );
        assert_eq!([short(0.312), short(24.51), short(18_000.0)], ["0.31", "24.5", "18,000"]);
    }

    #[test]
    fn paths_of_every_system_are_cut_at_the_same_place() {
        assert_eq!([file_name("/a/b/"), file_name(r"C:\a\b.csv"), file_name("b")], ["b", "b.csv", "b"]);
        assert_eq!(
            [folder("/a/b"), folder(r"C:\a\b.csv"), folder("b"), folder("/b")],
            [Some("/a"), Some(r"C:\a"), None, None]
        );
        assert_eq!([extension("/a.b/c"), extension("x.JSONL"), extension(".hidden")], ["", "jsonl", ""]);
        assert_eq!([slug("I-LoRA, seed 1 / \u{3bb}"), slug("///")], ["i-lora-seed-1", "run"]);
    }
}
