//! Walking along a path: the slider, the texts that are generated where it stands, and the marks that flip on the way.

use super::prompts::Prompts;
use super::reading::{self, Quantity, digits};
use crate::engine::config::ExperimentConfig;
use crate::engine::landscape_report::PathReport;
use crate::engine::protocol::{AdapterSource, Command, MarkedExample};
use crate::ui::action::{Action, Export};
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{DragValue, RichText, Sense, Slider, Stroke, Ui, WidgetInfo, vec2};

/// The slider has to rest so long before anything is generated.
pub const REST_SECS: f64 = 0.25;
/// Numbers of generations and marks begin here, so that no other panel has them.
const FIRST_NUMBER: u64 = 3_000_000;
/// From this score on an answer counts as right.
const RIGHT: f64 = 0.5;
/// Most flipped examples that are told in words.
const TOLD: usize = 8;

/// The path that is walked along.
pub struct Ground<'a> {
    pub path: u64,
    pub report: &'a PathReport,
    pub experiment: &'a ExperimentConfig,
    /// For files.
    pub name: &'a str,
    /// The engine has not the adapters of its points: they can be asked for when it was measured again.
    pub earlier: bool,
}

/// Where somebody stands on a path.
#[derive(Debug)]
pub struct Walk {
    pub t: f64,
    path: Option<u64>,
    /// When the slider was moved last, until what it shows has been asked for.
    moved_at: Option<f64>,
    paused: bool,
    prompts: Prompts,
    /// Scored examples of each task; 0 for none.
    marked: usize,
    start: Option<u64>,
    asked: Option<u64>,
    /// The last marks that came.
    shown: Option<u64>,
    /// Why marks did not come.
    told: Option<String>,
    next: u64,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            t: 0.0,
            path: None,
            moved_at: None,
            paused: false,
            prompts: Prompts::default(),
            marked: 3,
            start: None,
            asked: None,
            shown: None,
            told: None,
            next: 0,
        }
    }
}

impl Walk {
    /// Begins anew on another path, at the same place of it.
    pub fn enter(&mut self, path: u64) {
        if self.path != Some(path) {
            (self.path, self.moved_at) = (Some(path), None);
            (self.start, self.asked, self.shown, self.told) = (None, None, None, None);
            self.prompts.forget();
        }
    }

