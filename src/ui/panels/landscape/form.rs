//! What plane is to be measured: the adapters that lay it, what is shown on it, and how finely.

use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::{AdapterSource, Command, PlaneCommand};
use crate::ui::panel::Context;
use crate::ui::panels::paths::adapters::{self, Choice, Folders};
use crate::ui::panels::paths::form::number;
use crate::ui::panels::paths::measuring::Measurable as _;
use crate::ui::state::AppState;
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
use egui::{ComboBox, DragValue, RichText, Ui};
use std::collections::BTreeSet;

const THREE: &str = "three adapters";
const PCA: &str = "PCA";
const RANDOM: &str = "random directions";
/// Not a name of a command: the plane goes through three points of a path.
const PATH: &str = "path";

/// Name in the command, on screen, and what it is.
const SHAPES: [(&str, &str, &str); 4] = [
    (
        THREE,
        "through three adapters",
        "All three lie exactly in the plane: the first at the origin, the third along the first axis.",
    ),
    (
        PCA,
        "main directions of a run",
        "The two directions along which the adapters of a run differ most (principal components).",
    ),
    (
        RANDOM,
        "two random directions",
        "Around one adapter, along directions drawn by chance and scaled to its filters.",
    ),
    (
        PATH,
        "of a measured path",
        "Through both ends of a curve and its middle; a curve with one bend lies in it wholly, and is drawn on it.",
    ),
];

/// What is asked for.
#[derive(Debug)]
pub struct Form {
    shape: &'static str,
    /// For the plane through three, in order.
    three: [Option<AdapterSource>; 3],
    /// For the main directions.
    run: Option<usize>,
    /// For random directions.
    centre: Option<AdapterSource>,
    /// Number of the path whose plane it is.
    path: Option<u64>,
    /// Projected as well.
    others: Vec<AdapterSource>,
    /// Numbers of the runs whose tracks are drawn.
    tracks: BTreeSet<usize>,
    side: usize,
    margin: f64,
    examples: usize,
    scores: bool,
    pub folders: Folders,
    proposed: bool,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            shape: THREE,
            three: [None, None, None],
            run: None,
            centre: None,
            path: None,
            others: Vec::new(),
            tracks: BTreeSet::new(),
            side: 21,
            margin: 0.2,
            examples: 30,
            scores: true,
            folders: Folders::default(),
            proposed: false,
        }
    }
}

impl Form {
    /// Drops what is gone, and proposes adapters the first time that there are some.
    pub fn keep_up(&mut self, state: &AppState, choices: &[Choice]) {
        let there = |source: &AdapterSource| adapters::find(choices, source).is_some();
        for place in self.three.iter_mut().chain([&mut self.centre]) {
            *place = place.take().filter(there);
        }
        self.others.retain(there);
        let has_folder = |number: &usize| state.run(*number).is_some_and(|run| run.folder.is_some());
        self.tracks.retain(has_folder);
        self.run = self.run.filter(|number| state.run(*number).is_some());
        let known = curved(state);
        self.path = self.path.filter(|path| known.iter().any(|(id, ..)| id == path));
        self.path = self.path.or_else(|| known.last().map(|(id, ..)| *id));
        if !self.proposed
            && let Some(run) = adapters::run_with_adapters(state)
        {
            self.proposed = true;
            self.propose(run, choices);
        }
    }

    /// After the first task, after the last, and the slow learner (or the middle of the way).
    fn propose(&mut self, run: &RunView, choices: &[Choice]) {
        let slow = adapters::of_learner(choices, run.number, "long_term");
        let fast = adapters::of_learner(choices, run.number, "working");
        let only = adapters::of_learner(choices, run.number, &adapters::headline(run));
        let way = if fast.is_empty() { &only } else { &fast };
        let third = if fast.is_empty() { only.get(only.len() / 2) } else { slow.last() };
        let source = |choice: Option<&&Choice>| choice.map(|choice| choice.source.clone());
        self.three = [source(way.first()), source(third), source(way.last())];
        self.centre = source(only.last());
        self.run = Some(run.number);
        self.tracks = run.folder.is_some().then_some(run.number).into_iter().collect();
    }

    /// The adapters that lay the plane.
    #[must_use]
    pub fn anchors(&self, choices: &[Choice]) -> Vec<AdapterSource> {
        match self.shape {
            THREE => self.three.iter().flatten().cloned().collect(),
            PCA => choices
                .iter()
                .filter(|choice| self.run.is_some() && choice.run == self.run)
                .map(|choice| choice.source.clone())
                .collect(),
            _ => self.centre.iter().cloned().collect(),
        }
    }

