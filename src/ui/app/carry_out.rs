//! Carries out what was done in the panels and asked for by name.

use super::App;
use super::commands::{Effect, Progress, progress};
use super::dialogues::Dialogue;
use super::dropped;
use crate::engine::config::{ExperimentConfig, MethodConfig, TaskConfig};
use crate::engine::protocol::{Command, Level, Steer};
use crate::platform;
use crate::ui::action::{Action, Purpose};
use crate::ui::panel::PanelKind;
use crate::ui::state::run::RunStatus;
use crate::ui::state::task_id;
use crate::ui::theme::Theme;
use crate::ui::words;
use egui::{Context, ViewportCommand};

/// Numbers that are kept free while a folder of runs is read: nobody knows how many runs it holds.
const FOLDER_OF_RUNS: usize = 1000;
/// So long they are kept free after the last run that came.
const READING_SECS: f64 = 10.0;
/// A start that was sent blocks another one for at most so long.
const STARTING_SECS: f64 = 5.0;

/// In the demonstration so many steps lie between two scorings on a subset, of so many examples a task.
const LIVE_EVERY: usize = 25;
const LIVE_SUBSET: usize = 20;

impl App {
    /// Does what somebody did.
    pub(super) fn carry_out(&mut self, ctx: &Context, action: Action) {
        match action {
            Action::Send(command) => self.send(*command),
            Action::Edit { what, draft } => self.state.draft.edit(&what, *draft),
            Action::Undo => self.state.draft.undo(),
            Action::Redo => self.state.draft.redo(),
            Action::StartDraft => self.start(self.state.draft.config.clone()),
            Action::WatchItForget => self.watch_it_forget(),
            Action::Select(run) => {
                if self.state.run(run).is_some() {
                    self.state.selected = Some(run);
                }
            }
            Action::Compare { run, on } => {
                if on && self.state.run(run).is_some() {
                    self.state.compared.insert(run);
                } else {
                    self.state.compared.remove(&run);
                }
            }
            Action::Show(kind) => self.docking.show(kind),
            Action::AddAdapterFolder(path) => self.state.add_adapter_folder(path),
            Action::Open(purpose) => self.files.open(purpose),
            Action::Export(export) => self.export(ctx, export),
            Action::Delete(run) => {
                if self.state.run(run).is_some() && !self.dialogues.contains(&Dialogue::Delete(run)) {
                    self.dialogues.push_back(Dialogue::Delete(run));
                }
            }
            Action::Toast { level, message } => self.tell(level, message),
            Action::Copy(text) => {
                ctx.copy_text(text);
                self.toasts.push(Level::Info, "Copied to the clipboard", self.now());
            }
        }
    }

