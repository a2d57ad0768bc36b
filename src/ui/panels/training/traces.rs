//! The curves of the selected run: loss terms, the total loss of the runs compared with it, and small plots of the rest.

use super::{controls, knobs};
use crate::ui::action::Action;
use crate::ui::panel::Context;
use crate::ui::series::Series;
use crate::ui::state::AppState;
use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::theme::Theme;
use crate::ui::widgets::curves::{Curve, CurveFrame, CurvePlot, Section, StepView, grouped};
use crate::ui::widgets::setting::spaced;
use egui::{Button, Checkbox, RichText, Slider, Ui, vec2};
use std::collections::{BTreeMap, BTreeSet};

/// Loss terms that come first, in this order.
const TERMS: [&str; 4] = ["total", "task", "replay", "consistency"];
/// Smallest width of a small plot.
const SMALL_WIDTH: f32 = 250.0;
const SMALL_HEIGHT: f32 = 110.0;
/// Most points that the average goes over.
const WIDEST: f64 = 500.0;

/// What the plots remember.
pub struct Traces {
    view: StepView,
    losses: CurvePlot,
    small: BTreeMap<String, CurvePlot>,
    /// Small plots that people switched on or off against [`shown_at_first`].
    switched: BTreeSet<String>,
    log: bool,
    window: f64,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            view: StepView::default(),
            losses: CurvePlot::default(),
            small: BTreeMap::new(),
            switched: BTreeSet::new(),
            log: false,
            window: 3.0,
        }
    }
}

/// What is not a loss.
fn others(run: &RunView) -> Vec<(String, String, &Series)> {
    let curves = &run.curves;
    let fixed = [
        ("learning_rate", "Learning rate", &curves.learning_rate),
        ("gradient_norm", "Gradient norm", &curves.gradient_norm),
        ("learner_distance", "Distance between fast and slow learner", &curves.learner_distance),
        ("tokens_per_sec", "Tokens per second", &curves.tokens_per_sec),
    ];
    let fixed = fixed.into_iter().map(|(key, name, series)| (key.to_string(), name.to_string(), series));
    let own = curves.diagnostics.iter().map(|(name, series)| {
        let (label, unit) = knobs::label(name);
        let title = if unit.is_empty() { label } else { format!("{label} in {unit}") };
        (format!("own {name}"), title, series)
    });
    fixed.chain(own).filter(|(_, _, series)| !series.is_empty()).collect()
}

fn shown_at_first(key: &str) -> bool {
    ["learning_rate", "gradient_norm", "learner_distance"].contains(&key)
}

/// The runs beside the selected one, with their place among all that are compared.
fn compared<'a>(state: &'a AppState, selected: &RunView) -> Vec<(usize, &'a RunView)> {
    let runs = state.compared.iter().filter_map(|number| state.run(*number)).enumerate();
    runs.filter(|(_, run)| run.number != selected.number).collect()
}

