//! Short messages in a corner of the window. They go by themselves, except errors, which stay until somebody closes them.

use crate::engine::protocol::Level;
use crate::ui::theme::Theme;
use egui::accesskit::Live;
use egui::{Align2, Area, Button, Color32, Id, Order, Role, Sense, Ui, WidgetInfo, vec2};
use std::collections::VecDeque;

/// Most messages at once.
pub const VISIBLE: usize = 4;
/// Most that are kept; every one of them stands in the log as well.
const KEPT: usize = 32;
/// Widest message, in points.
const WIDTH: f32 = 360.0;

#[derive(Clone, Debug)]
struct Toast {
    id: u64,
    level: Level,
    message: String,
    /// How often it was said.
    times: usize,
    until_secs: f64,
}

/// The messages that are shown or wait.
#[derive(Clone, Debug, Default)]
pub struct Toasts {
    list: VecDeque<Toast>,
    next_id: u64,
}

/// How long a message of this weight stays.
fn duration_secs(level: Level) -> f64 {
    match level {
        Level::Info => 6.0,
        Level::Warning => 12.0,
        Level::Error => f64::INFINITY,
    }
}

impl Toasts {
    /// Says something. The same message said again while it is shown is counted, not repeated.
    pub fn push(&mut self, level: Level, message: impl Into<String>, now_secs: f64) {
        let message = message.into();
        let until_secs = now_secs + duration_secs(level);
        if let Some(known) = self.list.iter_mut().find(|toast| toast.message == message && toast.level == level) {
            known.times += 1;
            known.until_secs = until_secs;
            return;
        }
        if self.list.len() >= KEPT {
            self.list.pop_front();
        }
        self.next_id += 1;
        self.list.push_back(Toast { id: self.next_id, level, message, times: 1, until_secs });
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Seconds until the next message goes; `None` while none will.
    #[must_use]
    pub fn next_change_secs(&self, now_secs: f64) -> Option<f64> {
        let next = self.list.iter().map(|toast| toast.until_secs).fold(f64::INFINITY, f64::min);
        next.is_finite().then(|| (next - now_secs).max(0.0))
    }

    /// Draws the newest messages above the lower right corner of `ui`'s window, `above` points from its bottom.
    pub fn show(&mut self, ui: &Ui, theme: &Theme, now_secs: f64, above: f32) {
        self.list.retain(|toast| toast.until_secs > now_secs);
        if self.list.is_empty() {
            return;
        }
        let room = ui.ctx().content_rect();
        let width = WIDTH.min(room.width() - 4.0 * Theme::GAP);
        let (mut closed, mut close_all) = (Vec::new(), false);
        let hidden = self.list.len().saturating_sub(VISIBLE);
        Area::new(Id::unique("toasts"))
            .order(Order::Foreground)
            .anchor(Align2::RIGHT_BOTTOM, vec2(-Theme::GAP * 2.0, -above - Theme::GAP * 2.0))
            .interactable(true)
            .fade_in(false)
            .accessible_name("Messages")
            .show(ui.ctx(), |ui| {
                ui.set_width(width);
                if hidden > 0 || self.list.len() > 2 {
                    ui.horizontal(|ui| {
                        if hidden > 0 {
                            ui.colored_label(theme.muted(), format!("{hidden} more, see the log"));
                        }
                        close_all = ui.small_button("Close all messages").clicked();
                    });
                }
                for toast in self.list.iter_mut().rev().take(VISIBLE).rev() {
                    let response = draw(ui, theme, toast);
                    if response.closed {
                        closed.push(toast.id);
                    } else if response.hovered && toast.until_secs.is_finite() {
                        // Who reads it should be able to finish.
                        toast.until_secs = toast.until_secs.max(now_secs + 2.0);
                    }
                }
            });
        self.list.retain(|toast| !close_all && !closed.contains(&toast.id));
    }
}

struct Drawn {
    closed: bool,
    hovered: bool,
}

fn colour(theme: &Theme, level: Level) -> Color32 {
    match level {
        Level::Info => theme.accent(),
        Level::Warning => theme.warning(),
        Level::Error => theme.bad(),
    }
}

fn draw(ui: &mut Ui, theme: &Theme, toast: &Toast) -> Drawn {
    let mut closed = false;
    let colour = colour(theme, toast.level);
    let frame = theme.card_frame().stroke(egui::Stroke::new(1.0, colour)).shadow(ui.visuals().popup_shadow);
    let drawn = frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.horizontal_top(|ui| {
            let (mark, _) = ui.allocate_exact_size(vec2(4.0, Theme::TARGET * 0.75), Sense::hover());
            ui.painter().rect_filled(mark, 2.0, colour);
            let room = ui.available_width() - Theme::TARGET - ui.spacing().item_spacing.x;
            ui.vertical(|ui| {
                ui.set_width(room);
                let text = match toast.times {
                    1 => toast.message.clone(),
                    times => format!("{} ({times} times)", toast.message),
                };
                let label = ui.add(egui::Label::new(text).wrap());
                let live = if toast.level == Level::Info { Live::Polite } else { Live::Assertive };
                ui.ctx().accesskit_node_builder(label.id, |node| node.set_live(live));
            });
            let close = ui
                .push_id(toast.id, |ui| ui.add(Button::new("×").small().frame(false)))
                .inner
                .on_hover_text("Close this message");
            close.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Close message"));
            closed = close.clicked();
        });
    });
    Drawn { closed, hovered: drawn.response.contains_pointer() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable as _;

    fn harness(toasts: Toasts, now_secs: f64) -> Harness<'static, Toasts> {
        Harness::builder()
            .build_ui_state(move |ui, toasts: &mut Toasts| toasts.show(ui, &Theme::default(), now_secs, 30.0), toasts)
    }

    #[test]
    fn messages_go_but_errors_stay_until_closed() {
        let mut toasts = Toasts::default();
        toasts.push(Level::Info, "saved", 0.0);
        toasts.push(Level::Error, "the disk is full", 0.0);
        assert_eq!(toasts.next_change_secs(2.0), Some(4.0));
        let mut early = harness(toasts.clone(), 5.0);
        early.run();
        assert!(early.query_by_label("saved").is_some());
        let mut late = harness(toasts, 5000.0);
        late.run();
        assert!(late.query_by_label("saved").is_none(), "it went");
        assert!(late.query_by_label("the disk is full").is_some(), "an error stays");
        late.get_by_label("Close message").click();
        late.run();
        assert!(late.query_by_label("the disk is full").is_none() && late.state().is_empty());
    }

    #[test]
    fn few_are_shown_and_the_same_is_said_once() {
        let mut toasts = Toasts::default();
        for number in 0..7 {
            toasts.push(Level::Warning, format!("warning {number}"), 0.0);
        }
        toasts.push(Level::Warning, "warning 6", 1.0);
        let mut harness = harness(toasts, 2.0);
        harness.run();
        assert_eq!(harness.get_all_by_label("Close message").count(), VISIBLE);
        assert!(harness.query_by_label("3 more, see the log").is_some());
        assert!(harness.query_by_label("warning 6 (2 times)").is_some());
        harness.get_by_label("Close all messages").click();
        harness.run();
        assert!(harness.state().is_empty());
    }
}