    /// Moves the slider.
    pub fn go(&mut self, t: f64, now_secs: f64) {
        if t != self.t && t.is_finite() {
            (self.t, self.moved_at) = (t, Some(now_secs));
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        FIRST_NUMBER + self.next
    }

    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>, ground: &Ground<'_>) {
        self.prompts.propose(context.state, ground.experiment);
        let [from, to] = reading::range(ground.report);
        self.t = self.t.clamp(from, to);
        let mut t = self.t;
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().slider_width = (ui.available_width() - 210.0).clamp(100.0, 420.0);
            let slider = Slider::new(&mut t, from..=to).step_by(0.01).fixed_decimals(2).text("place on the path, t");
            let help = "Drag, use the arrow keys, or drag in the plots above.";
            if ui.add(slider).on_hover_text(help).changed() {
                self.go(t, context.now_secs);
            }
        });
        here(ui, context.theme, ground.report, self.t);
        ui.horizontal_wrapped(|ui| {
            let mut live = !self.paused;
            ui.checkbox(&mut live, "Ask the model wherever the slider rests");
            self.paused = !live;
            let can_ask = context.state.active.is_none() && !ground.earlier;
            if self.paused && ui.add_enabled(can_ask, egui::Button::new("Ask here")).clicked() {
                self.ask(context, ground);
            }
            let export = ui.add_enabled(!ground.earlier, egui::Button::new("Export this point..."));
            if export.on_hover_text("As an adapter in PEFT's format.").clicked() {
                let from = AdapterSource::OnPath { path: ground.path, t: self.t };
                let command = Box::new(Command::ExportAdapter { from, path: String::new() });
                let name = format!("{}-t{:.2}", ground.name, self.t);
                context.actions.push(Action::Export(Export::Command { name, command }));
            }
        });
        if context.state.active.is_some() {
            ui.colored_label(context.theme.warning(), super::BUSY);
        } else if !ground.earlier {
            self.wait(ui, context, ground);
        }
        ui.add_space(Theme::GAP);
        let wide = ui.available_width() >= 620.0;
        if wide {
            ui.columns_const(|[left, right]| {
                self.texts(left, context, ground);
                self.marks(right, context, ground);
            });
        } else {
            self.texts(ui, context, ground);
            self.marks(ui, context, ground);
        }
    }

    /// Asks once the slider has rested long enough.
    fn wait(&mut self, ui: &Ui, context: &mut Context<'_>, ground: &Ground<'_>) {
        let Some(moved) = self.moved_at.filter(|_| !self.paused) else { return };
        let rested = context.now_secs - moved;
        if rested >= REST_SECS {
            self.ask(context, ground);
        } else {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64((REST_SECS - rested).max(0.0)));
        }
    }

    fn ask(&mut self, context: &mut Context<'_>, ground: &Ground<'_>) {
        self.moved_at = None;
        let at = |t: f64| AdapterSource::OnPath { path: ground.path, t };
        let mut next = self.next;
        self.prompts.ask(context, &at(self.t), ground.experiment, || {
            next += 1;
            FIRST_NUMBER + next
        });
        self.next = next;
        if self.marked == 0 {
            return;
        }
        let each = self.marked;
        let examples: Vec<(usize, usize)> =
            (0..ground.report.tasks.len()).flat_map(|task| (0..each).map(move |example| (task, example))).collect();
        let mark = |id: u64, t: f64| Command::Mark {
            id,
            source: at(t),
            examples: examples.clone(),
            experiment: Box::new(ground.experiment.clone()),
        };
        if self.start.is_none() {
            let id = self.number();
            self.start = Some(id);
            context.send(mark(id, 0.0));
        }
        if self.t == 0.0 {
            self.asked = self.start;
        } else {
            let id = self.number();
            self.asked = Some(id);
            context.send(mark(id, self.t));
        }
    }

    fn texts(&mut self, ui: &mut Ui, context: &Context<'_>, ground: &Ground<'_>) {
        ui.label(RichText::new("Answers at this point").strong());
        if self.prompts.show(ui, context, ground.experiment) {
            self.moved_at = Some(context.now_secs);
        }
    }

    fn marks(&mut self, ui: &mut Ui, context: &Context<'_>, ground: &Ground<'_>) {
        ui.label(RichText::new("Marks of evaluation examples").strong());
        let before = self.marked;
        let help = "So many of each task's scored examples are answered at t = 0 and where the slider rests.";
        super::form::number(ui, "Examples of each task", DragValue::new(&mut self.marked).range(0..=12), help);
        if self.marked != before {
            (self.start, self.asked, self.shown) = (None, None, None);
            self.moved_at = Some(context.now_secs);
        }
        // What failed is asked for again with the next move; the marks at t = 0 too.
        let failed = |id: Option<u64>| id.and_then(|id| context.state.marks_failed.get(&id));
        if let Some(message) = failed(self.start).or_else(|| failed(self.asked)) {
            self.told = Some(message.clone());
            self.start = self.start.filter(|id| !context.state.marks_failed.contains_key(id));
            self.asked = None;
        }
        let known = |id: &u64| context.state.marked.contains_key(id);
        if self.asked.as_ref().is_some_and(known) {
            self.told = None;
        }
        if let Some(message) = &self.told {
            ui.colored_label(context.theme.bad(), message);
        }
        if self.asked.as_ref().is_some_and(known) {
            self.shown = self.asked;
        }
        let list = |id: Option<u64>| id.and_then(|id| context.state.marked.get(&id)).map_or(&[][..], Vec::as_slice);
        let (start, now) = (list(self.start), list(self.shown));
        if now.is_empty() {
            let words = if self.asked.is_some() { "waiting for the marks..." } else { "Move the slider to see them." };
            ui.weak(words);
            return;
        }
        let flips = Flips::between(start, now);
        ui.label(flips.words());
        rows(ui, context.theme, ground.report, &flips);
        flips.list(ui, context.theme, ground.report);
    }
}

/// The values where the slider stands.
fn here(ui: &mut Ui, theme: &Theme, report: &PathReport, t: f64) {
    let mut words = match reading::value_at(report, Quantity::MEAN_LOSS, t) {
        Some(loss) => format!("Mean loss {}", digits(loss)),
        None => "No finite mean loss".to_string(),
    };
    if let Some([start, end]) = reading::chord(report, Quantity::MEAN_LOSS) {
        words += &format!(", chord {}", digits(start + t * (end - start)));
    }
    if let Some(score) = reading::value_at(report, Quantity::MEAN_SCORE, t) {
        words += &format!(", mean score {:.1} %", 100.0 * score);
    }
    ui.label(RichText::new(words).color(theme.muted()));
}

