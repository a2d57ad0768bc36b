//! The window driven by its AccessKit labels, on a recorded engine and scripted dialogues.

mod closing;
mod course;
mod keyboard;
mod opening;
mod resuming;
mod storage;

use super::App;
use crate::engine::protocol::{Command, Event};
use crate::ui::action::Action;
use crate::ui::files::Scripted;
use crate::ui::link::Recorded;
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::panels::log::LogPanel;
use crate::ui::sample;
use crate::ui::session::Session;
use egui::{Ui, ViewportCommand, ViewportEvent, ViewportId};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A panel with a text field that pushes what a test wants pushed.
struct Probe {
    kind: PanelKind,
    text: String,
    pushes: Rc<RefCell<Vec<Action>>>,
}

impl Panel for Probe {
    fn kind(&self) -> PanelKind {
        self.kind
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let label = ui.label("Note");
        ui.text_edit_singleline(&mut self.text).labelled_by(label.id);
        context.actions.append(&mut self.pushes.borrow_mut());
    }
}

/// A window and everything around it.
struct Bench {
    harness: Harness<'static, App>,
    tape: Recorded,
    files: Scripted,
    pushes: Rc<RefCell<Vec<Action>>>,
    clock: Rc<Cell<f64>>,
}

impl Bench {
    fn new(events: Vec<Event>, session: Session) -> Self {
        let (tape, files) = (Recorded::new(events, 0), Scripted::default());
        let (pushes, clock) = (Rc::<RefCell<Vec<Action>>>::default(), Rc::new(Cell::new(0.0)));
        let panels: Vec<Box<dyn Panel>> = vec![
            Box::new(Probe { kind: PanelKind::Training, text: String::new(), pushes: pushes.clone() }),
            Box::<LogPanel>::default(),
        ];
        let time = clock.clone();
        let app =
            App::new(Box::new(tape.clone()), Box::new(files.clone()), panels, session).with_clock(move || time.get());
        let harness = Harness::builder().with_size([1280.0, 800.0]).build_ui_state(|ui, app: &mut App| app.ui(ui), app);
        let mut bench = Self { harness, tape, files, pushes, clock };
        bench.look();
        bench
    }

    /// An engine that has just said that it is there.
    fn ready() -> Self {
        Self::new(vec![ready()], Session::default())
    }

    /// In the middle of the first run, with a second one in the queue.
    fn running() -> Self {
        let mut bench = Self::new(sample::session().into_iter().take(60).collect(), Session::default());
        let experiment = Box::new(sample::experiment("i_lora"));
        bench.hear(Event::RunQueued { run: 1, method_label: "I-LoRA".into(), experiment });
        bench.tape.take_sent();
        bench
    }

    /// A few frames, as a busy engine never lets the window rest.
    fn look(&mut self) {
        self.harness.run_steps(3);
    }

    fn hear(&mut self, event: Event) {
        self.tape.push(event);
        self.look();
    }

    fn push(&mut self, action: Action) {
        self.pushes.borrow_mut().push(action);
        self.look();
    }

    fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.look();
    }

    fn shows(&self, text: &str) -> bool {
        self.harness.query_all_by_label_contains(text).next().is_some()
    }

    fn app(&self) -> &App {
        self.harness.state()
    }

    /// Commands since the last call, without those that only ask what the draft is.
    fn sent(&self) -> Vec<Command> {
        let asks = |command: &Command| {
            matches!(command, Command::InspectModel { .. } | Command::InspectTask { .. } | Command::WatchBuffer { .. })
        };
        self.tape.take_sent().into_iter().filter(|command| !asks(command)).collect()
    }

    /// Somebody presses the window's close button; gives what the window told the system.
    fn request_close(&mut self) -> Vec<ViewportCommand> {
        let viewport = self.harness.input_mut().viewports.entry(ViewportId::ROOT).or_default();
        viewport.events.push(ViewportEvent::Close);
        self.harness.step();
        self.commands()
    }

    fn commands(&self) -> Vec<ViewportCommand> {
        self.harness.output().viewport_output[&ViewportId::ROOT].commands.clone()
    }
}

fn ready() -> Event {
    Event::Ready { catalogue: Box::new(sample::catalogue()), runs_folder: "/runs".into() }
}
