//! Shortcuts, the palette, the sheet, undo and redo.

use super::*;
use crate::engine::config::MethodConfig;
use crate::engine::protocol::Steer;
use egui::accesskit::Role;
use egui::{Key, Modifiers};

fn steers(bench: &Bench) -> Vec<Steer> {
    let steer = |command: Command| match command {
        Command::Steer { steer } => Some(steer),
        _ => None,
    };
    bench.sent().into_iter().filter_map(steer).collect()
}

impl Bench {
    fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.look();
    }

    fn type_text(&mut self, label: &str, text: &str) {
        self.harness.get_by_label(label).type_text(text);
        self.look();
    }
}

#[test]
fn keys_steer_the_run() {
    let mut bench = Bench::running();
    bench.press(Modifiers::NONE, Key::Space);
    assert_eq!(steers(&bench), [Steer::Pause]);
    bench.hear(Event::Paused { run: 0, step: 0 });
    bench.press(Modifiers::NONE, Key::S);
    bench.press(Modifiers::NONE, Key::Space);
    bench.press(Modifiers::NONE, Key::X);
    assert_eq!(steers(&bench), [Steer::SingleStep, Steer::Resume, Steer::Stop]);
}

#[test]
fn keys_do_nothing_else_while_somebody_types() {
    let mut bench = Bench::running();
    bench.harness.get_by_label("Note").focus();
    bench.look();
    bench.press(Modifiers::NONE, Key::Space);
    bench.press(Modifiers::NONE, Key::X);
    bench.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(bench.sent(), []);
    bench.press(Modifiers::COMMAND, Key::P);
    assert!(bench.harness.query_by_label("Command").is_some(), "the palette opens from anywhere");
}

#[test]
fn the_space_bar_presses_what_has_the_focus() {
    let mut bench = Bench::running();
    bench.harness.get_by_label("Stop").focus();
    bench.look();
    bench.press(Modifiers::NONE, Key::Space);
    assert_eq!(steers(&bench), [Steer::Stop], "and does not pause besides");
}

#[test]
fn the_palette_finds_and_does() {
    let mut bench = Bench::ready();
    bench.press(Modifiers::COMMAND, Key::P);
    bench.type_text("Command", "use method er");
    bench.press(Modifiers::NONE, Key::Enter);
    assert_eq!(bench.app().state().draft.config.methods, [MethodConfig::Name("er".into())]);
    assert!(bench.harness.query_by_label("Command").is_none(), "it closes");

    bench.press(Modifiers::COMMAND, Key::P);
    bench.type_text("Command", "use method");
    bench.press(Modifiers::NONE, Key::ArrowDown);
    bench.press(Modifiers::NONE, Key::ArrowDown);
    bench.press(Modifiers::NONE, Key::Enter);
    assert_eq!(bench.app().state().draft.config.methods, [MethodConfig::Name("i_lora".into())]);

    bench.press(Modifiers::COMMAND, Key::P);
    bench.press(Modifiers::NONE, Key::Escape);
    assert!(bench.harness.query_by_label("Command").is_none());
}

#[test]
fn the_palette_can_be_clicked_and_loads_presets() {
    let mut bench = Bench::ready();
    bench.press(Modifiers::COMMAND, Key::P);
    bench.type_text("Command", "method er");
    bench.click("Use method ER");
    assert_eq!(bench.app().state().draft.config.methods.len(), 1);
    bench.press(Modifiers::COMMAND, Key::P);
    bench.type_text("Command", "preset demo");
    bench.press(Modifiers::NONE, Key::Enter);
    assert_eq!(bench.app().state().draft.config.methods.len(), 2);
    assert_eq!(bench.app().state().draft.undoable(), Some("preset demo"));
}

