//! Follows a link: what stands behind `#` in the page's address when it opens, and when somebody pastes another link there.

use super::App;
use crate::engine::config::{ExperimentConfig, TaskConfig};
use crate::engine::protocol::Level;
use crate::io::hub;
use crate::platform;
use crate::ui::address;
use std::path::Path;

/// A model of the hub is not: whoever opens the link is offered to fetch it.
fn is_here_only(source: &str) -> bool {
    source.starts_with('/') && hub::address_of(Path::new(source)).is_none()
}

impl App {
    /// Takes over what a link asks for. A run that an earlier session left is offered all the same.
    pub fn follow(&mut self, fragment: &str) {
        let asked = address::read(fragment);
        for panel in asked.panels {
            self.show(panel);
        }
        if self.session.can_resume() {
            self.welcome = true;
        }
        match asked.draft {
            Some(text) if self.has_draft => match ExperimentConfig::parse(&text, "the link") {
                Ok(config) => self.state.draft.edit("the link's settings", config),
                Err(error) => self.tell(Level::Warning, format!("The form stays as it is: {error}")),
            },
            Some(text) => self.linked = Some(text),
            None => {}
        }
    }

    /// A link is followed once: the page takes it out of its address, so that a reload goes on with what was made of it.
    pub(super) fn attend_address(&mut self) {
        if let Some(fragment) = platform::take_fragment() {
            self.follow(&fragment);
        }
    }

    /// A link with the form's settings and what is in sight. What lies in this browser only is told.
    pub(super) fn link(&mut self) -> Option<String> {
        let config = &self.state.draft.config;
        let sources = config.tasks.iter().map(TaskConfig::source);
        let own: Vec<&str> =
            std::iter::once(config.model.as_str()).chain(sources).filter(|path| is_here_only(path)).collect();
        let missing = (!own.is_empty()).then(|| {
            format!(
                "Whoever opens this link has to choose these first, since they lie in this browser only: {}",
                own.join(", ")
            )
        });
        let link = platform::address().zip(address::write(config, &self.docking.visible()));
        let link = link.map(|(page, settings)| format!("{page}#{settings}"));
        if let Some(message) = missing.filter(|_| link.is_some()) {
            self.tell(Level::Warning, message);
        }
        link
    }
}
