//! How a file is read: which columns are prompt and answer, a template, labels, metric, length of answers, name.

use super::{Change, Entry, small, source};
use crate::data::task::Metric;
use crate::engine::config::{TaskConfig, TaskDetails};
use crate::ui::theme::Theme;
use egui::{Align, Align2, ComboBox, Id, Layout, Stroke, TextEdit, Ui, vec2};

/// Every way of scoring, in the order of the list.
const METRICS: [Metric; 8] = [
    Metric::ChoiceLikelihood,
    Metric::ChoiceGeneration,
    Metric::FirstCharacter,
    Metric::ExactMatch,
    Metric::NumberMatch,
    Metric::RougeL,
    Metric::Sari,
    Metric::EditSimilarity,
];
/// Width from which a label stands beside its control.
const BESIDE: f32 = 270.0;
/// Width of the labels there.
const LABEL: f32 = 120.0;

/// A text of a task's details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    Template,
    Labels,
    Prompt,
    Answer,
    /// Most tokens of a generated answer.
    Length,
}

/// A text that is being typed. The draft gets it when its field is left, so that a file is not read anew at each letter.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    id: Id,
    source: String,
    field: Field,
    text: String,
}

impl Field {
    fn read(self, details: &TaskDetails) -> String {
        let text = match self {
            Self::Name => &details.name,
            Self::Template => &details.template,
            Self::Prompt => &details.prompt,
            Self::Answer => &details.answer,
            Self::Length => return details.max_new_tokens.map(|tokens| tokens.to_string()).unwrap_or_default(),
            Self::Labels => return details.labels.as_ref().map(|labels| labels.join("\n")).unwrap_or_default(),
        };
        text.clone().unwrap_or_default()
    }

    /// Why a text cannot be taken.
    fn complaint(self, text: &str) -> Option<&'static str> {
        let text = text.trim();
        let fits = self != Self::Length || text.is_empty() || text.parse::<usize>().is_ok_and(|tokens| tokens > 0);
        (!fits).then_some("Type a whole number of at least 1, or nothing.")
    }

    /// Nothing typed is nothing said: the file's own answer then counts.
    fn write(self, details: &mut TaskDetails, text: &str) {
        let given = (!text.trim().is_empty()).then(|| text.to_string());
        match self {
            Self::Name => details.name = given.map(|name| name.trim().to_string()),
            Self::Template => details.template = given,
            Self::Prompt => details.prompt = given,
            Self::Answer => details.answer = given,
            Self::Length if self.complaint(text).is_some() => {}
            Self::Length => details.max_new_tokens = text.trim().parse().ok(),
            Self::Labels => {
                let labels: Vec<String> =
                    text.lines().map(str::trim).filter(|label| !label.is_empty()).map(str::to_string).collect();
                details.labels = (!labels.is_empty()).then_some(labels);
            }
        }
    }
}

fn details(config: &TaskConfig) -> TaskDetails {
    match config {
        TaskConfig::Source(source) => TaskDetails { source: source.clone(), ..TaskDetails::default() },
        TaskConfig::Details(details) => details.clone(),
    }
}

/// The shortest way to write it.
fn config(details: TaskDetails) -> TaskConfig {
    let bare = TaskDetails { source: details.source.clone(), ..TaskDetails::default() };
    if details == bare { TaskConfig::Source(details.source) } else { TaskConfig::Details(details) }
}

