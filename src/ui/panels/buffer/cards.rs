//! The items as lines of text and numbers. Only the visible lines are made, whatever the number of items.

use super::Scene;
use super::arrangement::{Column, Look, Row};
use super::choice::{Choice, Wish};
use super::dots::told;
use super::hint::beginning;
use super::reading::{Reading, grouped, loss_text, task_name};
use crate::engine::protocol::buffer::BufferItem;
use crate::ui::theme::Theme;
use egui::text::LayoutJob;
use egui::{Align2, Color32, CornerRadius, FontId, Pos2, Rect, Role, ScrollArea, Sense, Shape, Stroke, TextStyle, Ui};
use egui::{WidgetInfo, pos2, vec2};

/// Columns with their headings, least widths, and whether they take what is left.
const COLUMNS: [(Column, &str, f32, bool); 9] = [
    (Column::Entry, "Item", 62.0, false),
    (Column::Task, "Task", 96.0, false),
    (Column::Prompt, "Prompt", 150.0, true),
    (Column::Answer, "Answer", 76.0, false),
    (Column::Age, "Age", 58.0, false),
    (Column::Replays, "Replays", 72.0, false),
    (Column::LossFast, "Fast loss", 80.0, false),
    (Column::LossSlow, "Slow loss", 80.0, false),
    (Column::Pinned, "Pinned", 66.0, false),
];
/// Characters of a text that are laid out at all.
const LONGEST: usize = 240;
const LINE: f32 = Theme::TARGET;
/// Kept free for the scroll bar.
const SCROLL_BAR: f32 = 10.0;

/// A column in its place.
#[derive(Clone, Copy)]
struct Place {
    column: Column,
    heading: &'static str,
    left: f32,
    width: f32,
    /// Holds numbers, which stand at the right.
    number: bool,
}

/// Draws the list and says what its keys asked for.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, look: &mut Look, choice: &mut Choice, height: f32) -> Option<Wish> {
    let sideways = ScrollArea::horizontal().id_salt("cards sideways").auto_shrink([false, false]).max_height(height);
    sideways
        .show(ui, |ui| {
            let places = places(ui.available_width() - SCROLL_BAR, scene.two_learners);
            let width = places.last().map_or(0.0, |last| last.left + last.width);
            ui.spacing_mut().item_spacing.y = 0.0;
            head(ui, scene, look, &places, width);
            let height = (height - LINE - 10.0).max(LINE * 2.0);
            ScrollArea::vertical()
                .id_salt("cards")
                .max_height(height)
                .auto_shrink([false, false])
                .show(ui, |ui| list(ui, scene, choice, &places, width, height))
                .inner
        })
        .inner
}

/// Where the columns stand in this width; narrower than they need, the list scrolls sideways.
fn places(available: f32, two_learners: bool) -> Vec<Place> {
    let wanted = || COLUMNS.iter().filter(|(column, ..)| two_learners || !column.needs_two_learners());
    let least: f32 = wanted().map(|(_, _, width, _)| *width).sum();
    let spare = (available - least).max(0.0);
    let mut left = 0.0;
    wanted()
        .map(|(column, heading, width, grows)| {
            let width = if *grows { width + spare } else { *width };
            let heading = if *column == Column::LossFast && !two_learners { "Loss" } else { heading };
            let number = !matches!(column, Column::Task | Column::Prompt | Column::Answer | Column::Pinned);
            let place = Place { column: *column, heading, left, width, number };
            left += width;
            place
        })
        .collect()
}

/// The headings; pressing one sorts by it, pressing it again turns the order round.
fn head(ui: &mut Ui, scene: &Scene<'_>, look: &mut Look, places: &[Place], width: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(width, LINE), Sense::hover());
    for place in places {
        let cell = Rect::from_min_size(pos2(rect.min.x + place.left, rect.min.y), vec2(place.width, LINE));
        let sorted = look.column == place.column;
        let name = format!("Sort by {}", place.column.label(scene.two_learners));
        let response = ui.interact(cell, ui.scope_id().with(("sort", place.heading)), Sense::click());
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, sorted, &name));
        let colour =
            if sorted || response.hovered() || response.has_focus() { scene.theme.text() } else { scene.theme.muted() };
        let text = cell_text(ui, cell, place.heading, colour, TextStyle::Body, place.number);
        if sorted {
            let x = if place.number { text.min.x - 8.0 } else { text.max.x + 8.0 };
            arrow(ui, pos2(x, cell.center().y), look.descending, colour);
        }
        super::focus_frame(ui, &response, cell, scene.theme);
        if response.on_hover_text(name).clicked() {
            look.descending = sorted && !look.descending;
            look.column = place.column;
        }
    }
    ui.painter().hline(rect.x_range(), rect.max.y, Stroke::new(1.0, scene.theme.line()));
}

