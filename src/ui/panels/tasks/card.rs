//! One task of the stream as a card: what it is at a glance, and buttons to move, remove and open it.

use super::icon::{Icon, button};
use super::words::{facts, shortened};
use super::{Change, Entry, TasksPanel, fold, order, small};
use crate::engine::protocol::cards::{TaskCard, TaskProblem};
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{Align, Label, Layout, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextStyle, Ui, WidgetInfo, vec2};

/// Width from which the histogram stands beside the facts.
const WIDE: f32 = 440.0;
/// Width of the histogram there.
const HISTOGRAM: f32 = 200.0;
/// Width from which name and buttons share a line.
const ONE_LINE: f32 = 230.0;
/// Labels that a closed card shows.
const LABELS: usize = 6;

impl TasksPanel {
    /// Draws a card and, where it is open, its details.
    pub(super) fn card(&mut self, ui: &mut Ui, context: &mut Context<'_>, entry: &Entry<'_>) -> Option<Change> {
        let theme = context.theme;
        let mut frame = theme.card_frame();
        if matches!(entry.known, Some(Err(_))) {
            frame = frame.stroke(Stroke::new(1.0, theme.bad()));
        }
        let shown = frame.show(ui, |ui| {
            ui.set_width(ui.available_width());
            if order::is_dragged(ui, entry.place) {
                ui.set_opacity(0.5);
            }
            let change = self.title(ui, theme, entry);
            match entry.known {
                None => {
                    ui.label(RichText::new("Reading…").color(theme.muted()));
                }
                Some(Ok(card)) => self.glance(ui, context, entry, card),
                Some(Err(problem)) => trouble(ui, theme, problem, self.open.contains(entry.source())),
            }
            let inner = self.open.contains(entry.source()).then(|| self.details(ui, context, entry)).flatten();
            change.or(inner)
        });
        let stripe = Rect::from_min_size(shown.response.rect.min, vec2(4.0, shown.response.rect.height()));
        ui.painter().rect_filled(stripe, Theme::ROUNDING, theme.task(entry.place));
        shown.inner
    }

    /// The first line: grip, number, name, buttons.
    fn title(&mut self, ui: &mut Ui, theme: &Theme, entry: &Entry<'_>) -> Option<Change> {
        let name = entry.name();
        let mut change = None;
        if ui.available_width() >= ONE_LINE {
            ui.horizontal(|ui| {
                order::grip(ui, theme, entry.place, &name);
                number(ui, theme, entry.place);
                let room = ui.available_width() - 3.0 * (Theme::TARGET + Theme::GAP);
                self.opener(ui, entry, &name, room);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| change = buttons(ui, entry, &name, true));
            });
        } else {
            ui.horizontal(|ui| {
                order::grip(ui, theme, entry.place, &name);
                number(ui, theme, entry.place);
                change = buttons(ui, entry, &name, false);
            });
            let room = ui.available_width();
            self.opener(ui, entry, &name, room);
        }
        change
    }

    /// The name with an arrow, which opens and closes the card.
    fn opener(&mut self, ui: &mut Ui, entry: &Entry<'_>, name: &str, room: f32) {
        let open = self.open.contains(entry.source());
        let response = fold::line(ui, RichText::new(name).strong(), &format!("Details of {name}"), room, open);
        if response.clicked() && !self.open.remove(entry.source()) {
            self.open.insert(entry.source().to_string());
        }
    }

    /// Counts, metric, chance, labels and lengths.
    fn glance(&mut self, ui: &mut Ui, context: &mut Context<'_>, entry: &Entry<'_>, card: &TaskCard) {
        let theme = context.theme;
        let limit = context.state.draft.config.training.max_length;
        let histogram = self.histograms.get(&entry.id);
        let draw = |ui: &mut Ui| {
            if let Some(histogram) = histogram {
                histogram.show(ui, theme, &card.name, limit);
            }
        };
        let text = |ui: &mut Ui| {
            ui.label(facts(card));
            labels(ui, theme, card);
            if !card.warnings.is_empty() && !self.open.contains(entry.source()) {
                let count = super::words::counted(card.warnings.len(), "remark", "remarks");
                ui.label(RichText::new(format!("{count}: open the card to read")).color(theme.warning()));
            }
        };
        if ui.available_width() >= WIDE {
            ui.horizontal_top(|ui| {
                let left = ui.available_width() - HISTOGRAM - Theme::GROUP_GAP;
                ui.allocate_ui_with_layout(vec2(left, 0.0), Layout::top_down(Align::Min), |ui| {
                    ui.set_width(left);
                    text(ui);
                });
                ui.add_space(Theme::GAP);
                ui.allocate_ui_with_layout(vec2(HISTOGRAM, 0.0), Layout::top_down(Align::Min), draw);
            });
        } else {
            text(ui);
            draw(ui);
        }
    }
}

