//! How many items each task held over time, and how far that is from even.

use super::Scene;
use super::reading::{counted, grouped, task_name};
use super::summary::counts;
use crate::ui::theme::Theme;
use egui::{CornerRadius, Grid, Rect, RichText, Role, ScrollArea, Sense, Stroke, Tooltip, Ui, WidgetInfo, pos2, vec2};
use egui_plot::{FilledArea, Plot, VLine};

/// Most columns that are drawn of a long history.
const COLUMNS: usize = 400;
/// Height of the table below, for so many lines before it scrolls.
const TABLE_LINES: usize = 8;

/// Stacked boundaries between the tasks.
#[derive(Debug, Default, PartialEq)]
struct Stack {
    steps: Vec<f64>,
    /// `[tasks + 1][steps]`: the lower edge of each task, then the upper edge of the last.
    edges: Vec<Vec<f64>>,
}

impl Stack {
    /// Of a history of counts up to a step, thinned; what a resumed run did again replaces what was there.
    fn of(history: &[(u64, Vec<usize>)], until: u64, relative: bool) -> Self {
        let mut kept: Vec<&(u64, Vec<usize>)> = Vec::with_capacity(COLUMNS + 1);
        let stride = history.len().div_ceil(COLUMNS).max(1);
        let last = history.len().saturating_sub(1);
        let thinned = history.iter().enumerate().filter(|(index, _)| index % stride == 0 || *index == last);
        for (_, entry) in thinned {
            while kept.last().is_some_and(|before| before.0 >= entry.0) {
                kept.pop();
            }
            kept.push(entry);
        }
        let tasks = kept.iter().map(|(_, counts)| counts.len()).max().unwrap_or(0);
        let mut stack = Self { steps: Vec::new(), edges: vec![Vec::new(); tasks + 1] };
        let end = kept.last().filter(|entry| entry.0 < until).map(|entry| (until, &entry.1));
        for (step, counts) in kept.iter().map(|entry| (entry.0, &entry.1)).chain(end) {
            stack.steps.push(step as f64);
            let all = counts.iter().sum::<usize>().max(1) as f64;
            let mut height = 0.0;
            for (task, edge) in stack.edges.iter_mut().enumerate() {
                edge.push(if relative { height / all * 100.0 } else { height });
                height += counts.get(task).copied().unwrap_or(0) as f64;
            }
        }
        stack
    }

    /// Items (or percent) of each task at the step before or at this place.
    fn at(&self, x: f64) -> Option<(f64, Vec<f64>)> {
        let index = self.steps.partition_point(|step| *step <= x).checked_sub(1)?;
        let edge = |task: usize| self.edges.get(task).and_then(|edge| edge.get(index)).copied().unwrap_or(0.0);
        let tasks = self.edges.len().saturating_sub(1);
        Some((*self.steps.get(index)?, (0..tasks).map(|task| edge(task + 1) - edge(task)).collect()))
    }
}

/// The view of the shares.
#[derive(Debug, Default)]
pub struct Shares {
    /// Percent of what was held, in place of items.
    relative: bool,
    key: Option<(usize, u64, bool)>,
    stack: Stack,
}

impl Shares {
    /// Draws the areas and the table.
    pub fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, height: f32) {
        let top = ui.cursor().min.y;
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Each task's part of the buffer over the steps, as").color(scene.theme.muted()));
            ui.selectable_value(&mut self.relative, false, "items");
            ui.selectable_value(&mut self.relative, true, "percent");
        });
        let key = (scene.run.number, scene.run.buffer.generation, self.relative);
        if self.key != Some(key) {
            self.key = Some(key);
            self.stack = Stack::of(&scene.run.buffer.shares, scene.run.buffer.step, self.relative);
        }
        let lines = counts(scene.run).len().min(TABLE_LINES) + 2;
        let table = lines as f32 * (ui.text_style_height(&egui::TextStyle::Body) + 6.0) + 8.0;
        let left = height - (ui.cursor().min.y - top);
        self.areas(ui, scene, (left - table).max(170.0));
        ui.add_space(Theme::GAP);
        table_of_shares(ui, scene, table);
    }

    fn areas(&self, ui: &mut Ui, scene: &Scene<'_>, height: f32) {
        let (theme, stack) = (scene.theme, &self.stack);
        let unit = if self.relative { "Percent of the items" } else { "Items" };
        let plot = Plot::new(("buffer shares", self.relative))
            .height(height)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .show_x(false)
            .show_y(false)
            .label_formatter(|_| None)
            .grid_color(theme.line())
            .include_y(0.0)
            .x_axis_label("Step")
            .y_axis_label(unit);
        let drawn = plot.show(ui, |plot| {
            for (task, pair) in stack.edges.windows(2).enumerate() {
                if let [lower, upper] = pair
                    && lower.len() == stack.steps.len()
                {
                    let colour = theme.task(task);
                    let area = FilledArea::new(task_name(scene.run, task), &stack.steps, lower, upper)
                        .fill_color(Theme::faint(colour, 0.75))
                        .stroke(Stroke::new(1.0, colour))
                        .allow_hover(false);
                    plot.add(area);
                }
            }
            for (step, _) in scene.run.curves.boundaries.iter().skip(1) {
                plot.vline(VLine::new("", *step as f64).stroke(Stroke::new(1.0, theme.muted())).allow_hover(false));
            }
        });
        let response = drawn.response;
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, "Items of each task over the steps"));
        let Some(pointer) = response.hover_pos() else { return };
        let Some((step, heights)) = stack.at(drawn.transform.value_from_position(pointer).x) else { return };
        Tooltip::for_widget(&response).at_pointer().gap(12.0).show(|ui: &mut Ui| {
            ui.label(RichText::new(format!("Step {}", grouped(step as u64))).strong());
            for (task, height) in heights.iter().enumerate().rev() {
                let text = if self.relative {
                    format!("{}: {height:.1} %", task_name(scene.run, task))
                } else {
                    format!("{}: {}", task_name(scene.run, task), counted(height.round() as u64, "item", "items"))
                };
                ui.label(RichText::new(text).color(theme.task(task)));
            }
        });
    }
}

