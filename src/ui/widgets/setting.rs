//! One setting as a row: its name, a "?" with a sentence, a field, a switch or a list, and a way back to the default.
//!
//! What is typed counts as soon as it is valid. What is not valid stays as it was typed, with a sentence, and changes nothing.

#![allow(clippy::trivially_copy_pass_by_ref)] // a theme is handed on as `Context` has it

use crate::ui::theme::Theme;
use egui::{Button, Checkbox, ComboBox, Key, Label, Modifiers, RichText, TextEdit, Ui, vec2};
use std::collections::{BTreeMap, BTreeSet};

/// Width of a row above which label and control stand beside each other.
const BESIDE: f32 = 270.0;
/// Share of the row that the label takes.
const LABEL_SHARE: f32 = 0.46;

/// Which numbers a field takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Numbers {
    pub min: f64,
    /// Whether `min` itself is too small.
    pub above: bool,
    pub max: Option<f64>,
    /// Whether `max` itself is too large.
    pub below: bool,
    /// Whole numbers only.
    pub whole: bool,
}

impl Numbers {
    /// From `min` on.
    #[must_use]
    pub const fn from(min: f64) -> Self {
        Self { min, above: false, max: None, below: false, whole: false }
    }

    /// Whole numbers from `min` on.
    #[must_use]
    pub const fn whole(min: f64) -> Self {
        Self { whole: true, ..Self::from(min) }
    }

    /// Above `min`.
    #[must_use]
    pub const fn above(min: f64) -> Self {
        Self { above: true, ..Self::from(min) }
    }

    /// From 0 to below 1.
    #[must_use]
    pub const fn share() -> Self {
        Self { max: Some(1.0), below: true, ..Self::from(0.0) }
    }

    /// What the numbers are, such as `a whole number from 1 to 64`.
    #[must_use]
    pub fn description(&self) -> String {
        let kind = if self.whole { "a whole number" } else { "a number" };
        let min = crate::ui::widgets::curves::reading(self.min);
        let low = if self.above { format!("above {min}") } else { format!("from {min}") };
        match self.max {
            None if self.above => format!("{kind} {low}"),
            None => format!("{kind} of at least {min}"),
            Some(max) => {
                let max = crate::ui::widgets::curves::reading(max);
                if self.below { format!("{kind} {low} to below {max}") } else { format!("{kind} {low} to {max}") }
            }
        }
    }

    /// Checks what was typed.
    ///
    /// # Errors
    /// A sentence without the setting's name: what was typed and what it must be.
    pub fn check(&self, text: &str) -> Result<f64, String> {
        let text = text.trim();
        let wrong = || {
            let shown = if text.is_empty() { "nothing".to_string() } else { format!("\"{text}\"") };
            format!("{shown} cannot be used: it must be {}.", self.description())
        };
        let number: f64 = text.parse().map_err(|_| wrong())?;
        let high_enough = if self.above { number > self.min } else { number >= self.min };
        let low_enough = self.max.is_none_or(|max| if self.below { number < max } else { number <= max });
        let whole = !self.whole || text.parse::<u64>().is_ok();
        if number.is_finite() && high_enough && low_enough && whole { Ok(number) } else { Err(wrong()) }
    }

    /// The next number up or down: 1 for whole numbers, one unit of the leading digit for others.
    fn step(&self, value: f64, up: bool) -> Option<String> {
        let next = if self.whole {
            if up { value + 1.0 } else { value - 1.0 }
        } else if value == 0.0 {
            if up { 0.1 } else { -0.1 }
        } else {
            // 0.01 is followed by 0.02 but preceded by 0.009.
            let size = value.abs() * if up == (value > 0.0) { 1.000_001 } else { 0.999_999 };
            let unit = 10_f64.powf(size.log10().floor());
            if up { value + unit } else { value - unit }
        };
        let text = if self.whole { format!("{next:.0}") } else { plain_number(next) };
        self.check(&text).is_ok().then_some(text)
    }
}

/// A number as one would type it, without the noise of binary fractions.
#[must_use]
pub fn plain_number(value: f64) -> String {
    let rounded: f64 = format!("{value:.9e}").parse().unwrap_or(value);
    let size = rounded.abs();
    if size != 0.0 && !(1e-4..1e7).contains(&size) { format!("{rounded:e}") } else { rounded.to_string() }
}

/// How a setting is changed.
#[derive(Clone, Debug)]
pub enum Control<'a> {
    Number(Numbers),
    /// Words as they are written in files.
    Choice(&'a [String]),
    Switch,
}

