//! What the terminal can show, and writing to it without a panic when nobody reads.

use super::matrix_table::ColorMode;
use std::env;
use std::io::{self, IsTerminal, Write};

/// Columns when the output is no terminal: room for two matrices of eight tasks.
const FILE_WIDTH: usize = 120;

/// Writes a result to stdout, with a line break at its end.
///
/// # Errors
/// A closed pipe or a full disk.
pub(super) fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Writes a line to stderr; one that nobody can read is dropped.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Is somebody looking at stderr?
pub(super) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Colours for stdout.
pub(super) fn color() -> ColorMode {
    let value = |name: &str| env::var(name).ok();
    ColorMode::choose(
        io::stdout().is_terminal(),
        value("NO_COLOR").as_deref(),
        value("TERM").as_deref(),
        value("COLORTERM").as_deref(),
    )
}

/// Columns of stdout: `COLUMNS` where it is set, else the terminal's own.
pub(super) fn width() -> usize {
    let given = env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok()).filter(|columns| *columns > 0);
    given.or_else(|| console::Term::stdout().size_checked().map(|(_, columns)| columns.into())).unwrap_or(FILE_WIDTH)
}
