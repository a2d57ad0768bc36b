//! What was told so far, line by line: everything that a toast said and more.

use crate::engine::protocol::Level;
use crate::ui::action::Action;
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::state::LogLine;
use crate::ui::theme::Theme;
use egui::{Align, Color32, Label, Layout, RichText, ScrollArea, TextEdit, TextStyle, TextWrapMode, Ui, vec2};

/// With less room than this for a message, in points, its weight is one letter.
const NARROW: f32 = 320.0;

/// The log.
#[derive(Debug)]
pub struct LogPanel {
    /// Only lines of at least this weight.
    at_least: Level,
    /// Only lines that hold this text.
    search: String,
}

impl Default for LogPanel {
    fn default() -> Self {
        Self { at_least: Level::Info, search: String::new() }
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

fn colour(theme: &Theme, level: Level) -> Color32 {
    match level {
        Level::Info => theme.muted(),
        Level::Warning => theme.warning(),
        Level::Error => theme.bad(),
    }
}

/// Time since the start, as `01:07.3`.
fn clock(secs: f64) -> String {
    let tenths = (secs.max(0.0) * 10.0).round() as u64;
    format!("{:02}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

/// A line as it is copied.
fn plain(line: &LogLine) -> String {
    format!("{} {:<7} {}", clock(line.at_secs), word(line.level), line.message)
}

impl LogPanel {
    fn shows(&self, line: &LogLine, wanted: &str) -> bool {
        line.level >= self.at_least && (wanted.is_empty() || line.message.to_lowercase().contains(wanted))
    }

    fn controls(&mut self, ui: &mut Ui, context: &mut Context<'_>, shown: &[&LogLine]) {
        ui.horizontal_wrapped(|ui| {
            for (level, title) in [(Level::Info, "All"), (Level::Warning, "Warnings"), (Level::Error, "Errors")] {
                let about = match level {
                    Level::Info => "Show every line.",
                    Level::Warning => "Show warnings and errors.",
                    Level::Error => "Show errors only.",
                };
                ui.selectable_value(&mut self.at_least, level, title).on_hover_text(about);
            }
            // One thing to the bar that breaks into lines, so that the name stays beside its field.
            let width = ui.available_size_before_wrap().x.max(150.0).min(ui.max_rect().width()).min(260.0);
            ui.allocate_ui(vec2(width, Theme::TARGET), |ui| {
                ui.horizontal(|ui| {
                    let label = ui.label("Search");
                    let field = TextEdit::singleline(&mut self.search).desired_width(ui.available_width() - 8.0);
                    let field = field.hint_text("text in a line").align(egui::Align2::LEFT_CENTER);
                    ui.add(field).labelled_by(label.id);
                });
            });
            let copy = ui.add_enabled(!shown.is_empty(), egui::Button::new("Copy all"));
            if copy.on_hover_text("Copies the lines that are shown.").clicked() {
                let text: Vec<String> = shown.iter().map(|line| plain(line)).collect();
                context.actions.push(Action::Copy(text.join("\n")));
            }
            let all = context.state.log.len();
            let lines = if all == 1 { "line" } else { "lines" };
            let count =
                if shown.len() == all { format!("{all} {lines}") } else { format!("{} of {all} {lines}", shown.len()) };
            ui.label(RichText::new(count).color(context.theme.muted()));
        });
    }
}

fn row(ui: &mut Ui, theme: &Theme, line: &LogLine) {
    ui.horizontal(|ui| {
        ui.style_mut().wrap_mode = Some(TextWrapMode::Truncate);
        let small = |text: String, colour| RichText::new(text).text_style(TextStyle::Monospace).color(colour);
        ui.label(small(clock(line.at_secs), theme.muted()));
        let word = word(line.level);
        let sign = if ui.available_width() < NARROW {
            word.chars().take(1).collect::<String>().to_uppercase()
        } else {
            format!("{word:<7}")
        };
        ui.label(small(sign, colour(theme, line.level))).on_hover_text(word);
        let one_line = line.message.replace('\n', "  ");
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let several = one_line != line.message;
            let label = ui.add(Label::new(one_line).truncate());
            if several {
                label.on_hover_text(&line.message);
            }
        });
    });
}

impl Panel for LogPanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Log
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let state = context.state;
        let wanted = self.search.trim().to_lowercase();
        // At most as many as the log keeps: two thousand comparisons a frame, and only while the panel is open.
        let shown: Vec<&LogLine> = state.log.iter().filter(|line| self.shows(line, &wanted)).collect();
        self.controls(ui, context, &shown);
        ui.separator();
        if shown.is_empty() {
            let text = if state.log.is_empty() {
                "Nothing was told yet. Messages of the engine, warnings and errors will stand here, the latest at the bottom."
            } else {
                "No line fits the filter. Choose \"All\" and clear the search to see every line."
            };
            ui.add_space(Theme::GROUP_GAP);
            ui.label(RichText::new(text).color(context.theme.muted()));
            return;
        }
        let height = ui.text_style_height(&TextStyle::Body).max(ui.text_style_height(&TextStyle::Monospace));
        ui.spacing_mut().interact_size.y = height;
        ui.spacing_mut().item_spacing.y = 2.0;
        ScrollArea::vertical().auto_shrink(false).stick_to_bottom(true).show_rows(
            ui,
            height,
            shown.len(),
            |ui, rows| {
                for line in shown.get(rows).unwrap_or_default() {
                    row(ui, context.theme, line);
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::state::AppState;
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    struct Bench {
        panel: LogPanel,
        state: AppState,
        actions: Vec<Action>,
    }

    fn harness(lines: usize) -> Harness<'static, Bench> {
        let mut state = AppState::default();
        for number in 0..lines {
            let level = match number % 3 {
                0 => Level::Info,
                1 => Level::Warning,
                _ => Level::Error,
            };
            state.tell(number as f64, level, format!("line {number}\nof the log"));
        }
        let show = |ui: &mut Ui, bench: &mut Bench| {
            let theme = Theme::default();
            let mut context =
                Context { state: &bench.state, theme: &theme, actions: &mut bench.actions, now_secs: 0.0 };
            bench.panel.show(ui, &mut context);
        };
        let bench = Bench { panel: LogPanel::default(), state, actions: Vec::new() };
        let mut harness = Harness::builder().with_size([600.0, 300.0]).build_ui_state(show, bench);
        harness.run();
        harness
    }

    #[test]
    fn only_rows_in_sight_are_laid_out_and_the_last_is_among_them() {
        let harness = harness(1500);
        let rows = harness.query_all_by_label_contains("of the log").count();
        assert!((5..40).contains(&rows), "{rows}");
        assert!(harness.query_by_label("line 1499  of the log").is_some());
        assert!(harness.query_by_label("line 0  of the log").is_none());
    }

    #[test]
    fn the_filter_and_what_is_copied_agree() {
        let mut harness = harness(9);
        harness.get_by_label("Errors").click();
        harness.run();
        assert!(harness.query_by_label("line 0  of the log").is_none());
        assert!(harness.query_by_label("3 of 9 lines").is_some());
        harness.get_by_label("Search").focus();
        harness.run();
        harness.get_by_label("Search").type_text("LINE 5");
        harness.run();
        harness.get_by_label("Copy all").click();
        harness.run();
        assert_eq!(harness.state().actions, [Action::Copy("00:05.0 error   line 5\nof the log".into())]);
        harness.get_by_label("Search").focus();
        harness.run();
        harness.get_by_label("Search").type_text(" no such thing");
        harness.run();
        assert!(harness.query_by_label_contains("No line fits").is_some());
    }

    #[test]
    fn an_empty_log_says_what_will_be_there() {
        assert!(harness(0).query_by_label_contains("Nothing was told yet").is_some());
    }
}