/// Once the field of a text is left, the text goes into the draft.
pub(super) fn leave(ui: &Ui, typed: &mut Option<Typed>, entries: &[Entry<'_>]) -> Option<Change> {
    let left = typed.as_ref().is_some_and(|typed| !ui.memory(|memory| memory.has_focus(typed.id)));
    let typed = if left { typed.take()? } else { return None };
    let entry = entries.iter().find(|entry| source(entry.config) == typed.source)?;
    let before = details(entry.config);
    let mut after = before.clone();
    typed.field.write(&mut after, &typed.text);
    (after != before).then(|| Change::Replace(entry.place, config(after)))
}

/// The form.
pub(super) fn show(
    ui: &mut Ui,
    theme: &Theme,
    entry: &Entry<'_>,
    columns: &[String],
    typed: &mut Option<Typed>,
) -> Option<Change> {
    let before = details(entry.config);
    let mut after = before.clone();
    let mapped = [&before.prompt, &before.answer, &before.template].iter().any(|given| given.is_some())
        || before.labels.is_some();
    let mut text = |ui: &mut Ui, label: &str, field: Field, hint: &str, rows: usize| {
        row(ui, label, rows, |ui, id| type_in(ui, theme, &before, typed, (field, hint, rows), id));
    };
    text(ui, "Name", Field::Name, "from the file's name", 1);
    for (label, field, usual) in
        [("Prompt column", Field::Prompt, "prompt"), ("Answer column", Field::Answer, "answer")]
    {
        let found = if mapped { usual } else { "found by its name" };
        if columns.is_empty() {
            text(ui, label, field, found, 1);
            continue;
        }
        let ruled_out = field == Field::Prompt && before.template.is_some();
        let chosen = field.read(&before);
        row(ui, label, 1, |ui, id| {
            ui.add_enabled_ui(!ruled_out, |ui| {
                let shown = match chosen.as_str() {
                    _ if ruled_out => "the template takes its place",
                    "" => found,
                    column => column,
                };
                let combo = ComboBox::from_id_salt(label).width(ui.available_width().min(220.0)).truncate();
                let combo = combo.selected_text(shown).show_ui(ui, |ui| {
                    if ui.selectable_label(chosen.is_empty(), found).clicked() {
                        field.write(&mut after, "");
                    }
                    for column in columns {
                        if ui.selectable_label(chosen == *column, column).clicked() {
                            field.write(&mut after, column);
                        }
                    }
                });
                combo.response.labelled_by(id);
            });
        });
    }
    // A number is seldom what a prompt is made of.
    let telling = columns.iter().find(|column| !["id", "nr", "idx", "index"].contains(&column.to_lowercase().as_str()));
    let hint = telling.map_or("Question: {question}".to_string(), |column| format!("Text: {{{column}}}"));
    text(ui, "Prompt template", Field::Template, &hint, 2);
    let known: Vec<String> = columns.iter().map(|column| format!("{{{column}}}")).collect();
    if !known.is_empty() {
        ui.label(small(theme, format!("A template may hold {}.", known.join(", "))));
    }
    text(ui, "Labels, one a line", Field::Labels, "found from the answers", 2);
    text(ui, "Longest answer", Field::Length, "tokens, found from the answers", 1);
    metric(ui, &before, &mut after);
    if mapped {
        ui.label(small(theme, "A column that is not chosen is now looked for as `prompt` or `answer`."));
    }
    let bare = TaskDetails { source: before.source.clone(), ..TaskDetails::default() };
    if before != bare && ui.button("Read the file as it is").on_hover_text("Takes everything above back").clicked() {
        (after, *typed) = (bare, None);
    }
    (after != before).then(|| Change::Replace(entry.place, config(after)))
}

fn metric(ui: &mut Ui, before: &TaskDetails, after: &mut TaskDetails) {
    const FOUND: &str = "found from the answers";
    row(ui, "Scored by", 1, |ui, id| {
        let combo = ComboBox::from_id_salt("metric").width(ui.available_width().min(220.0)).truncate();
        let combo = combo.selected_text(before.metric.map_or(FOUND, Metric::title)).show_ui(ui, |ui| {
            if ui.selectable_label(before.metric.is_none(), FOUND).clicked() {
                after.metric = None;
            }
            for metric in METRICS {
                if ui.selectable_label(before.metric == Some(metric), metric.title()).clicked() {
                    after.metric = Some(metric);
                }
            }
        });
        combo.response.labelled_by(id);
    });
}

/// A label and its control, beside each other where there is room.
fn row(ui: &mut Ui, label: &str, rows: usize, control: impl FnOnce(&mut Ui, Id)) {
    if ui.available_width() < BESIDE {
        let name = ui.label(label);
        control(ui, name.id);
        return;
    }
    // Of a field with several rows the label stands at the first.
    let layout = Layout::left_to_right(if rows > 1 { Align::Min } else { Align::Center });
    ui.allocate_ui_with_layout(vec2(ui.available_width(), Theme::TARGET), layout, |ui| {
        let start = ui.cursor().left();
        let name = ui.label(label);
        ui.add_space((start + LABEL - ui.cursor().left()).max(0.0));
        control(ui, name.id);
    });
}

/// A text field that keeps what is typed to itself until it is left.
fn type_in(
    ui: &mut Ui,
    theme: &Theme,
    before: &TaskDetails,
    typed: &mut Option<Typed>,
    (field, hint, rows): (Field, &str, usize),
    label: Id,
) {
    let id = ui.make_persistent_id(("field", field as usize));
    let mut text = match typed {
        Some(typed) if typed.id == id => typed.text.clone(),
        _ => field.read(before),
    };
    let complaint = field.complaint(&text);
    let width = ui.available_width().min(420.0);
    ui.vertical(|ui| {
        // On a light card the field's ground is the card's.
        ui.visuals_mut().widgets.inactive.bg_stroke = Stroke::new(1.0, theme.line());
        let colour = if complaint.is_some() { theme.bad() } else { theme.text() };
        let edit = if rows > 1 {
            TextEdit::multiline(&mut text).desired_rows(rows)
        } else {
            TextEdit::singleline(&mut text).align(Align2::LEFT_CENTER)
        };
        let edit = edit
            .min_size(vec2(0.0, Theme::TARGET))
            .id(id)
            .hint_text(hint.to_string())
            .text_color(colour)
            .desired_width(width);
        let response = ui.add(edit).labelled_by(label);
        if let Some(complaint) = complaint {
            ui.label(small(theme, complaint).color(theme.bad()));
        }
        if response.changed() {
            *typed = Some(Typed { id, source: before.source.clone(), field, text });
        }
    });
}