fn list(
    ui: &mut Ui,
    scene: &Scene<'_>,
    choice: &mut Choice,
    places: &[Place],
    width: f32,
    height: f32,
) -> Option<Wish> {
    let rows = &scene.arrangement.rows;
    let size = vec2(width, (rows.len() as f32 * LINE).max(LINE));
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ListBox, true, "Items as cards");
        info.current_text_value = Some(told(scene, choice));
        info
    });
    let page = ((height / LINE) as usize).max(1);
    let wish = choice.keys(ui, &response, 1, page, rows);
    if std::mem::take(&mut choice.reveal)
        && let Some(index) = choice.id.and_then(|id| scene.arrangement.place(id))
    {
        let line = line(rect, index);
        ui.scroll_to_rect_animation(line, None, egui::style::ScrollAnimation::none());
    }
    let seen = ui.clip_rect().intersect(rect);
    let first = ((seen.min.y - rect.min.y) / LINE).max(0.0) as usize;
    let end = (((seen.max.y - rect.min.y) / LINE).ceil().max(0.0) as usize).min(rows.len());
    for (index, row) in rows.iter().enumerate().take(end).skip(first) {
        if let Some(item) = scene.run.buffer.items.get(&row.id)
            && card(ui, scene, places, line(rect, index), index, (row, item), choice.id == Some(row.id))
        {
            choice.choose(row.id);
            response.request_focus();
        }
    }
    super::focus_frame(ui, &response, rect, scene.theme);
    wish
}

fn line(list: Rect, index: usize) -> Rect {
    Rect::from_min_size(pos2(list.min.x, list.min.y + index as f32 * LINE), vec2(list.width(), LINE))
}

/// One line; says whether it was clicked. Lines are reached by the list's own keys, so they take no focus.
fn card(
    ui: &Ui,
    scene: &Scene<'_>,
    places: &[Place],
    rect: Rect,
    index: usize,
    (row, item): (&Row, &BufferItem),
    chosen: bool,
) -> bool {
    let response = ui.interact(rect, ui.scope_id().with(("card", row.id)), Sense::CLICK);
    response.widget_info(|| {
        let text = format!("Item {}, {}: {}", item.id, task_name(scene.run, item.task), beginning(&item.prompt, 60));
        WidgetInfo::selected(Role::ListItem, true, chosen, text)
    });
    let visuals = ui.visuals();
    let ground = if chosen {
        visuals.selection.bg_fill
    } else if response.hovered() {
        visuals.widgets.hovered.weak_bg_fill
    } else if index % 2 == 1 {
        visuals.faint_bg_color
    } else {
        Color32::TRANSPARENT
    };
    ui.painter().rect_filled(rect, CornerRadius::ZERO, ground);
    let shade = |colour: Color32| if row.goes { Theme::faint(colour, 0.45) } else { colour };
    for place in places {
        let cell = Rect::from_min_size(pos2(rect.min.x + place.left, rect.min.y), vec2(place.width, LINE));
        let text = text(scene, place.column, item, row.goes);
        let colour = match place.column {
            Column::Task => scene.theme.task(item.task),
            Column::Entry | Column::Pinned => scene.theme.muted(),
            _ => scene.theme.text(),
        };
        cell_text(ui, cell, &text, shade(colour), TextStyle::Body, place.number);
    }
    response.clicked()
}

/// What stands in a column.
fn text(scene: &Scene<'_>, column: Column, item: &BufferItem, goes: bool) -> String {
    let step = scene.run.buffer.step;
    match column {
        Column::Entry => grouped(item.id),
        Column::Task => task_name(scene.run, item.task),
        Column::Prompt => beginning(&item.prompt, LONGEST),
        Column::Answer => beginning(&item.answer, LONGEST),
        Column::Age => grouped(step.saturating_sub(item.inserted_step)),
        Column::Replays => grouped(item.state.replay_count),
        Column::LossFast => loss_text(Reading::LossFast.of(item, step)),
        Column::LossSlow => loss_text(Reading::LossSlow.of(item, step)),
        Column::Difference => loss_text(Reading::Difference.of(item, step)),
        Column::Pinned if goes => "would go".into(),
        Column::Pinned => if item.state.pinned { "pinned" } else { "" }.into(),
    }
}

/// A small triangle that points the way in which a column is sorted.
fn arrow(ui: &Ui, centre: Pos2, descending: bool, colour: Color32) {
    let tip = if descending { 3.5 } else { -3.5 };
    let corners = [vec2(-4.0, -tip), vec2(4.0, -tip), vec2(0.0, tip)].map(|offset| centre + offset);
    ui.painter().add(Shape::convex_polygon(corners.to_vec(), colour, Stroke::NONE));
}

/// One line of text in a cell, cut with an ellipsis where it is too long; gives its place.
fn cell_text(ui: &Ui, cell: Rect, text: &str, colour: Color32, style: TextStyle, number: bool) -> Rect {
    let inner = cell.shrink2(vec2(6.0, 0.0));
    let font = style.resolve(ui.style());
    let mut job = one_line(text, font, colour);
    job.wrap.max_width = inner.width();
    let galley = ui.painter().layout_job(job);
    let align = if number { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
    let place = align.align_size_within_rect(galley.size(), inner);
    ui.painter().with_clip_rect(cell.intersect(ui.clip_rect())).galley(place.min, galley, colour);
    place
}

fn one_line(text: &str, font: FontId, colour: Color32) -> LayoutJob {
    let mut job = LayoutJob::simple_singleline(text.to_string(), font, colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width(f32::INFINITY);
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_the_width_and_never_overlap() {
        for (width, two) in [(300.0, true), (900.0, true), (900.0, false)] {
            let places = places(width, two);
            let end = places.last().unwrap();
            let least = if two { 740.0 } else { 660.0 };
            assert!((end.left + end.width - width.max(least)).abs() < 0.01, "{} in {width}", end.left + end.width);
            assert!(places.windows(2).all(|pair| (pair[0].left + pair[0].width - pair[1].left).abs() < 0.01));
        }
    }
}