/// One row.
pub struct Setting<'a> {
    /// Unique among the rows that share the same [`Entries`].
    pub key: &'a str,
    /// In sentence case.
    pub label: &'a str,
    /// One sentence or two.
    pub about: &'a str,
    /// Stands behind the number; may be empty.
    pub unit: &'a str,
    pub control: Control<'a>,
    /// As it would be typed.
    pub value: &'a str,
    /// What a reset goes back to, as it would be typed.
    pub default: &'a str,
    /// Whether the value is another than the default.
    pub changed: bool,
}

/// What somebody did in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A valid value, as it would be typed.
    Set(String),
    Reset,
}

/// Something typed that differs from the value it stands for.
#[derive(Debug)]
struct Entry {
    text: String,
    /// The setting's value when it was typed.
    of: String,
    /// The number that it means, where it is valid.
    number: Option<f64>,
}

/// What was typed and which sentences are open, for all rows of a panel.
#[derive(Debug, Default)]
pub struct Entries {
    typed: BTreeMap<String, Entry>,
    problems: BTreeMap<String, String>,
    helped: BTreeSet<String>,
}

impl Entries {
    /// Says under a row why a value that was typed cannot be taken.
    pub fn refuse(&mut self, key: &str, problem: String) {
        self.problems.insert(key.to_string(), problem);
    }

    fn forget(&mut self, key: &str) {
        self.typed.remove(key);
        self.problems.remove(key);
    }
}

