//! The one table of everything that can be asked of the window by name: the palette lists it, the shortcuts come from it,
//! and the sheet on F1 shows it.

use crate::engine::protocol::{Command, Steer};
use crate::platform;
use crate::ui::action::{Action, Purpose};
use crate::ui::panel::PanelKind;
use crate::ui::session::Session;
use crate::ui::state::AppState;
use crate::ui::state::run::RunStatus;
use egui::{Key, KeyboardShortcut, Modifiers};

/// What a line of the table does.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Do(Action),
    /// Run what is on the form, pause it, or let it go on, whichever fits.
    RunOrPause,
    /// Stop the run in progress; one that only waits leaves the queue.
    Stop,
    /// Stop the run in progress and empty the queue.
    StopAll,
    Method(String),
    Preset(String),
    /// Go on with the last session's interrupted run.
    Resume,
    OpenRun(String),
    UseModel(String),
    Save(Output),
    ClosePanel(PanelKind),
    ResetLayout,
    /// Light or dark.
    ToggleTheme,
    TextSize(f32),
    Palette,
    Sheet,
    /// What is kept, and how much.
    Storage,
    Welcome(bool),
    CloseWindow,
}

/// What the frame can write by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Matrix,
    Settings,
    Capsule,
    Adapter,
    Window,
    /// On the clipboard.
    Link,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Unique and the same at every start.
    pub id: String,
    pub title: String,
    /// Heading on the sheet.
    pub group: &'static str,
    /// The first is shown.
    pub shortcuts: Vec<KeyboardShortcut>,
    /// Works while somebody types in a text field, too.
    pub while_typing: bool,
    /// A key that is held down does it again and again.
    pub repeats: bool,
    pub enabled: bool,
    pub effect: Effect,
}

fn entry(group: &'static str, id: &str, title: impl Into<String>, effect: Effect) -> Entry {
    Entry {
        id: id.to_string(),
        title: title.into(),
        group,
        shortcuts: Vec::new(),
        while_typing: false,
        repeats: false,
        enabled: true,
        effect,
    }
}

impl Entry {
    fn key(mut self, modifiers: Modifiers, key: Key) -> Self {
        self.shortcuts.push(KeyboardShortcut::new(modifiers, key));
        self
    }

    fn when(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    fn repeating(mut self) -> Self {
        self.repeats = true;
        self
    }

    fn always(mut self) -> Self {
        self.while_typing = true;
        self
    }
}

/// Where the runs stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Idle,
    /// Something is queued but has not begun.
    Waiting,
    Running,
    Paused,
}

/// Where the runs stand.
#[must_use]
pub fn progress(state: &AppState) -> Progress {
    match state.active_run().map(|run| &run.status) {
        Some(RunStatus::Paused) => Progress::Paused,
        Some(_) => Progress::Running,
        None if state.runs.iter().any(|run| run.status == RunStatus::Queued) => Progress::Waiting,
        None => Progress::Idle,
    }
}

/// The whole table as it is now.
#[must_use]
pub fn table(state: &AppState, session: &Session) -> Vec<Entry> {
    let mut entries = runs(state, session);
    entries.extend(settings(state));
    entries.extend(open_and_save(state, session));
    entries.extend(view(session));
    entries
}

fn runs(state: &AppState, session: &Session) -> Vec<Entry> {
    const GROUP: &str = "Runs";
    let progress = progress(state);
    let (active, ready) = (matches!(progress, Progress::Running | Progress::Paused), state.engine.ready);
    let step = Effect::Do(Action::Send(Box::new(Command::Steer { steer: Steer::SingleStep })));
    vec![
        entry(GROUP, "run.toggle", "Run or pause", Effect::RunOrPause)
            .key(Modifiers::NONE, Key::Space)
            .when(ready && progress != Progress::Waiting),
        entry(GROUP, "run.step", "Single step", step).key(Modifiers::NONE, Key::S).repeating().when(active),
        entry(GROUP, "run.stop", "Stop this run with a checkpoint", Effect::Stop)
            .key(Modifiers::NONE, Key::X)
            .when(progress != Progress::Idle),
        entry(GROUP, "run.stop_all", "Stop this run and empty the queue", Effect::StopAll)
            .when(progress != Progress::Idle),
        entry(GROUP, "run.start", "Queue the methods of the form", Effect::Do(Action::StartDraft))
            .key(Modifiers::COMMAND, Key::Enter)
            .when(ready),
        entry(GROUP, "run.watch", "Watch it forget", Effect::Do(Action::WatchItForget)).when(ready),
        entry(GROUP, "run.resume", "Resume last session", Effect::Resume)
            .when(ready && session.can_resume() && progress == Progress::Idle),
    ]
}

