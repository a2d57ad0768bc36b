//! Numbers, names and dates as the page writes them, and the escaping that every outside text goes through.

use crate::engine::report::RunReport;

/// Text made safe for HTML's content and quoted attributes. Control characters, which HTML does not allow, become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(character),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// Class of a task's colour; from the eleventh on the colours come again, dashed.
pub fn task_class(task: usize) -> String {
    format!("t{}{}", task % 10, if task < 10 { "" } else { " dashed" })
}

/// A score as `81.3 %`, or a dash.
pub fn percent(score: Option<f64>) -> String {
    match score.filter(|score| score.is_finite()) {
        Some(score) => format!("{:.1} %", score * 100.0),
        None => "–".to_owned(),
    }
}

/// A score as `81.3`, for columns that give the unit.
pub fn plain_percent(score: Option<f64>) -> String {
    match score.filter(|score| score.is_finite()) {
        Some(score) => format!("{:.1}", score * 100.0 + 0.0),
        None => "–".to_owned(),
    }
}

/// A difference of scores in points, with its sign (a true minus).
pub fn points(change: Option<f64>) -> String {
    let Some(change) = change.filter(|change| change.is_finite()) else { return "–".to_owned() };
    let tenths = (change * 1000.0).round() / 10.0;
    if tenths < 0.0 {
        format!("−{:.1}", -tenths)
    } else if tenths > 0.0 {
        format!("+{tenths:.1}")
    } else {
        "0.0".to_owned()
    }
}

/// `8.2 s`, `3 min 05 s`, `2 h 07 min`.
pub fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs < 0.0 {
        return "–".to_owned();
    }
    if secs < 60.0 {
        return format!("{secs:.1} s");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // finite, not negative; saturates
    let whole = secs.round() as u64;
    if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

/// `312 MiB`, `1.73 GiB`.
#[allow(clippy::cast_precision_loss)] // three digits are shown
pub fn bytes(bytes: u64) -> String {
    let mib = bytes as f64 / (1024.0 * 1024.0);
    if mib < 1024.0 { format!("{mib:.0} MiB") } else { format!("{:.2} GiB", mib / 1024.0) }
}

/// Digits in groups of three, apart by thin no-break spaces.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `2026-11-21 02:21 UTC` from seconds since 1970, by the proleptic Gregorian calendar.
pub fn date(unix: u64) -> String {
    let (days, secs) = (unix / 86_400, unix % 86_400);
    // count from 1 March of year 0, so that a leap day is the last of its year (Hinnant, "chrono-compatible algorithms")
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", secs / 3600, secs % 3600 / 60)
}

/// A name for each run: its method, and where methods repeat the seed, and where that repeats too its number.
pub fn run_labels(runs: &[RunReport]) -> Vec<String> {
    let method = |run: &RunReport| {
        let names = [&run.method_label, &run.method, &run.title];
        names.into_iter().find(|name| !name.is_empty()).map_or_else(|| "run".to_owned(), Clone::clone)
    };
    let with_seed = |run: &RunReport| format!("{}, seed {}", method(run), run.seed);
    (runs.iter().enumerate())
        .map(|(index, run)| {
            if runs.iter().filter(|other| method(other) == method(run)).count() == 1 {
                method(run)
            } else if runs.iter().filter(|other| with_seed(other) == with_seed(run)).count() == 1 {
                with_seed(run)
            } else {
                format!("{} ({})", with_seed(run), index + 1)
            }
        })
        .collect()
}

/// What all runs have in common, or that it differs.
pub fn shared(runs: &[RunReport], fact: impl Fn(&RunReport) -> String) -> String {
    let mut facts = runs.iter().map(fact);
    let first = facts.next().unwrap_or_default();
    if facts.all(|other| other == first) { first } else { "differs".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_become_markup() {
        assert_eq!(escape("<a href='x'>&\"\u{1}\u{1b}\n"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\u{fffd}\u{fffd}\n");
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([percent(Some(0.8125)), percent(None), percent(Some(f64::NAN))], ["81.2 %", "–", "–"]);
        assert_eq!([points(Some(-0.125)), points(Some(0.5)), points(Some(-0.0001))], ["−12.5", "+50.0", "0.0"]);
        let durations = [8.24, 59.97, 185.0, 7620.0, f64::NAN, -1.0].map(duration);
        assert_eq!(durations, ["8.2 s", "60.0 s", "3 min 05 s", "2 h 07 min", "–", "–"]);
        assert_eq!([bytes(327_155_712), bytes(1_857_573_192)], ["312 MiB", "1.73 GiB"]);
        assert_eq!(
            [thousands(0), thousands(1234), thousands(1_000_000)],
            ["0", "1\u{202f}234", "1\u{202f}000\u{202f}000"]
        );
    }

    #[test]
    fn dates_are_right_across_leap_days() {
        // from `date -u -d @N`
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_795_228_860), "2026-11-21 02:41 UTC");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00 UTC");
        assert!(date(u64::MAX).ends_with("UTC"));
    }

    #[test]
    fn runs_are_told_apart() {
        let run = |method: &str, seed| RunReport { method_label: method.into(), seed, ..RunReport::default() };
        let labels = run_labels(&[run("Seq", 1), run("I-LoRA", 1), run("I-LoRA", 2), run("ER", 1), run("ER", 1)]);
        assert_eq!(labels, ["Seq", "I-LoRA, seed 1", "I-LoRA, seed 2", "ER, seed 1 (4)", "ER, seed 1 (5)"]);
    }
}
