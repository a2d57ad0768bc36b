//! Everything that is known of one item: its text, numbers and history, and what can be done with it.

use super::Scene;
use super::choice::{Choice, Wish};
use super::edits::NOT_ACTIVE;
use super::reading::{Reading, counted, grouped, task_name};
use crate::engine::protocol::buffer::{ALWAYS_TOLD, BufferItem};
use crate::ui::action::Action;
use crate::ui::panel::{Context, PanelKind};
use crate::ui::state::buffer::ItemReading;
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
use egui::text::{LayoutJob, TextFormat};
use egui::{Button, Grid, Label, RichText, Role, ScrollArea, Stroke, TextStyle, Ui, WidgetInfo, vec2};
use egui_plot::{Line, Plot, PlotPoint, PlotPoints, Points};

/// Height of the history's plot.
const HISTORY: f32 = 130.0;
/// Most height that the text takes before it scrolls.
const TEXT: f32 = 150.0;

/// Draws the chosen item and says what its buttons asked for.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, choice: &mut Choice, context: &mut Context<'_>) -> Option<Wish> {
    let (run, theme) = (scene.run, scene.theme);
    let Some(id) = choice.id.filter(|_| choice.open) else {
        let hint = "Click an item to see its text, its losses and when it was replayed. In the focused view the arrow keys \
                    move, Enter opens, P pins and Delete drops.";
        ui.label(RichText::new(hint).color(theme.muted()));
        return None;
    };
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("Item {}", grouped(id))).strong());
        let close = ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| ui.small_button("Close"));
        choice.open &= !close.inner.clicked();
    });
    let Some(item) = run.buffer.items.get(&id) else {
        ui.label(RichText::new("It has left the buffer.").color(theme.muted()));
        return None;
    };
    text(ui, item, theme);
    let wish = buttons(ui, scene, item, context);
    facts(ui, scene, item);
    history(ui, scene, item);
    wish
}

/// Prompt and answer, told apart by their ground.
fn text(ui: &mut Ui, item: &BufferItem, theme: Theme) {
    theme.card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ScrollArea::vertical().id_salt("item text").max_height(TEXT).show(ui, |ui| {
            let font = TextStyle::Body.resolve(ui.style());
            let mut job = LayoutJob::default();
            job.append(&item.prompt, 0.0, TextFormat::simple(font.clone(), theme.text()));
            let answer = TextFormat { background: theme.trained_token(), ..TextFormat::simple(font, theme.text()) };
            job.append(&item.answer, 6.0, answer);
            ui.add(Label::new(job).wrap().selectable(true));
        });
        ui.label(
            RichText::new("The answer is on coloured ground; the loss is taken on it alone.")
                .small()
                .color(theme.muted()),
        );
    });
}

fn buttons(ui: &mut Ui, scene: &Scene<'_>, item: &BufferItem, context: &mut Context<'_>) -> Option<Wish> {
    ui.horizontal_wrapped(|ui| {
        let mut wish = None;
        let pinned = item.state.pinned;
        let (label, about) = if pinned {
            ("Unpin", "The policy may replace it again.")
        } else {
            ("Pin", "The policy never replaces a pinned item.")
        };
        let pin = ui.add_enabled(scene.editable, Button::new(label)).on_hover_text(about);
        if pin.on_disabled_hover_text(NOT_ACTIVE).clicked() {
            wish = Some(Wish::Pin { id: item.id, pinned: !pinned });
        }
        let drop = ui.add_enabled(scene.editable, Button::new("Drop")).on_hover_text("Takes it out of the buffer.");
        if drop.on_disabled_hover_text(NOT_ACTIVE).clicked() {
            wish = Some(Wish::Drop { id: item.id });
        }
        let generate = ui.button("Generate from it");
        if generate.on_hover_text("Opens the Generate panel and copies the prompt, ready to be pasted.").clicked() {
            context.actions.push(Action::Copy(item.prompt.clone()));
            context.actions.push(Action::Show(PanelKind::Generate));
        }
        wish
    })
    .inner
}

/// How many tasks have begun since a step.
fn tasks_since(run: &RunView, entered: u64) -> usize {
    run.curves.boundaries.iter().filter(|(start, _)| *start >= entered && *start < run.buffer.step).count()
}

fn facts(ui: &mut Ui, scene: &Scene<'_>, item: &BufferItem) {
    let (run, step) = (scene.run, scene.run.buffer.step);
    let since = tasks_since(run, item.inserted_step);
    let age = counted(step.saturating_sub(item.inserted_step), "step", "steps");
    let age = if since == 0 { age } else { format!("{age}, {}", counted(since as u64, "task", "tasks")) };
    let replayed = match item.state.last_replay_step {
        Some(last) => format!("{}, last at step {}", counted(item.state.replay_count, "time", "times"), grouped(last)),
        None => counted(item.state.replay_count, "time", "times"),
    };
    let loss = |reading: Reading| {
        reading.of(item, step).map_or_else(|| "not measured yet".to_string(), |loss| format!("{loss:.3} nats"))
    };
    let mut facts = vec![
        ("Task", task_name(run, item.task)),
        ("Example", format!("number {} of its task, {}", grouped(item.example_index as u64 + 1), tokens(item.tokens))),
        ("Entered", format!("after step {}", grouped(item.inserted_step))),
        ("Age", age),
        ("Replayed", replayed),
    ];
    if scene.two_learners {
        facts.push(("Fast loss", loss(Reading::LossFast)));
        facts.push(("Slow loss", loss(Reading::LossSlow)));
    } else {
        facts.push(("Loss", loss(Reading::LossFast)));
    }
    facts.push(("Pinned", if item.state.pinned { "yes" } else { "no" }.into()));
    Grid::new("item facts").num_columns(2).spacing(vec2(12.0, 3.0)).min_row_height(0.0).show(ui, |ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        for (name, value) in facts {
            ui.label(RichText::new(name).color(scene.theme.muted()));
            ui.add(Label::new(value).wrap());
            ui.end_row();
        }
    });
}

