//! What the tests of the Paths and of the Landscape panel stand on: a panel, and a recorded session with the adapters of
//! both its runs.

use crate::engine::protocol::{AdapterSource, Command};
use crate::ui::action::Action;
use crate::ui::panel::{Context, Panel};
use crate::ui::sample;
use crate::ui::state::AppState;
use crate::ui::theme::Theme;
use egui_kittest::Harness;

pub struct World<P> {
    pub panel: P,
    pub state: AppState,
    pub actions: Vec<Action>,
    pub now_secs: f64,
}

impl<P: Default> World<P> {
    pub fn new() -> Self {
        let mut state = sample::state();
        for (number, learners) in [(0, &["model"][..]), (1, &["working", "long_term"])] {
            state.runs[number].adapters = (0..8)
                .flat_map(|task| learners.iter().map(move |name| (task, (*name).to_string(), path(number, task, name))))
                .collect();
        }
        Self { panel: P::default(), state, actions: Vec::new(), now_secs: 0.0 }
    }
}

impl<P> World<P> {
    /// What was sent since the last look.
    pub fn commands(&mut self) -> Vec<Command> {
        let sent = std::mem::take(&mut self.actions).into_iter();
        sent.filter_map(|action| if let Action::Send(command) = action { Some(*command) } else { None }).collect()
    }
}

pub fn path(run: usize, task: usize, learner: &str) -> String {
    format!("runs/{run}/adapters/{task}/{learner}")
}

pub fn folder(run: usize, task: usize, learner: &str) -> AdapterSource {
    AdapterSource::Folder { path: path(run, task, learner) }
}

pub fn harness<P: Panel + 'static>(world: World<P>, size: [f32; 2]) -> Harness<'static, World<P>> {
    Harness::builder().with_size(size).with_max_steps(12).build_ui_state(
        |ui, world: &mut World<P>| {
            let World { panel, state, actions, now_secs } = world;
            let theme = Theme::default();
            panel.show(ui, &mut Context { state, theme: &theme, actions, now_secs: *now_secs });
        },
        world,
    )
}
