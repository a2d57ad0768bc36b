//! What the cards of the panel have in common: the card itself, sentences with a colour, bars.

use crate::ui::theme::Theme;
use egui::{Color32, CornerRadius, Label, Rect, Response, RichText, Role, Sense, TextStyle, Ui, Vec2, WidgetInfo};

/// Height of a bar.
const BAR: f32 = 14.0;

/// A titled card as wide as there is room.
pub fn card(ui: &mut Ui, theme: Theme, title: &str, content: impl FnOnce(&mut Ui)) {
    theme.card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(title).text_style(TextStyle::Heading));
        content(ui);
    });
}

/// Less important text, in as many lines as it takes.
pub fn note(ui: &mut Ui, theme: Theme, text: impl Into<String>) -> Response {
    ui.add(Label::new(RichText::new(text).color(theme.muted())).wrap())
}

/// A sentence that is to be noticed: a stripe of the colour beside it, so that it does not hang on colour alone.
pub fn notice(ui: &mut Ui, colour: Color32, text: &str) {
    let response =
        egui::Frame::new().inner_margin(egui::Margin { left: 10, right: 0, top: 2, bottom: 2 }).show(ui, |ui| {
            ui.add(Label::new(RichText::new(text).color(colour)).wrap());
        });
    let mut stripe = response.response.rect;
    stripe.max.x = stripe.min.x + 3.0;
    ui.painter().rect_filled(stripe, CornerRadius::same(1), colour);
}

/// A bar of shares in `[0, 1]` one after another, over the whole width. `name` is what a screen reader says.
pub fn bar(ui: &mut Ui, theme: Theme, height: Option<f32>, shares: &[(f64, Color32)], name: &str) -> Response {
    let size = Vec2::new(ui.available_width(), height.unwrap_or(BAR));
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    // parts beside one another fill the corners
    let radius = if shares.len() == 1 { CornerRadius::same(3) } else { CornerRadius::ZERO };
    ui.painter().rect_filled(rect, radius, theme.ground());
    let mut left = rect.left();
    for (share, colour) in shares {
        let width = share.clamp(0.0, 1.0) as f32 * rect.width();
        // something that is there is seen, however little it is
        let width = if *share > 0.0 { width.max(1.0) } else { 0.0 };
        let right = (left + width).min(rect.right());
        ui.painter().rect_filled(Rect::from_x_y_ranges(left..=right, rect.y_range()), radius, *colour);
        left = right;
    }
    ui.painter().rect_stroke(rect, radius, egui::Stroke::new(1.0, theme.line()), egui::StrokeKind::Inside);
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, name));
    response
}

/// A field for one line with a button at its right; the button has its room first, so that neither is cut in a narrow panel.
/// Returns whether the button was clicked or Enter pressed.
pub fn field_and_button(
    ui: &mut Ui,
    theme: Theme,
    text: &mut String,
    (hint, button, why_not): (&str, &str, &str),
    label: egui::Id,
    ready: impl FnOnce(&str) -> bool,
) -> bool {
    ui.horizontal(|ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let ready = ready(text);
            let button = ui.add_enabled(ready, egui::Button::new(button)).on_disabled_hover_text(why_not);
            let field = egui::TextEdit::singleline(text)
                .hint_text(hint)
                .background_color(theme.ground())
                .desired_width(ui.available_width());
            let field = ui.add(field).labelled_by(label);
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            ready && (button.clicked() || entered)
        })
        .inner
    })
    .inner
}

/// A small square of a legend.
pub fn swatch(ui: &mut Ui, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
    ui.painter().rect_filled(rect, CornerRadius::same(2), colour);
}

/// A line that is cut at the edge and shown whole when pointed at.
pub fn long_line(ui: &mut Ui, text: RichText) -> Response {
    let whole = text.text().to_owned();
    ui.add(Label::new(text).truncate()).on_hover_text(whole)
}
