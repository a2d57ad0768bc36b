//! The panels, one file each.

pub mod buffer;
pub mod forgetting;
pub mod generate;
pub mod landscape;
pub mod log;
pub mod model;
pub mod paths;
pub mod runs;
pub mod tasks;
pub mod training;

use super::panel::Panel;

/// One of each.
#[must_use]
pub fn all() -> Vec<Box<dyn Panel>> {
    vec![
        Box::new(model::ModelPanel::default()),
        Box::new(tasks::TasksPanel::default()),
        Box::new(training::TrainingPanel::default()),
        Box::new(forgetting::ForgettingPanel::default()),
        Box::new(buffer::BufferPanel::default()),
        Box::new(runs::RunsPanel::default()),
        Box::new(generate::GeneratePanel::default()),
        Box::new(paths::PathsPanel::default()),
        Box::new(landscape::LandscapePanel::default()),
        Box::new(log::LogPanel::default()),
    ]
}

#[cfg(test)]
mod tests {
    use crate::ui::panel::{Context, Panel, PanelKind};
    use crate::ui::sample;
    use crate::ui::state::AppState;
    use crate::ui::theme::Theme;
    use egui::accesskit::Role;
    use egui_kittest::kittest::NodeT as _;
    use egui_kittest::{Harness, Node};

    #[test]
    fn there_is_one_panel_of_each_kind() {
        let mut kinds: Vec<PanelKind> = super::all().iter().map(|panel| panel.kind()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, PanelKind::ALL);
    }

    /// Controls below a node that a screen reader has no name for, and how many controls there are.
    fn unnamed(node: Node<'_>, found: &mut Vec<String>) -> usize {
        let control = node.accesskit_node();
        let counts = matches!(
            control.role(),
            Role::Button
                | Role::CheckBox
                | Role::RadioButton
                | Role::Slider
                | Role::ComboBox
                | Role::TextInput
                | Role::MultilineTextInput
                | Role::SpinButton
                | Role::Link
        );
        if counts && control.label().is_none_or(|label| label.trim().is_empty()) {
            found.push(format!("{:?} {:?} at {:?}", control.role(), control.value(), node.rect()));
        }
        usize::from(counts) + node.children().map(|child| unnamed(child, found)).sum::<usize>()
    }

    #[test]
    fn every_control_of_every_panel_has_a_name() {
        for (what, state) in [
            ("empty", AppState::default as fn() -> AppState),
            ("running", || sample::state_after(60)),
            ("done", sample::state),
        ] {
            for panel in super::all() {
                let kind = panel.kind();
                let harness = Harness::builder().with_size([900.0, 3000.0]).with_max_steps(12).build_ui_state(
                    |ui, (panel, state): &mut (Box<dyn Panel>, AppState)| {
                        let theme = Theme::default();
                        let mut actions = Vec::new();
                        panel.show(ui, &mut Context { state, theme: &theme, actions: &mut actions, now_secs: 1.0 });
                    },
                    (panel, state()),
                );
                let mut found = Vec::new();
                let controls = unnamed(harness.root(), &mut found);
                assert!(found.is_empty(), "{kind:?}, {what}: {found:#?}");
                assert!(controls > 0, "{kind:?}, {what}: nothing can be done here");
            }
        }
    }
}
