//! How near the checkpoints of a run are to one another: a small matrix of the measure that one chooses.

use super::adapters::{self, Choice};
use super::measuring::Watched;
use super::reading::digits;
use crate::engine::landscape_report::{Measure, SimilarityReport, modules_csv, render_similarity, similarity_csv};
use crate::engine::protocol::{AdapterSource, Command, SimilarityCommand};
use crate::ui::action::{Action, Export};
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{Align2, ComboBox, DragValue, Rect, RichText, Sense, TextStyle, Ui, WidgetInfo, vec2};

/// Numbers of comparisons begin here, so that no other exploration has them.
const FIRST_NUMBER: u64 = 2_500_000;
/// Widest cell.
const CELL: f32 = 46.0;

/// What is compared, and how it is shown.
#[derive(Debug)]
pub struct Nearness {
    measure: Measure,
    features: bool,
    examples: usize,
    asked: Option<Watched>,
    next: u64,
}

impl Default for Nearness {
    fn default() -> Self {
        Self { measure: Measure::UpdateDistance, features: true, examples: 64, asked: None, next: 0 }
    }
}

impl Nearness {
    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>, choices: &[Choice], anchors: &[AdapterSource]) {
        let told = self.asked.as_ref().and_then(|asked| context.state.similarities.get(&asked.id)).map(Into::into);
        if let Some(asked) = &mut self.asked {
            asked.keep_up(context.state, told);
        }
        egui::CollapsingHeader::new("How near the adapters are").show(ui, |ui| {
            ui.label(
                RichText::new(
                    "Distances, angles and cosines of the adapters, and what the model makes of the same inputs.",
                )
                .small()
                .color(context.theme.muted()),
            );
            ui.horizontal_wrapped(|ui| {
                let of_run = adapters::run_with_adapters(context.state).map(|run| run.number);
                let all: Vec<AdapterSource> = choices
                    .iter()
                    .filter(|choice| of_run.is_some() && choice.run == of_run)
                    .map(|choice| choice.source.clone())
                    .collect();
                let button = egui::Button::new("Compare all of the run");
                if ui.add_enabled(all.len() > 1, button).clicked() {
                    self.ask(context, choices, &all);
                }
                let button = egui::Button::new("Compare the chosen ones");
                if ui.add_enabled(anchors.len() > 1, button).clicked() {
                    self.ask(context, choices, anchors);
                }
            });
            ui.horizontal_wrapped(|ui| {
                ui.checkbox(&mut self.features, "Hidden states too (CKA)").on_hover_text(
                    "Linear CKA of what the model makes of the tasks' examples; it takes a pass an adapter.",
                );
                if self.features {
                    let help = "Examples of each task; 500 or more in all say something.";
                    let value = DragValue::new(&mut self.examples).range(1..=10_000);
                    super::form::number(ui, "Examples", value, help);
                }
            });
            let Some(asked) = &mut self.asked else { return };
            let report = context.state.similarities.get(&asked.id).and_then(|view| view.report.as_ref());
            asked.show(ui, context, usize::from(report.is_some()), 1);
            if let Some(report) = report {
                self.look(ui, context, report);
            }
        });
    }

    fn ask(&mut self, context: &mut Context<'_>, choices: &[Choice], sources: &[AdapterSource]) {
        let id = FIRST_NUMBER + self.next;
        self.next += 1;
        let adapters = adapters::named(choices, sources);
        let similarity = SimilarityCommand { adapters, features: self.features, examples: self.examples };
        let experiment = Box::new(adapters::experiment_of(context.state, choices, sources));
        context.send(Command::MeasureSimilarity { id, similarity: Box::new(similarity), experiment });
        self.asked = Some(Watched::new(id));
    }

    fn look(&mut self, ui: &mut Ui, context: &mut Context<'_>, report: &SimilarityReport) {
        let known: Vec<Measure> = report.tables.iter().map(|table| table.measure).collect();
        let Some(first) = known.first() else {
            ui.label("No two of them could be compared.");
            return;
        };
        if !known.contains(&self.measure) {
            self.measure = *first;
        }
        ui.horizontal(|ui| {
            let label = ui.label("Measure");
            let list = ComboBox::from_id_salt("measure of nearness").selected_text(self.measure.title()).width(180.0);
            let shown = list.show_ui(ui, |ui| {
                for measure in &known {
                    ui.selectable_value(&mut self.measure, *measure, measure.title());
                }
            });
            shown.response.labelled_by(label.id);
        });
        matrix(ui, context.theme, report, self.measure);
        for (index, name) in report.adapters.iter().enumerate() {
            ui.label(RichText::new(format!("{}. {name}", index + 1)).small().color(context.theme.muted()));
        }
        for warning in &report.warnings {
            ui.colored_label(context.theme.warning(), warning);
        }
        ui.horizontal_wrapped(|ui| {
            let mut save = |name: &str, content: String| {
                context.actions.push(Action::Export(Export::Text { name: name.into(), content }));
            };
            if ui.button("Save the pairs (CSV)...").clicked() {
                save("similarity.csv", similarity_csv(report));
            }
            if ui.button("Save the modules (CSV)...").clicked() {
                save("similarity-modules.csv", modules_csv(report));
            }
            if ui.button("Save the comparison (HTML)...").clicked() {
                save("similarity.html", render_similarity(report));
            }
        });
    }
}