    /// The experiment whose model and tasks the plane is measured with.
    #[must_use]
    pub fn experiment(&self, state: &AppState, choices: &[Choice]) -> ExperimentConfig {
        let of_path = curved(state).into_iter().find(|(id, ..)| self.shape == PATH && Some(*id) == self.path);
        of_path.map_or_else(
            || adapters::experiment_of(state, choices, &self.anchors(choices)),
            |(.., experiment)| experiment.clone(),
        )
    }

    /// The plane through both ends of a path and its middle, with the path drawn on it.
    fn of_path(&self, state: &AppState) -> Result<PlaneCommand, String> {
        let known = curved(state);
        let Some((id, name, _)) = known.into_iter().find(|(id, ..)| Some(*id) == self.path) else {
            return Err(
                "Measure a curve in the panel Paths first, such as a Bezier curve: a straight line lies in no one plane."
                    .into(),
            );
        };
        let at = |t: f64| (format!("t = {t}"), AdapterSource::OnPath { path: id, t });
        let tracks = self.tracks.iter().filter_map(|number| state.run(*number)?.folder.clone()).collect();
        Ok(PlaneCommand {
            shape: THREE.into(),
            anchors: vec![at(0.0), at(0.5), at(1.0)],
            others: Vec::new(),
            tracks,
            curves: vec![(name, id)],
            side: self.side,
            margin: self.margin,
            examples: self.examples,
            scores: self.scores,
        })
    }

