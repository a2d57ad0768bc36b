//! The frame around the panels: takes in what the engine tells, draws, and carries out what people did.
//!
//! In reading order: this file (a frame's course), `carry_out` (actions), `commands` (everything that can be asked for by
//! name), `docking`, `top_bar`, `status_bar`, `welcome`, `palette`, `sheet`, `storage`, `dialogues`, `closing`, `inspect`, `exports`.
//!
//! Invariant: nothing here waits, and nothing is lost when a part of it fails: what went wrong is told in a sentence.

mod carry_out;
mod closing;
mod commands;
mod dialogues;
pub mod docking;
mod dropped;
mod exports;
mod follow;
mod icons;
mod inspect;
mod news;
mod palette;
mod picture;
mod sheet;
mod shortcuts;
mod status_bar;
mod storage;
mod tabs;
#[cfg(test)]
mod tests;
mod top_bar;
mod welcome;

use super::action::Action;
use super::files::Files;
use super::fonts::Fonts;
use super::link::EngineLink;
use super::pace::Pace;
use super::panel::{Context as PanelContext, Panel, PanelKind};
use super::session::{Session, storage_key};
use super::state::AppState;
use super::state::run::RunStatus;
use super::theme::Theme;
use super::widgets::toasts::Toasts;
use crate::engine::protocol::{Command, Level};
use crate::platform;
use closing::Closing;
use commands::{Effect, Progress, progress, table};
use dialogues::Dialogue;
use docking::Docking;
use egui::{CentralPanel, Context, Frame, Ui};
use exports::Exports;
use inspect::Inspector;
use palette::Palette;
use picture::Pictures;
use std::collections::VecDeque;

/// Time between two looks at the engine while nothing but an answer is awaited.
const EXPECTING_SECS: f64 = 0.15;
/// So long after a command an answer is looked for.
const EXPECT_SECS: f64 = 10.0;

/// The window.
pub struct App {
    link: Box<dyn EngineLink>,
    files: Box<dyn Files>,
    panels: Vec<Box<dyn Panel>>,
    session: Session,
    state: AppState,
    docking: Docking,
    toasts: Toasts,
    palette: Palette,
    sheet: bool,
    storage: bool,
    fonts: Fonts,
    dialogues: VecDeque<Dialogue>,
    dialogue_fresh: bool,
    /// The card in the middle: wanted, and wanted although there are runs.
    welcome: bool,
    welcome_anyway: bool,
    inspector: Inspector,
    exports: Exports,
    pictures: Pictures,
    closing: Closing,
    /// The theme that egui was told.
    applied: Option<Theme>,
    /// The draft was set once the engine was there.
    has_draft: bool,
    /// The draft of the link that opened the page, until then.
    linked: Option<String>,
    /// The model of a hub that was told to be missing.
    offered: Option<String>,
    /// What the engine was told about who looks at the buffer.
    watched: Option<bool>,
    /// A start was sent then and nothing came of it yet.
    starting: Option<f64>,
    /// Numbers before this one are spoken for.
    next_number: usize,
    /// Numbers before this one are spoken for until then.
    reading: Option<(usize, f64)>,
    answer_until_secs: f64,
    pace: Pace,
    clock: Box<dyn Fn() -> f64>,
    /// What was asked for from outside the frame.
    pending: Vec<Action>,
}

impl App {
    /// A window on this engine, with these dialogues and panels, as it was left.
    #[must_use]
    pub fn new(
        link: Box<dyn EngineLink>,
        files: Box<dyn Files>,
        panels: Vec<Box<dyn Panel>>,
        mut session: Session,
    ) -> Self {
        let docking = Docking::new(session.layout.take());
        let start = platform::now_secs();
        let mut state = AppState::default();
        session.recall(&mut state);
        Self {
            link,
            files,
            panels,
            session,
            state,
            docking,
            toasts: Toasts::default(),
            palette: Palette::default(),
            sheet: false,
            storage: false,
            fonts: Fonts::of_this_machine(),
            dialogues: VecDeque::new(),
            dialogue_fresh: true,
            welcome: true,
            welcome_anyway: false,
            inspector: Inspector::default(),
            exports: Exports::default(),
            pictures: Pictures::default(),
            closing: Closing::No,
            applied: None,
            has_draft: false,
            linked: None,
            offered: None,
            watched: None,
            starting: None,
            next_number: 0,
            reading: None,
            answer_until_secs: 0.0,
            pace: Pace::default(),
            clock: Box::new(move || platform::now_secs() - start),
            pending: Vec::new(),
        }
    }

