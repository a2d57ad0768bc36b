//! The views of the buffer, and what is shown in them: colour, order, filters.

use super::Scene;
use super::arrangement::{Column, Look};
use super::legend::capitalised;
use super::reading::{Reading, grouped, task_name, tasks_seen};
use egui::{ComboBox, RichText, TextEdit, Ui};

/// Ways to look at the buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Dots,
    Map,
    Cards,
    Shares,
}

impl View {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Dots, "Dots", "Every item as a dot"),
        (Self::Map, "Map", "Items in two dimensions, by the model's hidden states"),
        (Self::Cards, "Cards", "Every item as a line of text and numbers"),
        (Self::Shares, "Shares", "How many items each task held over time"),
    ];
}

/// The row of views, with the count of what is shown.
pub fn views(ui: &mut Ui, scene: &Scene<'_>, view: &mut View, look: &mut Look) {
    ui.horizontal_wrapped(|ui| {
        for (choice, label, about) in View::ALL {
            ui.selectable_value(view, choice, label).on_hover_text(about);
        }
        if *view == View::Shares {
            return;
        }
        let (shown, all) = (scene.arrangement.rows.len() as u64, scene.run.buffer.items.len() as u64);
        ui.label(RichText::new(format!("{} of {}", grouped(shown), grouped(all))).color(scene.theme.muted()));
        if !look.filter.is_open() && ui.button("Show all").clicked() {
            look.filter = super::arrangement::Filter::default();
        }
    });
}

/// Colour, order and filters.
pub fn look(ui: &mut Ui, scene: &Scene<'_>, view: View, look: &mut Look) {
    ui.horizontal_wrapped(|ui| {
        if view != View::Cards {
            together(ui, 175.0, |ui| colours(ui, scene, look));
        }
        if view != View::Map {
            together(ui, 230.0, |ui| order(ui, scene, look));
        }
        together(ui, 130.0, |ui| tasks(ui, scene, look));
        together(ui, 150.0, |ui| {
            let label = ui.label("Find");
            let field = TextEdit::singleline(&mut look.filter.text).hint_text("text").desired_width(100.0);
            ui.add(field).labelled_by(label.id).on_hover_text("Part of the prompt or the answer, in any case");
        });
        together(ui, 105.0, |ui| {
            ui.checkbox(&mut look.filter.pinned, "Pinned only");
        });
    });
}

/// A label and its control, which break into the next line together.
fn together(ui: &mut Ui, width: f32, contents: impl FnOnce(&mut Ui)) {
    if ui.available_size_before_wrap().x < width {
        ui.end_row();
    }
    ui.horizontal(contents);
}

fn colours(ui: &mut Ui, scene: &Scene<'_>, look: &mut Look) {
    let label = ui.label("Colour by");
    let two = scene.two_learners;
    let combo = ComboBox::from_id_salt("colour").selected_text(capitalised(look.reading.label(two)));
    let response = combo.show_ui(ui, |ui| {
        for reading in Reading::all(two) {
            ui.selectable_value(&mut look.reading, *reading, capitalised(reading.label(two)));
        }
    });
    response.response.labelled_by(label.id);
}

fn order(ui: &mut Ui, scene: &Scene<'_>, look: &mut Look) {
    let label = ui.label("Order");
    let two = scene.two_learners;
    let combo = ComboBox::from_id_salt("order").selected_text(capitalised(look.column.label(two)));
    let response = combo.height(320.0).show_ui(ui, |ui| {
        for column in Column::ALL {
            if two || !column.needs_two_learners() {
                ui.selectable_value(&mut look.column, column, capitalised(column.label(two)));
            }
        }
    });
    response.response.labelled_by(label.id);
    let turn = ui.button(if look.descending { "Descending" } else { "Ascending" });
    let turn = turn.on_hover_text("Press to turn the order round. Items that were not measured stand last either way.");
    if turn.clicked() {
        look.descending = !look.descending;
    }
}

fn tasks(ui: &mut Ui, scene: &Scene<'_>, look: &mut Look) {
    let label = ui.label("Task");
    let shown = look.filter.task.map_or_else(|| "All tasks".to_string(), |task| task_name(scene.run, task));
    let response = ComboBox::from_id_salt("task").selected_text(shown).show_ui(ui, |ui| {
        ui.selectable_value(&mut look.filter.task, None, "All tasks");
        for task in 0..tasks_seen(scene.run) {
            ui.selectable_value(&mut look.filter.task, Some(task), task_name(scene.run, task));
        }
    });
    response.response.labelled_by(label.id);
}