fn losses<'a>(run: &'a RunView, others: &[(usize, &'a RunView)], theme: &Theme) -> Vec<Curve<'a>> {
    let known = &run.curves.losses;
    let own = known.keys().map(String::as_str).filter(|name| !TERMS.contains(name));
    let mut curves: Vec<Curve<'a>> = TERMS
        .into_iter()
        .chain(own)
        .filter_map(|name| {
            let series = known.get(name)?;
            let (key, colour) = (format!("{}/{name}", run.number), theme.loss_term(name));
            Some(Curve { key, name: spaced(name), colour, series, raw: true, dashed: false })
        })
        .collect();
    for (place, other) in others {
        if let Some(series) = other.curves.losses.get("total") {
            let (key, name) =
                (format!("{}/total", other.number), format!("{} (run {}), total", other.title, other.number));
            curves.push(Curve { key, name, colour: theme.run(*place), series, raw: false, dashed: true });
        }
    }
    curves
}

fn sections(run: &RunView, theme: &Theme) -> Vec<Section> {
    let names = run.task_names();
    let section = |(step, task): &(u64, usize)| Section {
        from: *step as f64,
        name: names.get(*task).map_or_else(|| format!("task {}", task + 1), ToString::to_string),
        colour: theme.task(*task),
    };
    run.curves.boundaries.iter().map(section).collect()
}

impl Traces {
    /// Draws all curves of the selected run, or what will be here.
    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let (state, theme) = (context.state, context.theme);
        let Some(run) = state.selected_run() else {
            nothing_yet(ui, context);
            return;
        };
        let others = compared(state, run);
        let curves = losses(run, &others, theme);
        let last = curves.iter().filter_map(|curve| curve.series.last()).map(|[step, _]| step).fold(0.0, f64::max);
        if last == 0.0 {
            no_step_yet(ui, context, run);
            return;
        }
        let full = [0.0, last.max(1.0)];
        ui.label(RichText::new(format!("Loss of {}", run.title)).strong());
        self.toolbar(ui);
        let sections = sections(run, theme);
        let height = (ui.available_height() * 0.55).clamp(200.0, 420.0);
        let frame = CurveFrame {
            id: "losses",
            name: "Loss",
            height,
            full,
            window: self.window,
            log: self.log,
            sections: &sections,
            legend: true,
        };
        self.losses.show(ui, theme, &mut self.view, &frame, &curves).on_hover_cursor(egui::CursorIcon::Crosshair);
        self.gaps(ui, theme, &curves);
        controls::last_step(ui, theme, run);
        ui.add_space(Theme::GAP);
        self.small_plots(ui, theme, run, full, &sections);
    }

    fn toolbar(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            ui.add(Checkbox::new(&mut self.log, "Log axis"))
                .on_hover_text("Loss by powers of ten. What is 0 or less lies on the lower edge.");
            let label = ui.label("Smoothing");
            // The value beside it takes its room, too.
            ui.spacing_mut().slider_width = (ui.available_width() - 80.0).clamp(40.0, 90.0);
            ui.add(Slider::new(&mut self.window, 1.0..=WIDEST).logarithmic(true).integer().suffix(" points"))
                .labelled_by(label.id)
                .on_hover_text("Points that the exponential average goes over; 1 shows what was measured.");
            let whole = self.view.is_whole() && self.losses.is_whole() && self.small.values().all(CurvePlot::is_whole);
            let reset = ui.add_enabled(!whole, Button::new("Reset view"));
            let clicked = reset.clicked();
            reset.on_hover_text("Shows all steps and values again.").on_disabled_hover_text(
                "All steps are shown. Pinch, or turn the wheel with Ctrl, to zoom; drag to move; drag with the right button \
                 or Shift for a box. With the keyboard: plus, minus, arrows, Home.",
            );
            if clicked {
                self.view.reset();
                self.losses.reset();
                self.small.values_mut().for_each(CurvePlot::reset);
            }
        });
    }

    /// Losses that are no numbers are gaps, which must not be overlooked.
    fn gaps(&self, ui: &mut Ui, theme: &Theme, curves: &[Curve<'_>]) {
        let bad = curves.iter().map(|curve| (curve, self.losses.gaps(&curve.key))).filter(|(_, count)| *count > 0);
        let parts: Vec<String> =
            bad.map(|(curve, count)| format!("{} of {}", grouped(count as f64), curve.name)).collect();
        if !parts.is_empty() {
            let text = format!(
                "Not finite, so left out: {}. The training diverged there; try a lower learning rate.",
                parts.join(", ")
            );
            ui.label(RichText::new(text).color(theme.warning()));
        }
    }

    fn small_plots(&mut self, ui: &mut Ui, theme: &Theme, run: &RunView, full: [f64; 2], sections: &[Section]) {
        let others = others(run);
        self.small.retain(|key, _| others.iter().any(|(known, _, _)| known == key));
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Further curves").strong());
            for (key, name, _) in &others {
                let on = shown_at_first(key) != self.switched.contains(key);
                let button = ui.add(Button::selectable(on, name.as_str()));
                let clicked = button.clicked();
                button.accessible_name(format!("Plot of {}", name.to_lowercase()));
                if clicked && !self.switched.remove(key) {
                    self.switched.insert(key.clone());
                }
            }
        });
        let chosen: Vec<_> =
            others.iter().filter(|(key, ..)| shown_at_first(key) != self.switched.contains(key)).collect();
        let columns = ((ui.available_width() / SMALL_WIDTH) as usize).clamp(1, 4).min(chosen.len().max(1));
        let width = (ui.available_width() - Theme::GAP * (columns - 1) as f32) / columns as f32;
        for line in chosen.chunks(columns) {
            ui.horizontal_top(|ui| {
                for (key, name, series) in line {
                    ui.allocate_ui_with_layout(
                        vec2(width, SMALL_HEIGHT),
                        egui::Layout::top_down(egui::Align::Min),
                        |ui| {
                            ui.set_width(width);
                            let value = series
                                .last()
                                .map_or_else(String::new, |[_, value]| crate::ui::widgets::curves::reading(value));
                            ui.add(egui::Label::new(RichText::new(format!("{name} {value}")).small()).truncate());
                            let (plot_key, colour) = (format!("{}/{key}", run.number), theme.accent());
                            let curve =
                                Curve { key: plot_key, name: name.clone(), colour, series, raw: false, dashed: false };
                            let frame = CurveFrame {
                                id: key,
                                name,
                                height: SMALL_HEIGHT,
                                full,
                                window: 1.0,
                                log: false,
                                sections,
                                legend: false,
                            };
                            let plot = self.small.entry(key.clone()).or_default();
                            plot.show(ui, theme, &mut self.view, &frame, &[curve]);
                        },
                    );
                }
            });
        }
    }

    /// Points that were handed to the painter in the last frame, by all plots.
    #[cfg(test)]
    pub fn points_last_frame(&self) -> usize {
        self.losses.points_last_frame() + self.small.values().map(CurvePlot::points_last_frame).sum::<usize>()
    }
}

