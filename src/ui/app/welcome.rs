//! The card in the middle while there is no run: one large button, and quieter ways to begin.

use super::commands::Effect;
use crate::ui::action::{Action, Purpose};
use crate::ui::session::Session;
use crate::ui::state::AppState;
use crate::ui::theme::Theme;
use crate::ui::words;
use egui::{Align, Align2, Area, Button, Id, Layout, Order, Rect, RichText, ScrollArea, TextStyle, Ui, vec2};

/// Draws the card over `room`; `started` says that something was begun and is not there yet.
pub fn show(
    ui: &Ui,
    theme: &Theme,
    state: &AppState,
    session: &Session,
    room: Rect,
    started: bool,
    effects: &mut Vec<Effect>,
) {
    let width = 500.0_f32.min(room.width() - 24.0);
    let card = theme.card_frame().inner_margin(20).shadow(ui.visuals().window_shadow);
    Area::new(Id::unique("welcome"))
        .order(Order::Middle)
        .anchor(Align2::CENTER_CENTER, room.center() - ui.ctx().content_rect().center())
        .constrain_to(room)
        .fade_in(false)
        .accessible_name("Welcome")
        .show(ui.ctx(), |ui| {
            card.show(ui, |ui| {
                ui.set_width(width - 42.0);
                let most = room.height() - 64.0;
                ScrollArea::vertical().max_height(most).min_scrolled_height(most).auto_shrink([false, true]).show(
                    ui,
                    |ui| {
                        ui.with_layout(Layout::top_down(Align::Center), |ui| {
                            contents(ui, theme, state, session, started, effects);
                        });
                    },
                );
            });
        });
}

fn contents(ui: &mut Ui, theme: &Theme, state: &AppState, session: &Session, started: bool, effects: &mut Vec<Effect>) {
    let ready = state.engine.ready && !started;
    ui.label(RichText::new("What does a language model forget?").heading().strong());
    ui.add_space(Theme::GAP);
    let text = RichText::new("Watch it forget").text_style(TextStyle::Heading).strong();
    let button =
        if ready { Button::new(text.color(Theme::on(theme.accent()))).fill(theme.accent()) } else { Button::new(text) };
    let size = vec2(280.0_f32.min(ui.available_width()), 52.0);
    if ui.add_enabled(ready, button.min_size(size).corner_radius(8)).clicked() {
        effects.push(Effect::Do(Action::WatchItForget));
    }
    ui.add_space(Theme::GAP);
    let about = if state.engine.ready {
        "Trains the embedded model on eight small tasks, one after another, first by plain fine-tuning and then with I-LoRA. It takes a minute or two and needs nothing but this computer."
    } else {
        "The engine is starting."
    };
    ui.label(about);
    ui.add_space(Theme::GROUP_GAP);
    if session.can_resume() {
        let resume = Button::new("Resume last session").min_size(vec2(200.0, Theme::TARGET));
        let tip = match &session.interrupted {
            Some(folder) => format!("Goes on with {folder} at its checkpoint."),
            None => "Starts the runs that waited when the window was closed.".to_string(),
        };
        if ui.add_enabled(ready, resume).on_hover_text(tip).clicked() {
            effects.push(Effect::Resume);
        }
        let waiting = match session.waiting.len() {
            0 => None,
            1 => Some("one run that waited".to_string()),
            several => Some(format!("{several} runs that waited")),
        };
        let first = session.interrupted.as_deref().map(|folder| words::file_name(folder).to_string());
        let all: Vec<String> = first.into_iter().chain(waiting).collect();
        ui.label(RichText::new(all.join(", then ")).small().color(theme.muted()));
        ui.add_space(Theme::GAP);
    }
    ui.label(RichText::new("Or with something of your own").color(theme.muted()));
    ui.columns(2, |columns| {
        let own = [Purpose::ModelFolder, Purpose::TaskFiles, Purpose::RunFolder, Purpose::Capsule];
        for (place, purpose) in own.into_iter().enumerate() {
            let (title, tip) = words_for(&purpose);
            let Some(ui) = columns.get_mut(place % 2) else { continue };
            let button = Button::new(title).min_size(vec2(ui.available_width(), Theme::TARGET));
            if ui.add(button).on_hover_text(tip).clicked() {
                effects.push(Effect::Do(Action::Open(purpose)));
            }
        }
    });
    ui.label(RichText::new("Files and folders can be dropped on the window, too.").small().color(theme.muted()));
    let forms = ui.add(Button::new(RichText::new("Go to the forms").color(theme.accent())).frame(false));
    if forms.on_hover_text("Hides this card. The Panels menu brings it back.").clicked() {
        effects.push(Effect::Welcome(false));
    }
}

fn words_for(purpose: &Purpose) -> (&'static str, &'static str) {
    match purpose {
        Purpose::ModelFolder => {
            ("Open a model folder", "A folder with config.json, model.safetensors and tokenizer.json.")
        }
        Purpose::ModelFile => ("Open a model by a file", "config.json or a .safetensors file in the model's folder."),
        Purpose::TaskFiles => ("Add task files", "JSON, JSONL, CSV, TSV or Parquet."),
        Purpose::RunFolder => ("Open a run", "A run's folder, or a folder of runs."),
        Purpose::Capsule => ("Open a capsule", "A .thalweg file: a whole run in one file."),
        Purpose::AdapterFolder => ("Open an adapter", "A folder in PEFT's format."),
    }
}
