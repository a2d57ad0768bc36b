//! The accuracy matrix as a picture of its own (SVG 1.1), with the numbers of the cells and the settings in its caption.

use super::numbers::NUMBERS;
use super::reading::{MatrixMode, Row, Scores};
use crate::continual::metrics::AccuracyMatrix;
use crate::ui::theme::Theme;
use egui::Color32;
use std::fmt::Write as _;

const CELL: [f32; 2] = [52.0, 34.0];
const LETTER: f32 = 6.6;

/// The matrix as an SVG document.
#[must_use]
pub fn matrix_svg(matrix: &AccuracyMatrix, names: &[&str], theme: &Theme) -> String {
    captioned_matrix_svg(matrix, names, "", theme)
}

/// The same with lines of text under it that say what made it.
#[must_use]
pub fn captioned_matrix_svg(matrix: &AccuracyMatrix, names: &[&str], caption: &str, theme: &Theme) -> String {
    let scores = Scores { matrix, live: None, names };
    let tasks = matrix.tasks();
    let longest = (0..tasks).map(|task| scores.name(task).chars().count()).max().unwrap_or(0).max(9) as f32;
    let (left, turned) = (longest * LETTER + 24.0, longest * LETTER > CELL[0] - 4.0);
    let top = if turned { longest * LETTER + 16.0 } else { 28.0 };
    let notes: Vec<String> = std::iter::once(numbers_line(matrix)).chain(caption.lines().map(str::to_string)).collect();
    let least = notes.iter().map(|note| note.chars().count()).max().unwrap_or(0) as f32 * LETTER + 20.0;
    let width = (left + CELL[0] * tasks as f32 + 12.0).max(least);
    let bottom = top + 6.0 + CELL[1] * (tasks as f32 + 1.0);
    let height = bottom + 14.0 + 17.0 * notes.len() as f32;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        escape(&scores.description(caption.lines().next().unwrap_or("scores in percent"))),
        hex(theme.card()),
    );
    let text = hex(theme.text());
    for task in 0..tasks {
        let x = left + CELL[0] * task as f32;
        let (middle, name) = (x + CELL[0] / 2.0, escape(&scores.name(task)));
        let _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"3\" fill=\"{}\"/>",
            x + 1.0,
            top - 5.0,
            CELL[0] - 2.0,
            hex(theme.task(task))
        );
        let _ = if turned {
            writeln!(
                svg,
                "<text transform=\"translate({:.1} {:.1}) rotate(-90)\" fill=\"{text}\">{name}</text>",
                middle + 4.0,
                top - 9.0
            )
        } else {
            writeln!(
                svg,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{text}\">{name}</text>",
                top - 10.0
            )
        };
    }
    for row in scores.rows() {
        row_svg(&mut svg, &scores, row, left, top, theme);
    }
    for (index, note) in notes.iter().enumerate() {
        let y = bottom + 18.0 + 17.0 * index as f32;
        let colour = if index == 0 { theme.text() } else { theme.muted() };
        let _ = writeln!(svg, "<text x=\"10\" y=\"{y:.1}\" fill=\"{}\">{}</text>", hex(colour), escape(note));
    }
    svg.push_str("</svg>\n");
    svg
}

fn row_svg(svg: &mut String, scores: &Scores<'_>, row: Row, left: f32, top: f32, theme: &Theme) {
    let (y, name, colour) = match row {
        Row::Untrained => (top, "untrained".to_string(), None),
        Row::After(after) => (top + 6.0 + CELL[1] * (after as f32 + 1.0), scores.name(after), Some(theme.task(after))),
    };
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{}\">{}</text>",
        left - 10.0,
        y + CELL[1] / 2.0 + 4.0,
        hex(theme.text()),
        escape(&name)
    );
    if let Some(colour) = colour {
        let (x, tall) = (left - 5.0, CELL[1] - 2.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"3\" height=\"{tall:.1}\" fill=\"{}\"/>",
            y + 1.0,
            hex(colour)
        );
    }
    for task in 0..scores.matrix.tasks() {
        let look = scores.look(MatrixMode::Score, row, task, None, theme);
        let x = left + CELL[0] * task as f32;
        let edge = if look.text.is_empty() { hex(theme.line()) } else { hex(look.fill) };
        let _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"3\" fill=\"{}\" stroke=\"{edge}\"><title>{}</title></rect>",
            x + 1.0,
            y + 1.0,
            CELL[0] - 2.0,
            CELL[1] - 2.0,
            hex(look.fill),
            escape(&scores.words(row, task).join(" "))
        );
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"{}\">{}</text>",
            x + CELL[0] / 2.0,
            y + CELL[1] / 2.0 + 4.0,
            hex(look.ink),
            if look.text.is_empty() { "\u{2013}" } else { &look.text }
        );
    }
}

fn numbers_line(matrix: &AccuracyMatrix) -> String {
    let numbers = NUMBERS.iter().map(|number| format!("{} {}", number.name, number.written((number.read)(matrix))));
    numbers.collect::<Vec<_>>().join(" \u{00b7} ")
}

/// As in a style sheet.
fn hex(colour: Color32) -> String {
    let [red, green, blue, _] = colour.to_array();
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Text that can stand in XML; characters that XML cannot hold are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            control if control < ' ' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