/// Before any run: what will be here, and the next step.
fn nothing_yet(ui: &mut Ui, context: &mut Context<'_>) {
    context.theme.card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new("No run yet").heading());
        ui.label(
            "The losses of a run will be drawn here while it trains: each term and its average, task after task, with the \
             learning rate, the gradient norm and the distance between the fast and the slow learner.",
        );
        ui.horizontal_wrapped(|ui| {
            let button = ui.add_enabled(context.state.engine.ready, Button::new("Watch it forget"));
            let clicked = button.clicked();
            button
                .on_hover_text("Plain fine-tuning, then I-LoRA, on the tasks and the model that are built in.")
                .on_disabled_hover_text("The engine is not there yet; it takes a moment after the program starts.");
            if clicked {
                context.actions.push(Action::WatchItForget);
            }
            ui.label(RichText::new("or choose methods and settings, then press Start.").color(context.theme.muted()));
        });
    });
}

fn no_step_yet(ui: &mut Ui, context: &Context<'_>, run: &RunView) {
    let engine = &context.state.engine;
    let text = match &run.status {
        RunStatus::Queued => "This run has not begun. Its losses will be drawn here.".to_string(),
        RunStatus::Running | RunStatus::Paused if !engine.phase.is_empty() => {
            format!("No step was reported yet. The engine is at: {} {}", engine.phase, engine.detail)
                .trim_end()
                .to_string()
        }
        RunStatus::Running | RunStatus::Paused => "No step was reported yet.".into(),
        RunStatus::Stopped | RunStatus::Finished | RunStatus::Failed(_) => "No step of this run was recorded.".into(),
    };
    context.theme.card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(format!("Loss of {}", run.title)).strong());
        ui.label(RichText::new(text).color(context.theme.muted()));
    });
}