#[test]
fn changes_are_taken_back_and_made_again_by_buttons_and_keys() {
    let mut bench = Bench::ready();
    let seed = |bench: &Bench| bench.app().state().draft.config.seed;
    let before = seed(&bench);
    let mut draft = bench.app().state().draft.config.clone();
    draft.seed = 77;
    bench.push(Action::Edit { what: "seed".into(), draft: Box::new(draft) });
    assert_eq!(seed(&bench), 77);
    bench.click("Undo");
    assert_eq!(seed(&bench), before);
    bench.click("Redo");
    assert_eq!(seed(&bench), 77);
    bench.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(seed(&bench), before);
    bench.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(seed(&bench), 77, "one press makes it again and does not take it back");
    bench.press(Modifiers::COMMAND, Key::Z);
    bench.press(Modifiers::COMMAND, Key::Y);
    assert_eq!(seed(&bench), 77);
}

#[test]
fn the_sheet_lists_the_keys_and_goes_again() {
    let mut bench = Bench::ready();
    bench.press(Modifiers::NONE, Key::F1);
    assert!(bench.shows("Keyboard shortcuts") && bench.shows("Ctrl+Shift+Z"));
    bench.sent();
    bench.press(Modifiers::COMMAND, Key::Enter);
    assert_eq!(bench.sent(), [], "nothing happens behind it");
    bench.press(Modifiers::NONE, Key::Enter);
    assert!(!bench.shows("Ctrl+Shift+Z"), "its button has the focus");
    bench.press(Modifiers::NONE, Key::F1);
    assert!(bench.shows("Ctrl+Shift+Z"));
    bench.press(Modifiers::NONE, Key::F1);
    assert!(!bench.shows("Ctrl+Shift+Z"));
}

#[test]
fn theme_and_text_size_are_changed_within_their_range() {
    let mut bench = Bench::ready();
    bench.click("Light theme");
    assert!(!bench.app().session().theme.dark);
    for _ in 0..20 {
        bench.press(Modifiers::COMMAND, Key::Plus);
    }
    assert_eq!(bench.app().session().theme.text_scale, 2.0);
    for _ in 0..20 {
        bench.press(Modifiers::COMMAND, Key::Minus);
    }
    assert_eq!(bench.app().session().theme.text_scale, 0.75);
    bench.press(Modifiers::COMMAND, Key::Num0);
    assert_eq!(bench.app().session().theme.text_scale, 1.0);
    assert_eq!(bench.harness.ctx.zoom_factor(), 1.0);
}

#[test]
fn panels_are_closed_opened_and_put_back() {
    let mut bench = Bench::new(sample::session(), Session::default());
    bench.click("Close Forgetting");
    assert!(!bench.app().docking.is_open(PanelKind::Forgetting));
    bench.press(Modifiers::NONE, Key::Num4);
    assert!(bench.app().docking.visible().contains(&PanelKind::Forgetting));
    bench.click("Close Training");
    bench.click("Panels");
    bench.harness.get_by_role_and_label(Role::CheckBox, "Training").click();
    bench.look();
    assert!(bench.app().docking.visible().contains(&PanelKind::Training));
    bench.click("Close Replay buffer");
    bench.click("Panels");
    bench.click("Reset layout");
    assert_eq!(*bench.app().docking.tree(), *super::super::docking::Docking::new(None).tree());
}

#[test]
fn a_narrow_window_leads_to_the_tabs_that_are_out_of_sight() {
    let mut bench = Bench::new(sample::session(), Session::default());
    bench.harness.set_size(egui::vec2(390.0, 844.0));
    bench.look();
    let place = |bench: &Bench, tab: &str| bench.harness.get_by_role_and_label(Role::Button, tab).rect();
    let (before, edge) = (place(&bench, "Log").left(), 390.0);
    assert!(before > edge && !bench.shows("Panels further left"));
    bench.click("Panels further right");
    bench.look();
    assert!(place(&bench, "Log").left() < before && bench.shows("Panels further left"));
    // One that something else brings to the front is not only shown, its tab is in sight.
    bench.harness.state_mut().show(PanelKind::Log);
    bench.look();
    let found = place(&bench, "Log");
    assert!(found.left() > 0.0 && found.right() <= edge && !bench.shows("Panels further right"), "{found:?}");
}