    /// The command, or what is missing.
    pub fn command(&self, state: &AppState, choices: &[Choice]) -> Result<PlaneCommand, String> {
        if self.shape == PATH {
            return self.of_path(state);
        }
        let anchors = self.anchors(choices);
        let twice = anchors.iter().enumerate().any(|(index, source)| anchors[..index].contains(source));
        match self.shape {
            THREE if anchors.len() < 3 => return Err("Choose three adapters: they lay the plane.".into()),
            THREE if twice => {
                return Err("Two of the three are the same adapter and lay no plane: choose another.".into());
            }
            PCA if anchors.len() < 3 => {
                return Err("The main directions need a run with at least three adapters: choose another run.".into());
            }
            RANDOM if anchors.is_empty() => return Err("Choose the adapter in the middle of the plane.".into()),
            _ => {}
        }
        let others: Vec<AdapterSource> = self.others.iter().filter(|other| !anchors.contains(other)).cloned().collect();
        let all: Vec<AdapterSource> = anchors.iter().chain(&others).cloned().collect();
        let mut named = adapters::named(choices, &all);
        let others = named.split_off(anchors.len().min(named.len()));
        let tracks = self.tracks.iter().filter_map(|number| state.run(*number)?.folder.clone()).collect();
        Ok(PlaneCommand {
            shape: self.shape.into(),
            anchors: named,
            others,
            tracks,
            curves: Vec::new(),
            side: self.side,
            margin: self.margin,
            examples: self.examples,
            scores: self.scores,
        })
    }

    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>, choices: &[Choice]) {
        let (_, name, help) = SHAPES.iter().find(|(shape, ..)| *shape == self.shape).unwrap_or(&SHAPES[0]);
        ui.horizontal(|ui| {
            let label = ui.label("Plane");
            let list = ComboBox::from_id_salt("kind of the plane").selected_text(*name).width(200.0);
            let shown = list.show_ui(ui, |ui| {
                for (shape, name, help) in SHAPES {
                    ui.selectable_value(&mut self.shape, shape, name).on_hover_text(help);
                }
            });
            shown.response.labelled_by(label.id);
        });
        ui.label(RichText::new(*help).small().color(context.theme.muted()));
        match self.shape {
            THREE => {
                for (label, place) in ["First", "Second", "Third"].into_iter().zip(&mut self.three) {
                    adapters::pick(ui, label, choices, place);
                }
            }
            PCA => self.runs(ui, context.state, choices),
            PATH => self.paths(ui, context.state),
            _ => {
                adapters::pick(ui, "Middle", choices, &mut self.centre);
                let words = "Random directions almost never hold the way of training: a track looks like a single point \
                             on such a plane. Use it to see how sharp a minimum is, not how training went.";
                ui.colored_label(context.theme.warning(), words);
            }
        }
        self.tracks(ui, context.state);
        egui::CollapsingHeader::new("Points, examples, more adapters")
            .show(ui, |ui| self.settings(ui, context, choices));
    }

    fn runs(&mut self, ui: &mut Ui, state: &AppState, choices: &[Choice]) {
        let name = |number: Option<usize>| {
            number.and_then(|number| state.run(number)).map_or_else(|| "choose a run".into(), |run| run.title.clone())
        };
        ui.horizontal(|ui| {
            let label = ui.label("Run");
            let list = ComboBox::from_id_salt("run of the plane").selected_text(name(self.run)).width(200.0).truncate();
            let shown = list.show_ui(ui, |ui| {
                for run in state.runs.iter().filter(|run| !run.adapters.is_empty()) {
                    ui.selectable_value(&mut self.run, Some(run.number), &run.title);
                }
            });
            shown.response.labelled_by(label.id);
        });
        let count = self.anchors(choices).len();
        ui.label(format!("{count} adapters lay the plane."));
    }

    fn paths(&mut self, ui: &mut Ui, state: &AppState) {
        let known = curved(state);
        let name = |path: Option<u64>| {
            let found = known.iter().find(|(id, ..)| Some(*id) == path);
            found.map_or_else(|| "no curve is measured".to_string(), |(_, name, _)| name.clone())
        };
        ui.horizontal(|ui| {
            let label = ui.label("Path");
            let width = ui.available_width().clamp(80.0, 380.0);
            let list =
                ComboBox::from_id_salt("path of the plane").selected_text(name(self.path)).width(width).truncate();
            let shown = list.show_ui(ui, |ui| {
                for (id, name, _) in &known {
                    ui.selectable_value(&mut self.path, Some(*id), name);
                }
            });
            shown.response.labelled_by(label.id);
        });
    }

    fn tracks(&mut self, ui: &mut Ui, state: &AppState) {
        let runs = || state.runs.iter().filter(|run| run.folder.is_some() && !run.adapters.is_empty());
        if runs().next().is_none() {
            return;
        }
        ui.label("Training tracks of");
        for run in runs() {
            let mut on = self.tracks.contains(&run.number);
            if ui
                .checkbox(&mut on, &run.title)
                .on_hover_text("Projects the way of each of its learners onto the plane.")
                .changed()
            {
                if on {
                    self.tracks.insert(run.number)
                } else {
                    self.tracks.remove(&run.number)
                };
            }
        }
    }

    fn settings(&mut self, ui: &mut Ui, context: &mut Context<'_>, choices: &[Choice]) {
        ui.horizontal_wrapped(|ui| {
            number(
                ui,
                "Points along a side",
                DragValue::new(&mut self.side).range(2..=101),
                "The grid has so many columns and rows.",
            );
            let help = "Scored examples of each task that every point is measured on.";
            number(ui, "Examples of each task", DragValue::new(&mut self.examples).range(1..=10_000), help);
            // Random directions have a range of their own.
            if self.shape != RANDOM {
                let margin = DragValue::new(&mut self.margin).range(0.0..=3.0).speed(0.01).fixed_decimals(2);
                number(ui, "Margin", margin, "How far the grid goes beyond the adapters, as a share of their extent.");
            }
        });
        ui.checkbox(&mut self.scores, "Measure the scores too")
            .on_hover_text("The tasks' own metrics as well as the losses. Takes longer where text is generated.");
        let points = self.side * self.side;
        ui.label(
            RichText::new(format!("{points} points; coarse ones first, so that the shape shows early."))
                .small()
                .color(context.theme.muted()),
        );
        let words = if self.others.is_empty() {
            "Show more adapters".into()
        } else {
            format!("Show more adapters ({})", self.others.len())
        };
        ui.menu_button(words, |ui| {
            egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
                for choice in choices {
                    let mut on = self.others.contains(&choice.source);
                    if ui.checkbox(&mut on, format!("{}: {}", choice.group, choice.name)).changed() {
                        self.others.retain(|other| *other != choice.source);
                        if on {
                            self.others.push(choice.source.clone());
                        }
                    }
                }
            });
        })
        .response
        .on_hover_text("They are projected onto the plane; a ring says that one lies off it.");
        ui.add_space(Theme::GAP);
        self.folders.show(ui, context);
    }
}

/// Measured paths that are no straight line, and that the engine still has: number, name, experiment.
fn curved(state: &AppState) -> Vec<(u64, String, &ExperimentConfig)> {
    let known = state.paths.iter().filter(|(_, view)| view.done && !view.earlier);
    known
        .filter_map(|(id, view)| {
            let report = view.report.as_ref()?;
            let Some(Command::MeasurePath { path, experiment, .. }) = view.asked.as_deref() else { return None };
            let bends = !matches!(report.kind.as_str(), "line" | "product line");
            bends.then(|| (*id, path.name(), experiment.as_ref()))
        })
        .collect()
}