impl Setting<'_> {
    /// Draws the row and returns what somebody did in it.
    pub fn show(&self, ui: &mut Ui, theme: &Theme, entries: &mut Entries) -> Option<Change> {
        let mut change = None;
        let width = ui.available_width();
        ui.push_id(self.key, |ui| {
            // A field must be seen where its ground is that of the card around it.
            ui.visuals_mut().widgets.inactive.bg_stroke = egui::Stroke::new(1.0, theme.line());
            if width >= BESIDE {
                ui.horizontal(|ui| {
                    let label_width = width * LABEL_SHARE;
                    let start = ui.cursor().left();
                    let id = self.name(ui, theme, entries, label_width);
                    ui.add_space((start + label_width - ui.cursor().left()).max(0.0));
                    change = self.field(ui, theme, entries, id);
                });
            } else {
                let id = ui.horizontal(|ui| self.name(ui, theme, entries, width)).inner;
                ui.horizontal(|ui| change = self.field(ui, theme, entries, id));
            }
            if entries.helped.contains(self.key) {
                ui.label(RichText::new(self.help()).color(theme.muted()).small());
            }
            if let Some(problem) = entries.problems.get(self.key) {
                ui.label(RichText::new(problem).color(theme.bad()).small());
            }
        });
        change
    }

    /// The label and the "?"; returns the label's id.
    fn name(&self, ui: &mut Ui, theme: &Theme, entries: &mut Entries, width: f32) -> egui::Id {
        let question = 24.0;
        let text = RichText::new(self.label).color(if self.changed { theme.accent() } else { theme.text() });
        let label = ui
            .scope(|ui| {
                ui.set_max_width((width - question - 12.0).max(40.0));
                ui.add(Label::new(text).truncate())
            })
            .inner;
        let open = entries.helped.contains(self.key);
        let help = ui.add(Button::selectable(open, RichText::new("?").color(theme.muted())).small());
        let clicked = help.clicked();
        help.on_hover_text(self.help()).accessible_name(format!("About {}", self.label));
        if clicked && !entries.helped.remove(self.key) {
            entries.helped.insert(self.key.to_string());
        }
        label.id
    }

    fn help(&self) -> String {
        match &self.control {
            Control::Number(numbers) => {
                format!("{} It is {}; the default is {}.", self.about, numbers.description(), self.default)
            }
            Control::Choice(_) | Control::Switch => format!("{} The default is {}.", self.about, self.default),
        }
    }

    fn field(&self, ui: &mut Ui, theme: &Theme, entries: &mut Entries, label: egui::Id) -> Option<Change> {
        let reset = if self.changed || entries.problems.contains_key(self.key) { 52.0 } else { 0.0 };
        let width = (ui.available_width() - reset).clamp(60.0, 170.0);
        let mut change = match &self.control {
            Control::Number(numbers) => self.number(ui, theme, entries, *numbers, label, width),
            Control::Choice(words) => {
                let mut chosen = None;
                let combo = ComboBox::from_id_salt(self.key).width(width).selected_text(spaced(self.value)).truncate();
                combo
                    .show_ui(ui, |ui| {
                        for word in *words {
                            if ui.selectable_label(word == self.value, spaced(word)).clicked() && word != self.value {
                                chosen = Some(Change::Set(word.clone()));
                            }
                        }
                    })
                    .response
                    .labelled_by(label);
                chosen
            }
            Control::Switch => {
                let mut on = self.value == "true";
                let response = ui.add(Checkbox::without_text(&mut on)).labelled_by(label);
                response.clicked().then(|| Change::Set(on.to_string()))
            }
        };
        if reset > 0.0 {
            let button = ui.add(Button::new(RichText::new("Reset").small()).small());
            let clicked = button.clicked();
            button
                .on_hover_text(format!("Back to {}", spaced(self.default)))
                .accessible_name(format!("Reset {}", self.label));
            if clicked {
                change = Some(Change::Reset);
            }
        }
        if change == Some(Change::Reset) || !matches!(self.control, Control::Number(_)) && change.is_some() {
            entries.forget(self.key);
        }
        change
    }

    fn number(
        &self,
        ui: &mut Ui,
        theme: &Theme,
        entries: &mut Entries,
        numbers: Numbers,
        label: egui::Id,
        width: f32,
    ) -> Option<Change> {
        let known = self.value.parse::<f64>().ok();
        // Undo, a preset or another panel changed the value: what was typed before is of no use.
        let stands = |entry: &Entry| entry.of == self.value || entry.number.is_some() && entry.number == known;
        if entries.typed.get(self.key).is_some_and(|entry| !stands(entry)) {
            entries.forget(self.key);
        }
        if let Some(entry) = entries.typed.get_mut(self.key).filter(|entry| entry.number == known) {
            // It has arrived; from now on another value means that somebody else changed it.
            entry.of = self.value.to_string();
        }
        let id = ui.make_persistent_id("number");
        let before = entries.typed.get(self.key).map_or_else(|| self.value.to_string(), |entry| entry.text.clone());
        let mut text = before.clone();
        if ui.memory(|memory| memory.has_focus(id)) {
            let up = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::ArrowUp));
            let down = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::ArrowDown));
            let stepped = numbers.check(&text).ok().filter(|_| up != down).and_then(|value| numbers.step(value, up));
            text = stepped.unwrap_or(text);
        }
        let wrong = entries.problems.contains_key(self.key);
        let colour = if wrong { theme.bad() } else { theme.text() };
        let mut edit = TextEdit::singleline(&mut text).id(id).text_color(colour).desired_width(width);
        edit = edit.align(egui::Align2::LEFT_CENTER).min_size(vec2(width, Theme::TARGET));
        if !self.unit.is_empty() {
            edit = edit.suffix(RichText::new(self.unit).color(theme.muted()).small());
        }
        let response = ui.add(edit).labelled_by(label);
        let mut change = None;
        if text != before {
            let checked = numbers.check(&text);
            match &checked {
                Ok(_) => {
                    entries.problems.remove(self.key);
                    change = Some(Change::Set(text.trim().to_string()));
                }
                Err(problem) => entries.refuse(self.key, problem.clone()),
            }
            let entry = Entry { text, of: self.value.to_string(), number: checked.ok() };
            entries.typed.insert(self.key.to_string(), entry);
        }
        if response.lost_focus() && !entries.problems.contains_key(self.key) && change.is_none() {
            entries.typed.remove(self.key);
        }
        change
    }
}

