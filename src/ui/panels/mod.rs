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
    use crate::ui::panel::PanelKind;

    #[test]
    fn there_is_one_panel_of_each_kind() {
        let mut kinds: Vec<PanelKind> = super::all().iter().map(|panel| panel.kind()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, PanelKind::ALL);
    }
}