    /// Measures time by this clock instead of the machine's: for tests and recordings.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> f64 + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// What is shown.
    #[must_use]
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Opens a capsule, as if somebody had dropped it on the window.
    pub fn open_capsule(&mut self, path: &str) {
        self.opened(&super::action::Purpose::Capsule, vec![path.to_string()]);
    }

    /// Asks where to, and packs a run's folder into one file there.
    pub fn save_capsule(&mut self, run: usize, folder: &str) {
        let command = Command::SaveCapsule { run, folder: folder.to_string(), path: String::new() };
        let export = super::action::Export::Command { name: format!("run-{run}.thalweg"), command: Box::new(command) };
        self.pending.push(Action::Export(export));
    }

    /// Shows or hides a run's curves beside the selected one's.
    pub fn compare(&mut self, run: usize, on: bool) {
        self.pending.push(Action::Compare { run, on });
    }

    /// Shows a panel instead of the card in the middle.
    pub fn show(&mut self, kind: PanelKind) {
        self.docking.show(kind);
        self.welcome = false;
    }

    /// Shows one panel and nothing else: for pictures and measurements.
    pub fn show_alone(&mut self, kind: PanelKind) {
        self.docking.show_alone(kind);
        self.welcome = false;
    }

    /// Shows the layout as it is at first.
    pub fn show_layout(&mut self) {
        self.docking.reset();
    }

    /// Light or dark, and how large.
    pub fn set_theme(&mut self, theme: Theme) {
        self.session.theme = theme;
    }

    fn now(&self) -> f64 {
        (self.clock)()
    }

    /// Says something to people, in the log and in a corner of the window.
    pub fn tell(&mut self, level: Level, message: impl Into<String>) {
        let (now, message) = (self.now(), message.into());
        if level == Level::Info {
            self.toasts.push(level, message.clone(), now);
        }
        self.state.tell(now, level, message);
    }

    /// What is to be remembered at the next start.
    #[must_use]
    pub fn session(&self) -> Session {
        let mut session = self.session.clone();
        session.layout = Some(self.docking.tree().clone());
        session.remember(&self.state);
        if self.has_draft {
            session.draft = self.state.draft.config.to_toml().ok();
        }
        // Should the program end without a word, the run in progress is the one to go on with.
        if let Some(folder) = self.state.active_run().and_then(|run| run.folder.clone()) {
            session.interrupted = Some(folder);
        }
        if self.closing == Closing::No {
            let queued = self.state.runs.iter().filter(|run| run.status == RunStatus::Queued && run.folder.is_none());
            session.waiting.extend(queued.filter_map(|run| run.experiment.to_toml().ok()));
        }
        session
    }

    /// Draws everything.
    pub fn ui(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.attend(&ctx);
        self.draw(ui);
    }

    /// What is to be done in every frame whether or not anything is drawn.
    fn attend(&mut self, ctx: &Context) {
        self.attend_address();
        self.drain();
        self.take_files();
        let now = self.now();
        for command in self.inspector.look(&mut self.state, now) {
            self.send(command);
        }
        self.attend_closing(ctx);
        if let Some(message) = self.fonts.attend(ctx) {
            self.tell(Level::Warning, message);
        }
        let now = self.now();
        self.pace.frame(now);
        self.pace.expect(ctx, now, self.is_busy());
        if let Some(wait) = self.next_look_secs() {
            ctx.request_repaint_after_secs(wait);
        }
    }

    /// Takes in all that was told.
    fn drain(&mut self) {
        for event in self.link.receive() {
            self.take_in(event);
        }
        let now = self.now();
        for (level, message) in std::mem::take(&mut self.state.toasts) {
            self.toasts.push(level, message, now);
        }
    }

    /// A command was sent: somebody looks for its answer.
    fn expect_answer(&mut self) {
        self.answer_until_secs = self.now() + EXPECT_SECS;
    }

    fn is_busy(&self) -> bool {
        let engine = &self.state.engine;
        match progress(&self.state) {
            Progress::Running | Progress::Waiting => true,
            Progress::Paused => false,
            Progress::Idle => engine.ready && engine.phase != "idle",
        }
    }

    /// Seconds until the next frame that nobody asked for; `None` while nothing goes on.
    fn next_look_secs(&self) -> Option<f32> {
        let now = self.now();
        let expecting = !self.state.engine.ready || now < self.answer_until_secs || self.files.is_waiting();
        let rests = [
            self.is_busy().then(|| self.pace.rest_secs()),
            expecting.then_some(EXPECTING_SECS),
            self.inspector.next_look_secs(now),
            self.toasts.next_change_secs(now),
        ];
        rests.into_iter().flatten().min_by(f64::total_cmp).map(|secs| secs as f32)
    }