/// The task's place in the stream on its colour.
fn number(ui: &mut Ui, theme: &Theme, place: usize) {
    let (area, response) = ui.allocate_exact_size(vec2(22.0, 18.0), Sense::hover());
    let colour = theme.task(place);
    ui.painter().rect(area, 4.0, colour, Stroke::NONE, StrokeKind::Inside);
    let font = TextStyle::Small.resolve(ui.style());
    ui.painter().text(area.center(), egui::Align2::CENTER_CENTER, place + 1, font, Theme::on(colour));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("Task {}", place + 1)));
}

/// Up, down and remove; `backwards` where the line is filled from the right.
fn buttons(ui: &mut Ui, entry: &Entry<'_>, name: &str, backwards: bool) -> Option<Change> {
    let place = entry.place;
    let mut change = None;
    let last = place + 1 >= entry.tasks;
    let mut all = [
        (Icon::Up, format!("Move up {name}"), place > 0, Change::Move(place, place.saturating_sub(1))),
        (Icon::Down, format!("Move down {name}"), !last, Change::Move(place, place + 1)),
        (Icon::Remove, format!("Remove {name}"), true, Change::Remove(place)),
    ];
    if backwards {
        all.reverse();
    }
    for (icon, label, enabled, then) in all {
        if button(ui, icon, &label, enabled).clicked() {
            change = Some(then);
        }
    }
    change
}

/// The first labels with their counts.
fn labels(ui: &mut Ui, theme: &Theme, card: &TaskCard) {
    if card.labels.is_empty() {
        return;
    }
    // A chip is never wider than the card: about 6 points a letter, and room for the count.
    let letters = ((ui.available_width() - 60.0) / 6.5).clamp(4.0, 20.0) as usize;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        for label in card.labels.iter().take(LABELS) {
            let chip =
                egui::Frame::new().fill(ui.visuals().faint_bg_color).corner_radius(4.0).inner_margin(vec2(5.0, 1.0));
            let text =
                RichText::new(format!("{} {}", shortened(&label.label, letters), super::words::grouped(label.train)));
            chip.show(ui, |ui| ui.add(Label::new(text.text_style(TextStyle::Small)).extend()))
                .response
                .on_hover_text(format!("{:?}: {} to train on, {} scored", label.label, label.train, label.eval));
        }
        if card.labels.len() > LABELS {
            ui.label(small(theme, format!("and {} more labels", card.labels.len() - LABELS)));
        }
    });
}

/// A file that is no task: the sentence, and how many lines are wrong.
fn trouble(ui: &mut Ui, theme: &Theme, problem: &TaskProblem, open: bool) {
    ui.label(RichText::new(&problem.message).color(theme.bad()));
    if !open {
        let what = match problem.lines.len() {
            0 if problem.columns.is_empty() => return,
            0 => "Open the card to choose the columns.".to_string(),
            count => format!(
                "{}: open the card to see them.",
                super::words::counted(count, "line is wrong", "lines are wrong")
            ),
        };
        ui.label(RichText::new(what).color(theme.muted()));
    }
}
