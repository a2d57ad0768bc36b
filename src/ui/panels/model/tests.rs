//! The panel as somebody uses it, by the names that a screen reader says.

use super::ModelPanel;
use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::cards::DeviceCard;
use crate::engine::protocol::{Command, Event};
use crate::model::lora::Projection;
use crate::ui::action::{Action, Purpose};
use crate::ui::panel::{Context, Panel as _};
use crate::ui::sample;
use crate::ui::state::AppState;
use crate::ui::theme::Theme;
use egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, Node};

struct Window {
    panel: ModelPanel,
    state: AppState,
    actions: Vec<Action>,
    now_secs: f64,
}

impl Window {
    /// Edits arrive in the draft as the frame would do it; every action is kept.
    fn draw(ui: &mut egui::Ui, window: &mut Self) {
        let mut actions = Vec::new();
        let theme = Theme::default();
        let mut context =
            Context { state: &window.state, theme: &theme, actions: &mut actions, now_secs: window.now_secs };
        window.panel.show(ui, &mut context);
        for action in &actions {
            match action {
                Action::Edit { what, draft } => window.state.draft.edit(what, (**draft).clone()),
                Action::Undo => window.state.draft.undo(),
                _ => {}
            }
        }
        window.actions.extend(actions);
    }
}

fn open(state: AppState) -> Harness<'static, Window> {
    let window = Window { panel: ModelPanel::default(), state, actions: Vec::new(), now_secs: 1.0 };
    // high enough that nothing is scrolled away
    let mut harness = Harness::builder().with_size([900.0, 1400.0]).build_ui_state(Window::draw, window);
    harness.run();
    harness
}