    /// Tells egui the theme. To be called once before the first frame, so that this is drawn in it already.
    pub fn prepare(&mut self, ctx: &Context) {
        let theme = self.session.theme;
        if self.applied.replace(theme) == Some(theme) {
            return;
        }
        ctx.options_mut(|options| options.zoom_with_keyboard = false);
        // Twice: colours go to the theme in force, and that changes with the first call.
        theme.apply(ctx);
        theme.apply(ctx);
        ctx.request_repaint();
    }

    fn draw(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.prepare(&ctx);
        self.take_dropped(&ctx);
        let (theme, now) = (self.session.theme, self.now());
        let (mut effects, mut actions) = (self.shortcuts(&ctx), std::mem::take(&mut self.pending));
        top_bar::show(ui, &theme, &self.state, &self.docking, &mut effects);
        let below = status_bar::show(ui, &theme, &self.state, &mut effects);
        let frame = Frame::new().fill(theme.ground());
        let centre = CentralPanel::no_frame().frame(frame).show(ui, |ui| {
            let room = ui.max_rect();
            let mut context = PanelContext { state: &self.state, theme: &theme, actions: &mut actions, now_secs: now };
            self.docking.ui(ui, &mut self.panels, &mut context);
            room
        });
        if self.welcome_anyway || self.welcome && self.state.runs.is_empty() {
            let started = self.is_starting();
            welcome::show(ui, &theme, &self.state, &self.session, centre.inner, started, &mut effects);
        }
        self.toasts.show(ui, &theme, now, below);
        if self.palette.is_open() {
            let mut entries = table(&self.state, &self.session);
            if let Some(place) = self.palette.show(&ctx, &theme, &entries) {
                effects.push(entries.swap_remove(place).effect);
            }
        }
        if self.sheet {
            self.sheet = sheet::show(&ctx, &theme, &table(&self.state, &self.session));
        }
        self.show_storage(&ctx);
        self.show_dialogue(&ctx);
        self.show_closing(&ctx);
        hint_where_to_drop(ui, &theme);
        self.finish(&ctx, actions, effects);
    }

    /// Carries out what was done in this frame.
    fn finish(&mut self, ctx: &Context, actions: Vec<Action>, effects: Vec<Effect>) {
        if !actions.is_empty() || !effects.is_empty() || self.fonts.are_wanted() {
            ctx.request_repaint();
        }
        for action in actions {
            self.carry_out(ctx, action);
        }
        for effect in effects {
            self.effect(ctx, effect);
        }
        if self.welcome_anyway && self.is_starting() {
            self.welcome_anyway = false;
        }
        let watched = self.docking.visible().contains(&PanelKind::Buffer);
        if self.state.engine.ready && self.watched != Some(watched) {
            self.watched = Some(watched);
            self.send(Command::WatchBuffer { on: watched });
        }
    }
}

/// While files are held over the window.
fn hint_where_to_drop(ui: &Ui, theme: &Theme) {
    if ui.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let room = ui.ctx().content_rect();
    let painter = ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop hint")));
    painter.rect_filled(room, 0.0, Theme::faint(theme.ground(), 0.8));
    let text = "Drop models, tasks, runs or capsules here";
    let font = egui::TextStyle::Heading.resolve(ui.style());
    painter.text(room.center(), egui::Align2::CENTER_CENTER, text, font, theme.text());
}

/// What an earlier window left, and a sentence if it is damaged.
#[must_use]
pub fn remembered(storage: Option<&dyn eframe::Storage>) -> (Session, Option<String>) {
    Session::from_json(&storage.and_then(|storage| storage.get_string(&storage_key())).unwrap_or_default())
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _: &mut eframe::Frame) {
        self.attend(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        // By the second frame, which nothing else may ask for, the first one is in sight.
        match ui.ctx().cumulative_frame_nr() {
            0 => ui.ctx().request_repaint(),
            1 => platform::drawn(),
            _ => {}
        }
        self.draw(ui);
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        if !platform::is_read_only() {
            storage.set_string(&storage_key(), self.session().to_json());
        }
    }

    /// Often, since a page is closed without a word.
    fn auto_save_interval(&self) -> std::time::Duration {
        std::time::Duration::from_secs(5)
    }

    platform::exit_method!(last_moment);

    fn clear_color(&self, _: &egui::Visuals) -> [f32; 4] {
        self.session.theme.ground().to_normalized_gamma_f32()
    }
}