fn settings(state: &AppState) -> Vec<Entry> {
    const GROUP: &str = "Settings";
    let shift = Modifiers::COMMAND | Modifiers::SHIFT;
    let (undo, redo) = (state.draft.undoable(), state.draft.redoable());
    let named =
        |word: &str, what: Option<&str>| what.map_or_else(|| word.to_string(), |what| format!("{word}: {what}"));
    let mut entries = vec![
        entry(GROUP, "draft.undo", named("Undo", undo), Effect::Do(Action::Undo))
            .key(Modifiers::COMMAND, Key::Z)
            .repeating()
            .when(undo.is_some()),
        entry(GROUP, "draft.redo", named("Redo", redo), Effect::Do(Action::Redo))
            .key(shift, Key::Z)
            .key(Modifiers::COMMAND, Key::Y)
            .repeating()
            .when(redo.is_some()),
        entry(GROUP, "devices.find", "Measure the devices", Effect::Do(Action::Send(Box::new(Command::FindDevices))))
            .when(state.engine.ready),
    ];
    for method in &state.catalogue.methods {
        let (id, title) = (format!("method.{}", method.name), format!("Use method {}", method.label));
        entries.push(entry(GROUP, &id, title, Effect::Method(method.name.clone())));
    }
    for (name, _) in &state.catalogue.presets {
        entries.push(entry(
            GROUP,
            &format!("preset.{name}"),
            format!("Load preset {name}"),
            Effect::Preset(name.clone()),
        ));
    }
    entries
}

fn open_and_save(state: &AppState, session: &Session) -> Vec<Entry> {
    const GROUP: &str = "Files";
    let open = |id: &str, title: &str, purpose| entry(GROUP, id, title, Effect::Do(Action::Open(purpose)));
    let save = |id: &str, title: &str, output| entry(GROUP, id, title, Effect::Save(output));
    let run = state.selected_run();
    let mut entries = vec![
        open("open.model", "Open a model folder", Purpose::ModelFolder).key(Modifiers::COMMAND, Key::M),
        open("open.tasks", "Add task files", Purpose::TaskFiles).key(Modifiers::COMMAND, Key::T),
        open("open.run", "Open a run or a folder of runs", Purpose::RunFolder).key(Modifiers::COMMAND, Key::O),
        open("open.capsule", "Open a capsule", Purpose::Capsule),
        save("save.settings", "Export the settings of the form (TOML)", Output::Settings)
            .key(Modifiers::COMMAND, Key::S),
        save("save.matrix", "Export the accuracy matrix of the selected run (CSV)", Output::Matrix)
            .when(run.is_some_and(|run| !run.report.learners.is_empty())),
        save("save.capsule", "Export the selected run as a capsule", Output::Capsule)
            .when(run.is_some_and(|run| run.folder.is_some())),
        save("save.adapter", "Export the last adapter of the selected run (PEFT)", Output::Adapter)
            .when(run.is_some_and(|run| !run.adapters.is_empty())),
        save("save.window", "Export a picture of the window (PNG)", Output::Window),
    ];
    entries.push(entry(GROUP, "storage", "Storage", Effect::Storage).when(state.engine.ready));
    if platform::address().is_some() {
        entries.push(save("save.link", "Copy a link to this page with the settings of the form", Output::Link));
    }
    for path in &session.recent_runs {
        let title = format!("Open recent: {}", crate::ui::words::file_name(path));
        entries.push(entry(GROUP, &format!("recent.run.{path}"), title, Effect::OpenRun(path.clone())));
    }
    for path in &session.recent_models {
        let title = format!("Use recent model: {}", crate::ui::words::file_name(path));
        entries.push(entry(GROUP, &format!("recent.model.{path}"), title, Effect::UseModel(path.clone())));
    }
    entries
}