fn click(harness: &mut Harness<'_, Window>, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

fn draft<'a>(harness: &'a Harness<'_, Window>) -> &'a ExperimentConfig {
    &harness.state().state.draft.config
}

fn commands(harness: &Harness<'_, Window>) -> Vec<Command> {
    let sent = harness.state().actions.iter().filter_map(|action| match action {
        Action::Send(command) => Some((**command).clone()),
        _ => None,
    });
    sent.collect()
}

fn tell(harness: &mut Harness<'_, Window>, event: Event) {
    harness.state_mut().state.apply(event, 2.0);
    harness.run();
}

fn is_disabled(node: &Node<'_>) -> bool {
    use egui_kittest::kittest::NodeT as _;
    node.accesskit_node().is_disabled()
}

#[test]
fn the_source_can_be_a_folder_and_the_embedded_model_again() {
    let mut harness = open(sample::state());
    click(&mut harness, "Folder");
    click(&mut harness, "Choose a folder…");
    assert_eq!(harness.state().actions, [Action::Open(Purpose::ModelFolder)]);
    harness.get_by_label("or its path").focus();
    harness.run();
    harness.get_by_label("or its path").type_text(" /models/tiny ");
    harness.run();
    click(&mut harness, "Use");
    assert_eq!(draft(&harness).model, "/models/tiny");
    assert!(harness.query_by_label("/models/tiny").is_some());
    click(&mut harness, "Embedded");
    assert_eq!(draft(&harness).model, "builtin");
    harness.state_mut().state.draft.undo();
    assert_eq!(draft(&harness).model, "/models/tiny", "the choice can be undone");
}

#[test]
fn a_path_is_taken_by_enter_as_well() {
    let mut harness = open(sample::state());
    click(&mut harness, "Folder");
    harness.get_by_label("or its path").focus();
    harness.run();
    harness.get_by_label("or its path").type_text("models/a");
    harness.run();
    harness.key_press(egui::Key::Enter);
    harness.run();
    assert_eq!(draft(&harness).model, "models/a");
}

/// Types an address and asks for it.
fn download(harness: &mut Harness<'_, Window>, address: &str) {
    click(harness, "Hub");
    harness.get_by_label("Name or address of the model").focus();
    harness.run();
    harness.get_by_label("Name or address of the model").type_text(address);
    harness.run();
    click(harness, "Download");
}

fn progressed(id: u64, done_bytes: u64) -> Event {
    Event::DownloadProgressed {
        id,
        file: "model.safetensors".into(),
        done_bytes,
        total_bytes: Some(200_000_000),
        bytes_per_sec: 5_000_000.0,
        eta_secs: Some(30.0),
    }
}

#[test]
fn a_download_shows_how_far_it_is_and_ends_as_the_model() {
    let mut harness = open(sample::state());
    download(&mut harness, "owner/name");
    assert_eq!(commands(&harness), [Command::Download { id: 0, address: "owner/name".into() }]);
    assert!(harness.query_by_label("Asking the hub…").is_some());
    // the frame enters the address as soon as it sends the command
    harness.state_mut().state.downloads.entry(0).or_default().address = "owner/name".into();
    harness.run();
    assert_eq!(harness.query_all_by_label("Asking the hub…").count(), 1);
    assert!(is_disabled(&harness.get_by_label("Download")), "one download of a model at a time");
    tell(&mut harness, progressed(0, 50_000_000));
    assert!(harness.query_by_label("50.0 MB of 200 MB (25.0 %)").is_some());
    assert!(harness.query_by_label("model.safetensors, 5.0 MB/s, 30 s left").is_some());
    tell(&mut harness, Event::DownloadFinished { id: 0, folder: "/models/owner--name".into() });
    click(&mut harness, "Use this model");
    assert_eq!(draft(&harness).model, "/models/owner--name");
    assert!(harness.query_by_label("In use").is_some() && harness.query_by_label("Use this model").is_none());
}

#[test]
fn a_failed_download_is_retried_under_a_number_of_its_own() {
    let mut harness = open(sample::state());
    download(&mut harness, "owner/name");
    tell(&mut harness, progressed(0, 50_000_000));
    tell(&mut harness, Event::DownloadFailed { id: 0, message: "The connection broke.".into(), cancelled: false });
    assert!(harness.query_by_label("The connection broke.").is_some());
    click(&mut harness, "Retry");
    assert_eq!(commands(&harness).last(), Some(&Command::Download { id: 1, address: "owner/name".into() }));
    assert!(harness.query_by_label("The connection broke.").is_none(), "the new attempt stands in its place");
    tell(&mut harness, Event::DownloadFailed { id: 1, message: "The disk is full.".into(), cancelled: false });
    click(&mut harness, "Remove from list");
    assert!(harness.query_by_label("The disk is full.").is_none());
    assert!(harness.query_by_label("The connection broke.").is_none());
}

#[test]
fn a_cancelled_download_is_no_error_and_can_go_on() {
    let mut harness = open(sample::state());
    download(&mut harness, "owner/name");
    tell(&mut harness, progressed(0, 50_000_000));
    click(&mut harness, "Cancel");
    assert_eq!(commands(&harness).last(), Some(&Command::CancelDownload { id: 0 }));
    tell(&mut harness, Event::DownloadFailed { id: 0, message: "Cancelled.".into(), cancelled: true });
    assert!(harness.query_by_label("Cancelled; 50.0 MB are kept.").is_some());
    assert!(harness.query_by_label("Retry").is_some());
}

#[test]
fn an_address_that_cannot_be_one_is_told_before_it_is_sent() {
    let mut harness = open(sample::state());
    download(&mut harness, "gpt2");
    assert!(commands(&harness).is_empty());
    assert!(harness.query_by_label_contains("Write owner/name").is_some());
}

#[test]
fn numbers_of_downloads_are_never_used_twice() {
    let mut state = sample::state();
    state.apply(progressed(7, 1), 0.0);
    let mut harness = open(state);
    download(&mut harness, "owner/name");
    assert!(matches!(commands(&harness).last(), Some(Command::Download { id: 8, .. })));
}

#[test]
fn the_card_says_what_the_model_is_and_what_is_trained() {
    let harness = open(sample::state());
    for text in ["262 K parameters, 1.0 MB of weights, stored as F32", "num_key_value_heads", "intermediate_size"] {
        assert!(harness.query_by_label(text).is_some(), "{text}");
    }
    assert!(harness.query_all_by_label("40,960 trainable parameters, 15.6 % of the model's size").count() == 2);
    assert!(harness.query_by_role_and_label(Role::Label, "About 25.1 MB of 8.0 GB that are free now").is_some());
    assert!(harness.query_by_label_contains("Parts of the memory: Base model 1.0 MB, Adapters 328 kB").is_some());
}

#[test]
fn a_model_that_cannot_be_read_says_why_and_offers_ways_out() {
    let mut state = sample::state();
    let experiment = ExperimentConfig { model: "/models/broken".into(), ..state.draft.config.clone() };
    state.draft.edit("model", experiment);
    let result = Err("config.json: is cut off in line 3.".to_owned());
    state.apply(Event::ModelInspected { model: "/models/broken".into(), result }, 0.0);
    let mut harness = open(state);
    assert!(harness.query_by_label("config.json: is cut off in line 3.").is_some());
    click(&mut harness, "Read it again");
    assert!(
        matches!(commands(&harness).last(), Some(Command::InspectModel { experiment }) if experiment.model == "/models/broken")
    );
    click(&mut harness, "Take the embedded model");
    assert_eq!(draft(&harness).model, "builtin");
}

#[test]
fn a_model_of_the_hub_that_is_not_here_is_offered_and_fetched_by_its_button() {
    let folder = crate::io::hub::models_folder().unwrap().join("own--tiny@v1").display().to_string();
    let mut state = sample::state();
    let experiment = ExperimentConfig { model: folder.clone(), ..state.draft.config.clone() };
    state.draft.edit("model", experiment);
    state.apply(Event::ModelInspected { model: folder, result: Err("there is no such folder".into()) }, 0.0);
    let mut harness = open(state);
    assert!(!commands(&harness).iter().any(|command| matches!(command, Command::Download { .. })));
    click(&mut harness, "Download own/tiny@v1");
    assert!(matches!(commands(&harness).last(), Some(Command::Download { address, .. }) if address == "own/tiny@v1"));
    assert!(harness.query_by_label("Asking the hub…").is_some());
    assert!(harness.query_by_label("Download own/tiny@v1").is_none(), "it is being fetched");
}

#[test]
fn what_does_not_fit_is_said_with_the_remedy() {
    let mut state = sample::state();
    let mut card = sample::model_card();
    (card.available_bytes, card.too_large) = (Some(1_000_000), Some("Needs 25 MB: take a smaller batch_size.".into()));
    card.warnings = vec!["rope_scaling is ignored.".into()];
    state.apply(Event::ModelInspected { model: "builtin".into(), result: Ok(Box::new(card)) }, 0.0);
    let harness = open(state);
    assert!(harness.query_by_label("Needs 25 MB: take a smaller batch_size.").is_some());
    assert!(harness.query_by_label("rope_scaling is ignored.").is_some());
}

#[test]
fn settings_of_the_adapter_change_the_draft_one_by_one() {
    let mut harness = open(sample::state());
    click(&mut harness, "All linear");
    assert_eq!(draft(&harness).lora.target_modules, Projection::ALL);
    click(&mut harness, "up_proj");
    assert_eq!(draft(&harness).lora.target_modules.len(), 6);
    assert!(!draft(&harness).lora.target_modules.contains(&Projection::UpProj));
    click(&mut harness, "up_proj");
    assert_eq!(draft(&harness).lora.target_modules, Projection::ALL, "in the order of the block again");
    harness.get_by_role_and_label(Role::Button, "Attention").click();
    harness.run();
    assert_eq!(
        draft(&harness).lora.target_modules,
        [Projection::QProj, Projection::KProj, Projection::VProj, Projection::OProj]
    );

    assert!(harness.query_by_label("Reset Rank (r)").is_none());
    harness.get_by_label("Rank (r)").set_value_accesskit(32.0);
    harness.run();
    assert_eq!(draft(&harness).lora.rank, 32);
    assert_eq!(harness.state().state.draft.undoable(), Some("rank"));
    assert!(harness.query_by_label("Scale lora_alpha / r = 0.5").is_some());
    assert!(harness.query_by_label_contains("From r = 32 on").is_some());
    click(&mut harness, "Reset Rank (r)");
    assert_eq!(draft(&harness).lora.rank, 8);
}

#[test]
fn without_a_target_nothing_would_be_trained_and_that_is_said() {
    let mut harness = open(sample::state());
    click(&mut harness, "q_proj");
    assert!(harness.query_by_label_contains("Nothing would be trained").is_none());
    click(&mut harness, "v_proj");
    assert!(harness.query_by_label_contains("Nothing would be trained").is_some());
}

fn devices() -> Vec<DeviceCard> {
    let device = |setting: &str, name: &str, step_secs, error: Option<&str>| DeviceCard {
        setting: setting.into(),
        name: name.into(),
        detail: String::new(),
        step_secs,
        error: error.map(str::to_owned),
    };
    vec![
        device("cpu", "CPU (2 threads)", Some(0.012), None),
        device("webgpu:0", "Fast GPU", Some(0.004), None),
        device("webgpu:1", "Odd GPU", None, Some("no memory was given")),
    ]
}

#[test]
fn a_device_is_chosen_by_its_speed_and_a_broken_one_cannot_be() {
    let mut state = sample::state();
    state.apply(Event::DevicesFound { devices: devices() }, 0.0);
    let mut harness = open(state);
    assert_eq!(harness.query_all_by_label("fastest").count(), 1);
    let fastest = harness.get_by_label("fastest").rect();
    assert!(fastest.top() > harness.get_by_label("Fast GPU").rect().top());
    assert!(fastest.top() < harness.get_by_label("Odd GPU").rect().top());
    assert!(harness.query_by_label("4.00 ms a step, 250 steps a second").is_some());
    click(&mut harness, "Fast GPU");
    assert_eq!(draft(&harness).device, "webgpu:0");
    assert!(is_disabled(&harness.get_by_label("Odd GPU")));
    assert!(harness.query_by_label("Cannot be used: no memory was given").is_some());
    click(&mut harness, "Odd GPU");
    assert_eq!(draft(&harness).device, "webgpu:0");
    click(&mut harness, "Automatic");
    assert_eq!(draft(&harness).device, "auto");
}

#[test]
fn measuring_is_asked_for_once_until_it_is_told() {
    let mut state = sample::state();
    state.devices = None;
    let mut harness = open(state);
    click(&mut harness, "Measure devices");
    assert_eq!(commands(&harness), [Command::FindDevices]);
    assert!(is_disabled(&harness.get_by_label("Measuring…")));
    tell(&mut harness, Event::DevicesFound { devices: devices() });
    assert!(!is_disabled(&harness.get_by_label("Measure again")));
    click(&mut harness, "Measure again");
    harness.state_mut().now_secs = 200.0;
    harness.run();
    assert!(!is_disabled(&harness.get_by_label("Measure again")), "no answer does not lock it for ever");
}

#[test]
fn a_device_that_is_not_listed_is_not_lost() {
    let mut state = sample::state();
    state.draft.config.device = "webgpu:Arc".into();
    let mut harness = open(state);
    click(&mut harness, "webgpu:Arc (as set)");
    assert_eq!(draft(&harness).device, "webgpu:Arc");
}

#[test]
fn before_anything_is_known_the_next_step_is_offered() {
    let mut harness = open(AppState::default());
    click(&mut harness, "Read the model now");
    assert!(matches!(commands(&harness).as_slice(), [Command::InspectModel { .. }]));
    assert!(harness.query_by_label("Measure devices").is_some());
}