/// A cell for each pair, shaded between the least and the greatest value off the diagonal.
fn matrix(ui: &mut Ui, theme: &Theme, report: &SimilarityReport, measure: Measure) {
    let count = report.adapters.len();
    let value = |row: usize, column: usize| report.value(measure, row, column).filter(|value| value.is_finite());
    let others = || (0..count).flat_map(|row| (0..row).filter_map(move |column| value(row, column)));
    let (low, high) = (others().fold(f64::INFINITY, f64::min), others().fold(f64::NEG_INFINITY, f64::max));
    let cell = ((ui.available_width() - 20.0) / (count + 1) as f32).clamp(14.0, CELL);
    let (area, response) = ui.allocate_exact_size(vec2(cell, cell) * (count + 1) as f32, Sense::hover());
    let words = if low <= high { format!(", from {} to {}", digits(low), digits(high)) } else { String::new() };
    let name = format!("Matrix of {} adapters: {}{words}", count, measure.title());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, &name));
    let painter = ui.painter();
    let font = TextStyle::Small.resolve(ui.style());
    let at = |row: usize, column: usize| {
        Rect::from_min_size(area.min + vec2(column as f32 * cell, row as f32 * cell), vec2(cell, cell))
    };
    for index in 0..count {
        for place in [at(0, index + 1), at(index + 1, 0)] {
            let number = (index + 1).to_string();
            painter.text(place.center(), Align2::CENTER_CENTER, number, font.clone(), theme.muted());
        }
        for column in 0..count {
            let rect = at(index + 1, column + 1).shrink(0.5);
            let Some(value) = value(index, column) else {
                painter.text(rect.center(), Align2::CENTER_CENTER, "-", font.clone(), theme.muted());
                continue;
            };
            if index == column {
                continue;
            }
            let share = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
            painter.rect_filled(rect, 0.0, theme.heat(Some(share)));
            if cell >= 36.0 {
                let ink = Theme::on(theme.heat(Some(share)));
                painter.text(rect.center(), Align2::CENTER_CENTER, digits(value), font.clone(), ink);
            }
        }
    }
    let pointed = response.hover_pos().and_then(|place| {
        let [column, row] = [(place.x - area.left()) / cell, (place.y - area.top()) / cell].map(|at| at as usize);
        (row > 0 && column > 0 && row <= count && column <= count).then_some((row - 1, column - 1))
    });
    if let Some((row, column)) = pointed {
        let value = value(row, column).map_or_else(|| "no value".to_string(), digits);
        let words = format!("{}\n{}\n{}: {value}", report.adapters[row], report.adapters[column], measure.title());
        response.on_hover_text(words);
    }
}