/// A name of a file without its underscores.
#[must_use]
pub fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// A name of a file as a label: in sentence case, without underscores.
#[must_use]
pub fn titled(name: &str) -> String {
    let text = spaced(name);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Room between groups of rows.
pub fn gap(ui: &mut Ui) {
    ui.allocate_space(vec2(0.0, Theme::GAP));
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui_kittest::{Harness, kittest::Queryable as _};

    struct Scene {
        entries: Entries,
        control: Control<'static>,
        value: String,
        changes: Vec<Change>,
    }

    fn scene(control: Control<'static>, value: &str, width: f32) -> Harness<'static, Scene> {
        let scene = Scene { entries: Entries::default(), control, value: value.into(), changes: Vec::new() };
        Harness::builder().with_size(vec2(width, 200.0)).build_ui_state(
            |ui, scene: &mut Scene| {
                let setting = Setting {
                    key: "rate",
                    label: "Rate",
                    about: "How fast.",
                    unit: "steps",
                    control: scene.control.clone(),
                    value: &scene.value,
                    default: "0.5",
                    changed: scene.value != "0.5",
                };
                let change = setting.show(ui, &Theme::default(), &mut scene.entries);
                if let Some(change) = change {
                    scene.value = match &change {
                        Change::Set(value) => value.clone(),
                        Change::Reset => "0.5".into(),
                    };
                    scene.changes.push(change);
                }
            },
            scene,
        )
    }

    fn retype(harness: &mut Harness<'_, Scene>, text: &str) {
        harness.get_by_label("Rate").focus();
        harness.run_steps(2);
        harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        harness.get_by_label("Rate").type_text(text);
        harness.run_steps(2);
    }

    #[test]
    fn numbers_are_checked_and_what_is_wrong_is_kept_with_a_sentence() {
        for width in [400.0, 200.0] {
            let mut harness = scene(Control::Number(Numbers { max: Some(2.0), ..Numbers::above(0.0) }), "0.5", width);
            retype(&mut harness, "1.25");
            assert_eq!(harness.state().value, "1.25");
            retype(&mut harness, "3");
            assert_eq!(harness.state().changes, [Change::Set("1.25".into())], "3 is too large");
            assert_eq!(harness.get_by_label("Rate").value().as_deref(), Some("3"), "what was typed is still there");
            assert!(harness.query_by_label("\"3\" cannot be used: it must be a number above 0 to 2.").is_some());
            harness.get_by_label("Reset Rate").click();
            harness.run_steps(2);
            assert_eq!(harness.state().value, "0.5");
            assert_eq!(harness.get_by_label("Rate").value().as_deref(), Some("0.5"));
            assert!(harness.query_by_label_contains("cannot be used").is_none());
        }
    }

    #[test]
    fn a_value_changed_elsewhere_replaces_what_was_typed() {
        let mut harness = scene(Control::Number(Numbers::from(0.0)), "0.5", 400.0);
        retype(&mut harness, "0.70");
        assert_eq!(harness.get_by_label("Rate").value().as_deref(), Some("0.70"), "not set right while typing");
        harness.state_mut().value = "0.5".into();
        harness.run_steps(2);
        assert_eq!(harness.get_by_label("Rate").value().as_deref(), Some("0.5"), "undone");
    }

    #[test]
    fn arrows_step_by_the_leading_digit() {
        let up = |numbers: Numbers, from: f64| numbers.step(from, true);
        let down = |numbers: Numbers, from: f64| numbers.step(from, false);
        assert_eq!(up(Numbers::from(0.0), 0.003).as_deref(), Some("0.004"));
        assert_eq!(up(Numbers::from(0.0), 0.009).as_deref(), Some("0.01"));
        assert_eq!(down(Numbers::from(0.0), 0.01).as_deref(), Some("0.009"));
        assert_eq!(up(Numbers::whole(0.0), 99.0).as_deref(), Some("100"));
        assert_eq!(down(Numbers::whole(0.0), 0.0), None);
        assert_eq!(up(Numbers::share(), 0.9), None, "1 is no share below 1");
        let mut harness = scene(Control::Number(Numbers::whole(1.0)), "16", 400.0);
        harness.get_by_label("Rate").focus();
        harness.run_steps(2);
        harness.key_press(Key::ArrowUp);
        harness.run_steps(2);
        assert_eq!(harness.state().changes, [Change::Set("17".into())]);
    }

    #[test]
    fn lists_switches_and_the_sentence_behind_the_question_mark() {
        let words: &'static [String] = Box::leak(Box::new(["0.5".to_string(), "all_layers".to_string()]));
        let mut harness = scene(Control::Choice(words), "0.5", 400.0);
        harness.run_steps(1);
        harness.get_by_label("Rate").click();
        harness.run_steps(2);
        harness.get_by_label("all layers").click();
        harness.run_steps(2);
        assert_eq!(harness.state().changes, [Change::Set("all_layers".into())]);
        let mut harness = scene(Control::Switch, "false", 400.0);
        harness.run_steps(1);
        assert!(harness.query_by_label_contains("How fast.").is_none());
        harness.get_by_label("Rate").click();
        harness.get_by_label("About Rate").click();
        harness.run_steps(2);
        assert_eq!(harness.state().changes, [Change::Set("true".into())]);
        assert!(harness.query_by_label("How fast. The default is 0.5.").is_some());
    }

    #[test]
    fn numbers_are_written_as_one_would_type_them() {
        let written = [1e-8, 0.003, 0.1 + 0.2, 16.0, 2.5e9, 0.0].map(plain_number);
        assert_eq!(written, ["1e-8", "0.003", "0.3", "16", "2.5e9", "0"]);
        assert_eq!([titled("replay_current"), spaced("a_b")], ["Replay current", "a b"]);
        assert!(Numbers::whole(0.0).check("1.5").is_err() && Numbers::from(0.0).check("inf").is_err());
    }
}