fn view(session: &Session) -> Vec<Entry> {
    const GROUP: &str = "Window";
    const DIGITS: [Key; 10] =
        [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9, Key::Num0];
    let scale = session.theme.text_scale;
    let theme = if session.theme.dark { "Light theme" } else { "Dark theme" };
    let text =
        |id: &str, title: &str, scale: f32| entry(GROUP, id, title, Effect::TextSize(scale)).always().repeating();
    let mut entries = vec![
        entry(GROUP, "palette", "Command palette", Effect::Palette).key(Modifiers::COMMAND, Key::P).always(),
        entry(GROUP, "sheet", "Keyboard shortcuts", Effect::Sheet).key(Modifiers::NONE, Key::F1).always(),
        entry(GROUP, "theme", theme, Effect::ToggleTheme).key(Modifiers::COMMAND, Key::L),
        text("text.larger", "Larger text", scale + 0.1)
            .key(Modifiers::COMMAND, Key::Plus)
            .key(Modifiers::COMMAND, Key::Equals),
        text("text.smaller", "Smaller text", scale - 0.1).key(Modifiers::COMMAND, Key::Minus),
        text("text.normal", "Normal text size", 1.0).key(Modifiers::COMMAND, Key::Num0),
        entry(GROUP, "layout.reset", "Reset layout", Effect::ResetLayout),
        entry(GROUP, "welcome", "Show the welcome card", Effect::Welcome(true)),
        entry(GROUP, "window.close", "Close the window", Effect::CloseWindow).key(Modifiers::COMMAND, Key::Q),
    ];
    for (kind, key) in PanelKind::ALL.into_iter().zip(DIGITS) {
        let id = format!("panel.{kind:?}").to_lowercase();
        let show = entry("Panels", &id, format!("Show panel {}", kind.title()), Effect::Do(Action::Show(kind)));
        entries.push(show.key(Modifiers::NONE, key));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample;
    use std::collections::BTreeSet;

    #[test]
    fn no_name_and_no_key_stands_for_two_things() {
        let mut session = Session::default();
        session.opened_run("runs/a");
        session.opened_model("models/a");
        let entries = table(&sample::state(), &session);
        let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids.len(), entries.len());
        let keys: Vec<KeyboardShortcut> = entries.iter().flat_map(|entry| entry.shortcuts.clone()).collect();
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{key:?} twice");
        }
    }

    #[test]
    fn it_names_every_panel_method_and_preset() {
        let state = sample::state();
        let entries = table(&state, &Session::default());
        let has = |title: &str| entries.iter().any(|entry| entry.title == title);
        assert!(PanelKind::ALL.iter().all(|kind| has(&format!("Show panel {}", kind.title()))));
        assert!(has("Use method I-LoRA") && has("Load preset demo") && has("Light theme"));
    }

    #[test]
    fn what_cannot_be_done_now_is_off() {
        let enabled = |state: &AppState, id: &str| {
            table(state, &Session::default())
                .into_iter()
                .find(|entry| entry.id == id)
                .is_some_and(|entry| entry.enabled)
        };
        let idle = sample::state();
        assert!(enabled(&idle, "run.toggle") && !enabled(&idle, "run.step") && !enabled(&idle, "run.stop"));
        let running = sample::state_after(60);
        assert!(enabled(&running, "run.step") && enabled(&running, "run.stop") && !enabled(&running, "run.resume"));
        assert!(!enabled(&AppState::default(), "run.watch"), "the engine is not there yet");
    }
}
