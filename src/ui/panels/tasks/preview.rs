//! Examples as the model sees them: one chip a token, those that the loss is taken on coloured.

use super::icon::{Icon, button};
use crate::engine::protocol::cards::{PreviewExample, PreviewToken};
use crate::ui::action::Action;
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{
    Color32, FontId, Galley, Pos2, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextStyle, Ui, WidgetInfo, pos2,
    vec2,
};
use std::sync::Arc;

/// Most tokens that are drawn; of a longer prompt the middle is left out.
const MOST: usize = 800;
/// Tokens that are drawn of its start.
const START: usize = 100;
/// Room left and right of a token's text.
const PADDING: f32 = 3.0;

/// One of the examples with a legend; `shown` is its index.
pub(super) fn show(ui: &mut Ui, context: &mut Context<'_>, name: &str, examples: &[PreviewExample], shown: &mut usize) {
    let theme = context.theme;
    *shown = (*shown).min(examples.len().saturating_sub(1));
    let Some(example) = examples.get(*shown) else {
        ui.label(RichText::new("There is no example to show.").color(theme.muted()));
        return;
    };
    ui.horizontal_wrapped(|ui| {
        if turn(ui, false, &format!("Previous example of {name}"), *shown > 0) {
            *shown -= 1;
        }
        if turn(ui, true, &format!("Next example of {name}"), *shown + 1 < examples.len()) {
            *shown += 1;
        }
        ui.label(format!("Example {} of {}", *shown + 1, examples.len()));
        let copy = ui.small_button("Copy").on_hover_text("The text of this example");
        if copy.clicked() {
            let text = example.tokens.iter().map(|token| token.text.as_str()).collect();
            context.actions.push(Action::Copy(text));
        }
    });
    chips(ui, theme, example);
    legend(ui, theme);
}

/// A button that turns to the next or the previous example.
fn turn(ui: &mut Ui, forward: bool, name: &str, enabled: bool) -> bool {
    button(ui, if forward { Icon::Closed } else { Icon::Back }, name, enabled).clicked()
}

/// A token's text with its blanks and line ends made visible.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' ' => shown.push('·'),
            '\n' => shown.push('¶'),
            '\t' => shown.push_str("\\t"),
            other if other.is_control() => shown.extend(other.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}

/// What is drawn: a token, or the gap that stands for those left out.
enum Piece<'a> {
    Token(&'a PreviewToken),
    Gap(usize),
}

fn pieces(tokens: &[PreviewToken]) -> Vec<Piece<'_>> {
    if tokens.len() <= MOST {
        return tokens.iter().map(Piece::Token).collect();
    }
    // The answer stands at the end.
    let (start, rest) = tokens.split_at(START.min(tokens.len()));
    let (middle, end) = rest.split_at(rest.len().saturating_sub(MOST - START));
    start.iter().map(Piece::Token).chain([Piece::Gap(middle.len())]).chain(end.iter().map(Piece::Token)).collect()
}

/// A chip at its place.
struct Chip<'a> {
    piece: Piece<'a>,
    area: Rect,
    galley: Arc<Galley>,
}

/// Puts the chips into rows of this width; returns them and the height.
fn flow<'a>(ui: &Ui, theme: &Theme, tokens: &'a [PreviewToken], width: f32) -> (Vec<Chip<'a>>, f32) {
    let font: FontId = TextStyle::Monospace.resolve(ui.style());
    let row = ui.text_style_height(&TextStyle::Monospace) + 4.0;
    let mut chips = Vec::with_capacity(tokens.len());
    let mut at: Pos2 = Pos2::ZERO;
    for piece in pieces(tokens) {
        let (text, colour, ends_line) = match &piece {
            Piece::Token(token) => (
                visible(&token.text),
                if token.trained { theme.text() } else { theme.muted() },
                token.text.ends_with('\n'),
            ),
            Piece::Gap(count) => (format!("… {count} tokens …"), theme.muted(), false),
        };
        let galley = ui.painter().layout_no_wrap(text, font.clone(), colour);
        let size = vec2(galley.size().x + 2.0 * PADDING, row);
        if at.x > 0.0 && at.x + size.x > width {
            at = pos2(0.0, at.y + row + 3.0);
        }
        chips.push(Chip { piece, area: Rect::from_min_size(at, size), galley });
        at.x += size.x + 2.0;
        if ends_line {
            at = pos2(0.0, at.y + row + 3.0);
        }
    }
    let bottom = chips.last().map_or(0.0, |chip| chip.area.bottom());
    (chips, bottom)
}

fn chips(ui: &mut Ui, theme: &Theme, example: &PreviewExample) {
    let width = ui.available_width();
    let (chips, height) = flow(ui, theme, &example.tokens, width);
    let (area, response) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let moved = area.min.to_vec2();
    let pointer = response.hover_pos();
    let mut under = None;
    for chip in &chips {
        let place = chip.area.translate(moved);
        if !ui.is_rect_visible(place) {
            continue;
        }
        if let Piece::Token(token) = &chip.piece {
            ground(ui, theme, place, token.trained);
            if pointer.is_some_and(|at| place.contains(at)) {
                under = Some(*token);
            }
        }
        let text_at = pos2(place.left() + PADDING, place.center().y - chip.galley.size().y / 2.0);
        ui.painter().galley(text_at, chip.galley.clone(), Color32::PLACEHOLDER);
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, spoken(example)));
    if let Some(token) = under {
        let loss = if token.trained { "the loss is taken on it" } else { "read only, no loss" };
        response.on_hover_text_at_pointer(format!("token {}: {loss}", token.id));
    }
}

/// The ground of a chip: filled where the loss is taken, an outline elsewhere.
fn ground(ui: &Ui, theme: &Theme, place: Rect, trained: bool) {
    if trained {
        ui.painter().rect_filled(place, 3.0, theme.trained_token());
    } else {
        ui.painter().rect_stroke(place, 3.0, Stroke::new(1.0, theme.line()), StrokeKind::Inside);
    }
}

/// The example for somebody who does not see the colours.
fn spoken(example: &PreviewExample) -> String {
    let part = |trained: bool| -> String {
        let tokens = example.tokens.iter().filter(|token| token.trained == trained);
        tokens.map(|token| token.text.as_str()).collect()
    };
    format!("Read only: {}. Trained on: {}.", part(false), part(true))
}

fn legend(ui: &mut Ui, theme: &Theme) {
    ui.horizontal_wrapped(|ui| {
        for (trained, text) in [(true, "the loss is taken here"), (false, "read only")] {
            let (area, _) = ui.allocate_exact_size(vec2(18.0, 12.0), Sense::hover());
            ground(ui, theme, area, trained);
            ui.label(super::small(theme, text));
        }
        ui.label(super::small(theme, "· a space, ¶ a line end"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_line_ends_are_seen() {
        assert_eq!(visible(" the\n"), "·the¶");
        assert_eq!(visible("a\tb\u{7}"), "a\\tb\\u{7}");
    }

    #[test]
    fn a_long_prompt_loses_its_middle_and_never_its_answer() {
        let token = |trained| PreviewToken { text: "x".into(), id: 1, trained };
        let mut tokens = vec![token(false); 3000];
        tokens.extend(vec![token(true); 5]);
        let pieces = pieces(&tokens);
        assert_eq!(pieces.len(), MOST + 1);
        let trained = pieces.iter().filter(|piece| matches!(piece, Piece::Token(token) if token.trained)).count();
        let left_out: usize = pieces.iter().map(|piece| if let Piece::Gap(count) = piece { *count } else { 0 }).sum();
        assert_eq!((trained, left_out), (5, 3005 - MOST));
    }
}