    /// Does what the frame itself can do.
    pub(super) fn effect(&mut self, ctx: &Context, effect: Effect) {
        match effect {
            Effect::Do(action) => self.carry_out(ctx, action),
            Effect::RunOrPause => match progress(&self.state) {
                Progress::Idle => self.start(self.state.draft.config.clone()),
                Progress::Waiting => {}
                Progress::Running => self.send(Command::Steer { steer: Steer::Pause }),
                Progress::Paused => self.send(Command::Steer { steer: Steer::Resume }),
            },
            Effect::Stop => self.stop(false),
            Effect::StopAll => self.stop(true),
            Effect::Method(name) => self.edit("methods", |draft| draft.methods = vec![MethodConfig::Name(name)]),
            Effect::Preset(name) => self.load_preset(&name),
            Effect::Resume => self.resume(),
            Effect::OpenRun(path) => {
                let purpose = if words::extension(&path) == "thalweg" { Purpose::Capsule } else { Purpose::RunFolder };
                self.opened(&purpose, vec![path]);
            }
            Effect::UseModel(path) => self.opened(&Purpose::ModelFolder, vec![path]),
            Effect::Save(output) => self.save_output(ctx, output),
            Effect::ClosePanel(kind) => self.docking.close(kind),
            Effect::ResetLayout => self.docking.reset(),
            Effect::ToggleTheme => self.session.theme.dark = !self.session.theme.dark,
            Effect::TextSize(scale) => {
                let rounded = (scale * 20.0).round() / 20.0;
                self.session.theme.text_scale = rounded.clamp(*Theme::SCALES.start(), *Theme::SCALES.end());
            }
            Effect::Palette => self.palette.toggle(),
            Effect::Sheet => self.sheet = !self.sheet,
            Effect::Storage => {
                self.storage = true;
                self.send(Command::ListStorage);
            }
            Effect::Welcome(on) => (self.welcome, self.welcome_anyway) = (on, on),
            Effect::CloseWindow => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

    pub(super) fn edit(&mut self, what: &str, change: impl FnOnce(&mut ExperimentConfig)) {
        let mut draft = self.state.draft.config.clone();
        change(&mut draft);
        self.state.draft.edit(what, draft);
    }

    /// Hands a command to the engine. Runs get numbers that nothing else has; what was asked for is known from now on, so
    /// that a failure before the first answer has somewhere to be shown.
    pub(super) fn send(&mut self, mut command: Command) {
        match &mut command {
            Command::Start { run, experiment } => {
                // A relative folder would be wherever the program was started from.
                if !std::path::Path::new(&experiment.output).is_absolute() {
                    experiment.output.clone_from(&self.state.runs_folder);
                }
                *run = self.reserve(experiment.methods.len());
                self.starting = Some(self.now());
            }
            // A known run is read again.
            Command::OpenRuns { run, folder }
                if self.state.run(*run).is_some_and(|known| known.folder.as_ref() == Some(folder)) => {}
            Command::OpenRuns { run, folder } => {
                *run = self.reserve(0);
                self.reading = Some((*run + FOLDER_OF_RUNS, self.now() + 6.0 * READING_SECS));
                self.session.opened_run(folder);
            }
            Command::OpenCapsule { run, path } => {
                *run = self.reserve(1);
                self.session.opened_run(path);
            }
            Command::ResumeRun { run, folder } => {
                let known = self.state.runs.iter_mut().find(|known| known.folder.as_ref() == Some(folder));
                match known {
                    Some(known) if known.status.is_active() || known.status == RunStatus::Queued => return,
                    Some(known) => (known.status, *run) = (RunStatus::Queued, known.number),
                    None => *run = self.reserve(1),
                }
                self.starting = Some(self.now());
            }
            Command::Download { id, address } => {
                let view = self.state.downloads.entry(*id).or_default();
                (view.address, view.ended) = (address.clone(), None);
            }
            Command::Generate { id, .. } => {
                self.state.generations.entry(*id).or_default();
            }
            Command::Mark { id, .. } => {
                self.state.marks_asked.insert(*id);
            }
            _ => {}
        }
        match &command {
            Command::MeasurePath { id, .. } => self.state.paths.entry(*id).or_default().ask(&command),
            Command::MeasurePlane { id, .. } => self.state.planes.entry(*id).or_default().ask(&command),
            Command::MeasureSimilarity { id, .. } => self.state.similarities.entry(*id).or_default().ask(&command),
            _ => {}
        }
        self.link.send(command);
        self.expect_answer();
    }

    /// The first of so many numbers that no run has or will get.
    fn reserve(&mut self, count: usize) -> usize {
        let now = self.now();
        let reading = self.reading.filter(|(_, until)| now < *until).map_or(0, |(end, _)| end);
        let first = self.state.next_run_number().max(self.next_number).max(reading);
        self.next_number = first + count;
        first
    }

    /// A run of a folder came: its successors may still be on their way.
    pub(super) fn still_reading(&mut self) {
        let until = self.now() + READING_SECS;
        if let Some((_, end_secs)) = &mut self.reading {
            *end_secs = until;
        }
    }

    pub(super) fn is_starting(&self) -> bool {
        self.starting.is_some_and(|since| self.now() - since < STARTING_SECS)
    }

    fn start(&mut self, mut experiment: ExperimentConfig) {
        if !self.state.engine.ready {
            self.tell(Level::Warning, "The engine is still starting. Try again in a moment");
            return;
        }
        if self.is_starting() {
            return;
        }
        if let Err(error) = experiment.check() {
            self.tell(Level::Error, format!("The experiment cannot start: {error}"));
            return;
        }
        experiment.output.clone_from(&self.state.runs_folder);
        self.send(Command::Start { run: 0, experiment: Box::new(experiment) });
    }

    /// Queues what waited when the window was closed.
    pub(super) fn queue_waiting(&mut self) {
        for text in std::mem::take(&mut self.session.waiting) {
            match ExperimentConfig::parse(&text, "a run that waited") {
                Ok(experiment) => self.send(Command::Start { run: 0, experiment: Box::new(experiment) }),
                Err(error) => self.tell(Level::Error, format!("A run that waited cannot be queued again: {error}")),
            }
        }
    }

    fn watch_it_forget(&mut self) {
        match self.demonstration() {
            Ok(experiment) => {
                self.start(experiment);
                self.show_forgetting();
            }
            Err(message) => self.tell(Level::Error, message),
        }
    }

    fn show_forgetting(&mut self) {
        for kind in [PanelKind::Training, PanelKind::Forgetting, PanelKind::Buffer] {
            if !self.docking.visible().contains(&kind) {
                self.docking.show(kind);
            }
        }
    }

    /// What the large button starts: the preset, scored between the tasks' ends as well, so that the matrix lives.
    pub(super) fn demonstration(&self) -> Result<ExperimentConfig, String> {
        let mut experiment = self.preset("demo")?;
        (experiment.evaluation.every_steps, experiment.evaluation.subset) = (LIVE_EVERY, LIVE_SUBSET);
        Ok(experiment)
    }

    /// An experiment of the catalogue.
    pub(super) fn preset(&self, name: &str) -> Result<ExperimentConfig, String> {
        let known = &self.state.catalogue.presets;
        let (_, text) = known.iter().find(|(known, _)| known == name).ok_or_else(|| {
            format!("There is no preset called {name} yet: the engine tells its presets when it has started")
        })?;
        ExperimentConfig::parse(text, &format!("preset {name}")).map_err(|error| error.to_string())
    }

    fn load_preset(&mut self, name: &str) {
        match self.preset(name) {
            Ok(experiment) => self.state.draft.edit(&format!("preset {name}"), experiment),
            Err(message) => self.tell(Level::Error, message),
        }
    }

    /// Stops the run in progress, or the one that is about to begin; with `queue` nothing follows it.
    fn stop(&mut self, queue: bool) {
        let queued = self.state.runs.iter().filter(|run| run.status == RunStatus::Queued).map(|run| run.number);
        let dropped = match (queue, self.state.active) {
            (true, _) => usize::MAX,
            (false, None) => 1,
            (false, Some(_)) => 0,
        };
        for run in queued.take(dropped).collect::<Vec<_>>() {
            self.send(Command::Unqueue { run });
        }
        self.send(Command::Steer { steer: Steer::Stop });
    }

    /// Goes on with what the last session left: the run that was interrupted, then those that waited.
    fn resume(&mut self) {
        if self.is_starting() {
            return;
        }
        if let Some(folder) = self.session.interrupted.clone() {
            self.send(Command::ResumeRun { run: usize::MAX, folder });
        }
        self.queue_waiting();
        self.show_forgetting();
    }

    /// Files or folders were chosen or dropped.
    pub(super) fn opened(&mut self, purpose: &Purpose, paths: Vec<String>) {
        match purpose {
            Purpose::TaskFiles => {
                let known = &self.state.draft.config.tasks;
                let (again, new): (Vec<String>, Vec<String>) =
                    paths.into_iter().partition(|path| known.iter().any(|task| task.source() == path));
                for path in again {
                    self.read_again(&path);
                }
                if !new.is_empty() {
                    self.edit("added tasks", |draft| draft.tasks.extend(new.into_iter().map(TaskConfig::Source)));
                    self.docking.show(PanelKind::Tasks);
                }
            }
            Purpose::ModelFolder => {
                let Some(path) = paths.into_iter().next() else { return };
                self.session.opened_model(&path);
                self.edit(&format!("model {path}"), |draft| draft.model = path);
                self.docking.show(PanelKind::Model);
            }
            Purpose::ModelFile => {
                let folder = paths.first().and_then(|path| words::folder(path)).map(str::to_string);
                self.opened(&Purpose::ModelFolder, folder.into_iter().collect());
            }
            Purpose::RunFolder => {
                for folder in paths {
                    self.send(Command::OpenRuns { run: 0, folder });
                }
                self.docking.show(PanelKind::Runs);
            }
            Purpose::Capsule => {
                for path in paths {
                    self.send(Command::OpenCapsule { run: 0, path });
                }
                self.docking.show(PanelKind::Runs);
            }
            Purpose::AdapterFolder => {
                let Some(path) = paths.into_iter().next() else { return };
                let name = words::file_name(&path).to_string();
                self.state.add_adapter_folder(path);
                self.docking.show(PanelKind::Paths);
                self.tell(
                    Level::Info,
                    format!("{name} can be chosen in the Paths and the Landscape panel, among the opened folders"),
                );
            }
        }
        self.welcome = self.welcome && matches!(purpose, Purpose::RunFolder | Purpose::Capsule);
    }

    /// A task's file may have been changed since it was read.
    fn read_again(&mut self, path: &str) {
        let draft = &self.state.draft.config;
        let ids: Vec<u64> =
            draft.tasks.iter().filter(|task| task.source() == path).map(|task| task_id(task, draft)).collect();
        for id in ids {
            self.state.tasks.remove(&id);
        }
        self.inspector.forget_unanswered(&self.state);
        self.tell(Level::Info, format!("{path} is among the tasks already and is read again"));
    }

    /// Something was dropped on the window.
    pub(super) fn take_dropped(&mut self, ctx: &Context) {
        let mut paths: Vec<String> = ctx.input(|input| {
            input.raw.dropped_files.iter().map(|file| file.path().to_string_lossy().into_owned()).collect()
        });
        paths.extend(platform::dropped().iter().map(|path| path.display().to_string()));
        let mut tasks = Vec::new();
        // Several files of one model mean its folder once.
        let mut meant: Vec<String> = paths.into_iter().map(|path| dropped::meant(path, self.files.as_ref())).collect();
        meant.dedup();
        for path in meant {
            match dropped::kind(&path, self.files.as_ref()) {
                dropped::Kind::Known(Purpose::TaskFiles) => tasks.push(path),
                dropped::Kind::Known(purpose) => self.opened(&purpose, vec![path]),
                dropped::Kind::Folder => self.dialogues.push_back(Dialogue::Folder(path)),
                dropped::Kind::Unknown(sentence) => self.tell(Level::Warning, sentence),
            }
        }
        if !tasks.is_empty() {
            self.opened(&Purpose::TaskFiles, tasks);
        }
    }
}