/// Each task's present share beside the even one.
fn table_of_shares(ui: &mut Ui, scene: &Scene<'_>, height: f32) {
    let counts = counts(scene.run);
    let all = counts.iter().sum::<usize>().max(1) as f64;
    let even = 1.0 / counts.len().max(1) as f64;
    let most = counts.iter().map(|count| *count as f64 / all).fold(even, f64::max);
    ScrollArea::vertical().id_salt("shares").max_height(height).auto_shrink([false, true]).show(ui, |ui| {
        Grid::new("shares now").num_columns(4).spacing(vec2(14.0, 4.0)).min_row_height(0.0).show(ui, |ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            for heading in ["Task", "Items", "Share"] {
                ui.label(RichText::new(heading).color(scene.theme.muted()));
            }
            let text = format!("Even share: {:.1} %", even * 100.0);
            ui.label(RichText::new(text).color(scene.theme.muted()));
            ui.end_row();
            for (task, count) in counts.iter().enumerate() {
                let share = *count as f64 / all;
                ui.label(RichText::new(task_name(scene.run, task)).color(scene.theme.task(task)));
                ui.label(grouped(*count as u64));
                ui.label(format!("{:.1} %", share * 100.0));
                bar(ui, scene, task, share / most, even / most);
                ui.end_row();
            }
        });
    });
}

/// A share as a bar, with a mark at the even one.
fn bar(ui: &mut Ui, scene: &Scene<'_>, task: usize, share: f64, even: f64) {
    let size = vec2((ui.available_width() - 12.0).clamp(50.0, 220.0), ui.text_style_height(&egui::TextStyle::Body));
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    let body = rect.shrink2(vec2(0.0, 3.0));
    let filled = Rect::from_min_size(body.min, vec2(body.width() * share as f32, body.height()));
    ui.painter().rect_filled(body, CornerRadius::same(2), scene.theme.card());
    ui.painter().rect_filled(filled, CornerRadius::same(2), scene.theme.task(task));
    let x = body.min.x + body.width() * even as f32;
    let mark = [pos2(x, rect.min.y), pos2(x, rect.max.y)];
    ui.painter().line_segment(mark, Stroke::new(1.5, scene.theme.text()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_stacked() {
        let history = [(1, vec![2]), (5, vec![2, 2]), (9, vec![1, 3])];
        let stack = Stack::of(&history, 12, false);
        assert_eq!(stack.steps, [1.0, 5.0, 9.0, 12.0], "and go on to the present step");
        assert_eq!(stack.edges, [vec![0.0; 4], vec![2.0, 2.0, 1.0, 1.0], vec![2.0, 4.0, 4.0, 4.0]]);
        assert_eq!(Stack::of(&history, 12, true).edges[1], [100.0, 50.0, 25.0, 25.0]);
        assert_eq!(stack.at(8.9), Some((5.0, vec![2.0, 2.0])));
        assert_eq!(stack.at(0.5), None);
    }

    #[test]
    fn a_resumed_run_overwrites_and_a_long_history_is_thinned() {
        let resumed = [(1, vec![1]), (8, vec![8]), (4, vec![4]), (6, vec![6])];
        assert_eq!(Stack::of(&resumed, 6, false).steps, [1.0, 4.0, 6.0]);
        let long: Vec<(u64, Vec<usize>)> = (1..=100_000).map(|step| (step, vec![1, 2])).collect();
        let stack = Stack::of(&long, 100_000, false);
        assert!(stack.steps.len() <= COLUMNS + 1, "{}", stack.steps.len());
        assert_eq!(stack.steps.last(), Some(&100_000.0), "the last is there");
        assert_eq!(Stack::of(&[], 0, true), Stack { steps: Vec::new(), edges: vec![Vec::new()] });
    }
}