/// Marks at the slider, each with the one at t = 0.
struct Flips<'a> {
    pairs: Vec<(&'a MarkedExample, Option<&'a MarkedExample>)>,
}

fn is_right(mark: &MarkedExample) -> bool {
    mark.score >= RIGHT
}

impl<'a> Flips<'a> {
    fn between(start: &'a [MarkedExample], now: &'a [MarkedExample]) -> Self {
        let at_start =
            |mark: &MarkedExample| start.iter().find(|other| (other.task, other.example) == (mark.task, mark.example));
        Self { pairs: now.iter().map(|mark| (mark, at_start(mark))).collect() }
    }

    fn flipped(&self) -> impl Iterator<Item = (&'a MarkedExample, &'a MarkedExample)> + '_ {
        let both = self.pairs.iter().filter_map(|(now, start)| Some((*now, (*start)?)));
        both.filter(|(now, start)| is_right(now) != is_right(start))
    }

    fn words(&self) -> String {
        let (won, all) = (self.flipped().filter(|(now, _)| is_right(now)).count(), self.flipped().count());
        let right = self.pairs.iter().filter(|(now, _)| is_right(now)).count();
        let (count, lost) = (self.pairs.len(), all - won);
        format!("{right} of {count} right. Since t = 0: {won} won, {lost} lost.")
    }

    /// What flipped, in words.
    fn list(&self, ui: &mut Ui, theme: &Theme, report: &PathReport) {
        for (now, start) in self.flipped().take(TOLD) {
            let task = report.tasks.get(now.task).map_or("", String::as_str);
            let colour = if is_right(now) { theme.good() } else { theme.bad() };
            let word = if is_right(now) { "won" } else { "lost" };
            let said = |mark: &MarkedExample| mark.prediction.trim().to_string();
            ui.horizontal_wrapped(|ui| {
                ui.colored_label(colour, word);
                ui.colored_label(theme.task(now.task), task);
                let words = format!("\"{}\", was \"{}\", wanted \"{}\"", said(now), said(start), now.answer.trim());
                ui.label(words).on_hover_text(&now.prompt);
            });
        }
        let more = self.flipped().count().saturating_sub(TOLD);
        if more > 0 {
            ui.weak(format!("and {more} more"));
        }
    }
}

/// A row for each task: a disc for a right answer, a cross for a wrong one, a ring around what flipped since t = 0.
fn rows(ui: &mut Ui, theme: &Theme, report: &PathReport, flips: &Flips<'_>) {
    egui::Grid::new("marks").spacing([Theme::GAP, 0.0]).show(ui, |ui| {
        for part in flips.pairs.chunk_by(|(a, _), (b, _)| a.task == b.task) {
            let Some((first, _)) = part.first() else { continue };
            let task = report.tasks.get(first.task).map_or("", String::as_str);
            ui.colored_label(theme.task(first.task), task);
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing = vec2(2.0, 2.0);
                for (now, start) in part {
                    glyph(ui, theme, task, now, *start);
                }
            });
            ui.end_row();
        }
    });
}

fn glyph(ui: &mut Ui, theme: &Theme, task: &str, now: &MarkedExample, start: Option<&MarkedExample>) {
    let (rect, response) = ui.allocate_exact_size(vec2(20.0, 20.0), Sense::hover());
    let right = is_right(now);
    let flipped = start.is_some_and(|start| is_right(start) != right);
    let (painter, middle) = (ui.painter(), rect.center());
    if right {
        painter.circle_filled(middle, 5.0, theme.good());
    } else {
        let stroke = Stroke::new(2.0, theme.bad());
        for arm in [vec2(4.0, 4.0), vec2(4.0, -4.0)] {
            painter.line_segment([middle - arm, middle + arm], stroke);
        }
    }
    if flipped {
        painter.circle_stroke(middle, 8.5, Stroke::new(2.0, theme.accent()));
    }
    let word = |right: bool| if right { "right" } else { "wrong" };
    let mut name = format!("{task} {}: {}", now.example + 1, word(right));
    if flipped {
        name += &format!(", was {} at t = 0", word(!right));
    }
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, &name));
    response.on_hover_ui(|ui| {
        ui.set_max_width(320.0);
        ui.label(RichText::new(&name).strong());
        ui.label(&now.prompt);
        ui.label(format!("answered: {}", now.prediction.trim()));
        if let Some(start) = start.filter(|start| start.prediction != now.prediction) {
            ui.label(format!("at t = 0: {}", start.prediction.trim()));
        }
        ui.label(format!("wanted: {}", now.answer.trim()));
    });
}
