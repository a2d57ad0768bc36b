//! What stands in the cells of the table of runs.

use super::differences::{Changes, chip, sentence};
use super::menu;
use crate::engine::protocol::Command;
use crate::ui::panel::Context;
use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::theme::Theme;
use egui::{Atom, Color32, Frame, Label, Margin, ProgressBar, RichText, Shape, Stroke, Ui, pos2, vec2};

/// What a row is drawn from.
pub struct Line<'a> {
    pub run: &'a RunView,
    /// What it is called.
    pub label: &'a str,
    /// Among all runs.
    pub place: usize,
    pub changes: &'a Changes,
}

/// A triangle that points where the largest is.
pub fn arrow(colour: Color32, falling: bool) -> Atom<'static> {
    Atom::paint(vec2(8.0, 6.0), move |ui, args| {
        let area = args.rect;
        let (base, tip) = if falling { (area.top(), area.center_bottom()) } else { (area.bottom(), area.center_top()) };
        let corners = vec![pos2(area.left(), base), pos2(area.right(), base), tip];
        ui.painter().add(Shape::convex_polygon(corners, colour, Stroke::NONE));
    })
}

/// Text as in all other rows: a selected row would have it in the colour of what is selected, which is hard to read there.
pub fn plainly(ui: &mut Ui, theme: Theme) {
    ui.visuals_mut().override_text_color = Some(theme.text());
}

pub fn text(ui: &mut Ui, text: &str) {
    ui.add(Label::new(text).truncate());
}

/// Chips as far as there is room, then how many more there are.
pub fn what_changed(ui: &mut Ui, theme: Theme, number: usize, changes: &Changes) {
    let differences = changes.of(number);
    let quiet = |text: &str| RichText::new(text).small().color(theme.muted());
    if changes.reference() == Some(number) {
        ui.label(quiet("what the others are compared with"));
        return;
    }
    if differences.is_empty() {
        ui.label(quiet("same settings"));
        return;
    }
    let all = || differences.iter().map(sentence).collect::<Vec<_>>().join("\n");
    let font = egui::TextStyle::Small.resolve(ui.style());
    for (index, difference) in differences.iter().enumerate() {
        let text = chip(difference);
        let width = ui.painter().layout_no_wrap(text.clone(), font.clone(), theme.text()).rect.width() + 12.0;
        let left = differences.len() - index;
        let room = ui.available_width() - if left > 1 { 52.0 } else { 0.0 };
        if index > 0 && width > room {
            ui.label(quiet(&format!("{left} more"))).on_hover_text(all());
            return;
        }
        let frame = Frame::new()
            .fill(Theme::faint(theme.accent(), 0.18))
            .corner_radius(4.0)
            .inner_margin(Margin::symmetric(5, 0));
        let shown = frame.show(ui, |ui| ui.add(Label::new(RichText::new(text).small()).truncate()));
        shown.inner.on_hover_text(all());
    }
}

/// Where it stands, and what can be done about it at once.
pub fn status(ui: &mut Ui, context: &mut Context<'_>, line: &Line<'_>) {
    let (run, label, theme) = (line.run, line.label, *context.theme);
    let colour = match run.status {
        RunStatus::Running => theme.accent(),
        RunStatus::Finished => theme.good(),
        RunStatus::Failed(_) => theme.bad(),
        RunStatus::Stopped => theme.warning(),
        RunStatus::Queued | RunStatus::Paused => theme.muted(),
    };
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        ui.add_space(if run.status == RunStatus::Finished { 14.0 } else { 2.0 });
        let word = ui.label(RichText::new(run.status.word()).color(colour));
        if let RunStatus::Failed(message) = &run.status {
            word.on_hover_text(message);
        }
        if run.status == RunStatus::Queued {
            let button = ui.small_button("Remove").accessible_name(format!("Remove {label} from the queue"));
            if button.on_hover_text("Take it out of the queue").clicked() {
                context.send(Command::Unqueue { run: run.number });
            }
        } else if let Some(folder) = menu::resumable(run) {
            let button = ui.small_button("Resume").accessible_name(format!("Resume {label}"));
            if button.on_hover_text("Go on from its last checkpoint").clicked() {
                context.send(Command::ResumeRun { run: run.number, folder: folder.to_string() });
            }
        } else if run.status.is_active() {
            ui.add(
                ProgressBar::new(run.progress() as f32)
                    .desired_width(ui.available_width() - 10.0)
                    .desired_height(8.0)
                    .fill(theme.accent()),
            )
            .on_hover_text(format!("{:.0} %", 100.0 * run.progress()));
        }
    });
}