fn tokens(count: usize) -> String {
    counted(count as u64, "token", "tokens")
}

/// Histories are not written to the disk, and those of large buffers are kept only while somebody looks.
fn why_no_history(scene: &Scene<'_>, item: &BufferItem) -> String {
    if item.state.replay_count == 0 {
        return "It was not replayed yet. Its history begins with the first replay.".into();
    }
    match (scene.editable, scene.run.buffer.items.len() > ALWAYS_TOLD) {
        (true, false) => "Its history begins with its next replay.".into(),
        (true, true) => format!(
            "Its history begins with its next replay: in a buffer of more than {} items, losses are noted while this panel is open.",
            grouped(ALWAYS_TOLD as u64)
        ),
        (false, _) => "Its last losses are known, not those before: a history is noted while a run goes on.".into(),
    }
}

/// Both losses over the steps, with a tick for every replay that was seen.
fn history(ui: &mut Ui, scene: &Scene<'_>, item: &BufferItem) {
    let theme = scene.theme;
    let readings: &[ItemReading] = scene.run.buffer.history.get(&item.id).map_or(&[], Vec::as_slice);
    if readings.is_empty() {
        ui.label(RichText::new(why_no_history(scene, item)).color(theme.muted()));
        return;
    }
    let seen = format!(
        "History of {} of {}",
        grouped(readings.len() as u64),
        counted(item.state.replay_count, "replay", "replays")
    );
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(seen).color(theme.muted()));
        if scene.two_learners {
            ui.label(RichText::new("fast").color(theme.learner("working")));
            ui.label(RichText::new("slow").color(theme.learner("long_term")));
        }
    });
    let points = |loss: fn(&ItemReading) -> Option<f32>| -> Vec<[f64; 2]> {
        readings
            .iter()
            .filter_map(|reading| Some([reading.step as f64, f64::from(loss(reading)?)]))
            .filter(|[_, loss]| loss.is_finite())
            .collect()
    };
    let fast = if scene.two_learners { "working" } else { "model" };
    let curves =
        [(fast, points(|reading| reading.loss_working)), ("long_term", points(|reading| reading.loss_long_term))];
    let plot = Plot::new(("item history", item.id))
        .height(HISTORY)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_boxed_zoom(false)
        .grid_color(theme.line())
        .include_y(0.0)
        .set_margin_fraction(vec2(0.05, 0.12))
        .x_axis_label("Step")
        .y_axis_label("Loss (nats)");
    let drawn = plot.show(ui, |plot| {
        for (name, points) in curves {
            if points.is_empty() {
                continue;
            }
            let colour = theme.learner(name);
            let label = match name {
                "working" => "fast learner",
                "long_term" => "slow learner",
                _ => "loss",
            };
            plot.line(Line::new(label, PlotPoints::from(points.clone())).color(colour).width(Theme::LINE));
            plot.points(Points::new(label, PlotPoints::from(points)).color(colour).radius(2.5));
        }
    });
    drawn
        .response
        .widget_info(|| WidgetInfo::labeled(Role::Canvas, true, format!("Losses of item {} over the steps", item.id)));
    let frame = *drawn.transform.frame();
    let painter = ui.painter().with_clip_rect(frame);
    for reading in readings {
        let x = drawn.transform.position_from_point(&PlotPoint::new(reading.step as f64, 0.0)).x;
        painter.vline(x, frame.max.y - 8.0..=frame.max.y, Stroke::new(1.0, theme.text()));
    }
    ui.label(RichText::new("Ticks at the lower edge: replays.").small().color(theme.muted()));
}

#[cfg(test)]
mod tests {
    use super::super::arrangement::Arrangement;
    use super::*;
    use crate::ui::sample;

    #[test]
    fn it_says_why_there_is_no_history() {
        let state = sample::state();
        let mut run = state.runs.into_iter().nth(1).unwrap();
        let (mut item, arrangement) = (run.buffer.items.values().next().unwrap().clone(), Arrangement::default());
        let why = |run: &RunView, item: &BufferItem, editable: bool| {
            let theme = Theme::default();
            let scene = Scene { run, theme, arrangement: &arrangement, editable, two_learners: true, wide: true };
            why_no_history(&scene, item)
        };
        item.state.replay_count = 0;
        assert!(why(&run, &item, true).contains("not replayed yet"));
        item.state.replay_count = 3;
        assert_eq!(why(&run, &item, true), "Its history begins with its next replay.");
        assert!(why(&run, &item, false).contains("while a run goes on"));
        for id in 0..=ALWAYS_TOLD as u64 {
            run.buffer.items.insert(100_000 + id, item.clone());
        }
        assert!(why(&run, &item, true).contains("more than 1,000 items, losses are noted while this panel is open"));
    }

    #[test]
    fn the_age_in_tasks_counts_those_that_began_since() {
        let mut state = sample::state();
        let run = &mut state.runs[1];
        run.curves.boundaries = (0..8).map(|task| (task as u64 * 75, task)).collect();
        run.buffer.step = 600;
        assert_eq!([1, 75, 76, 599].map(|entered| tasks_since(run, entered)), [7, 7, 6, 0]);
        run.buffer.step = 100;
        assert_eq!(tasks_since(run, 1), 1, "later tasks have not begun");
    }
}
