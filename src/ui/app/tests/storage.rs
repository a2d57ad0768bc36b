//! What is kept: the sheet, the question before something is deleted, and capsules on their way.

use super::*;
use crate::engine::protocol::storage::{StorageListing, StorageRoom, StoredItem, StoredKind};

fn item(kind: StoredKind, name: &str, bytes: u64, needed: Option<&str>) -> StoredItem {
    StoredItem { kind, name: name.into(), path: format!("/kept/{name}"), bytes, needed: needed.map(Into::into) }
}

fn listing() -> StorageListing {
    StorageListing {
        items: vec![
            item(StoredKind::Model, "owner/large", 5 << 30, Some("a run that waits or is in progress needs it")),
            item(StoredKind::Model, "owner/small", 3 << 20, None),
            StoredItem { path: "runs/seq-seed1".into(), ..item(StoredKind::Run, "Seq, seed 1", 300_000, None) },
        ],
        room: None,
        deleted: None,
    }
}

fn told(listing: StorageListing) -> Event {
    Event::StorageListed { listing: Box::new(listing) }
}

#[test]
fn the_sheet_lists_what_is_kept_and_asks_before_it_deletes() {
    let mut bench = Bench::new(sample::session(), Session::default());
    bench.sent();
    bench.click("Storage");
    assert_eq!(bench.sent(), [Command::ListStorage]);
    assert!(bench.shows("Looking at the folders"));
    bench.hear(told(listing()));
    for text in
        ["owner/large", "owner/small", "3 MB", "300 kB", "Seq, seed 1", "In all 5.37 GB", "Models that were downloaded"]
    {
        assert!(bench.shows(text), "{text}");
    }
    bench.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::L);
    bench.look();
    assert!(bench.app().session().theme.dark, "nothing happens behind it");
    assert!(!bench.shows("Files that were chosen"), "that is a matter of pages");
    bench.click("Delete owner/large");
    assert!(!bench.shows("Delete this?"), "a run needs it");
    bench.click("Delete owner/small");
    assert!(bench.shows("Delete this?") && bench.shows("It can be downloaded again"));
    bench.click("Keep it");
    assert_eq!(bench.sent(), []);
    assert!(bench.shows("In all 5.37 GB"), "the sheet is still there");

    bench.click("Delete Seq, seed 1");
    assert!(bench.shows("This cannot be taken back"));
    bench.click("Delete it");
    assert_eq!(bench.sent(), [Command::DeleteStored { path: "runs/seq-seed1".into() }]);
    let before = bench.app().state().runs.len();
    let mut after = listing();
    after.items.pop();
    after.deleted = Some("runs/seq-seed1".into());
    bench.hear(told(after));
    assert!(!bench.shows("Seq, seed 1, ") && bench.app().state().runs.len() == before - 1, "its row is gone as well");
    bench.click("Close");
    assert!(!bench.shows("In all 5.37 GB"));
}

#[test]
fn a_page_says_how_much_the_browser_gives() {
    let mut bench = Bench::ready();
    bench.click("Storage");
    let mut room = StorageRoom { used_bytes: 2 << 30, quota_bytes: 10 << 30, promised: true };
    bench.hear(told(StorageListing { room: Some(room), ..StorageListing::default() }));
    assert!(bench.shows("The browser keeps 2.15 GB for this page, of at most 10.74 GB"));
    assert!(bench.shows("Files that were chosen on this page") && bench.shows("Nothing is deleted by itself"));
    room.promised = false;
    bench.hear(told(StorageListing { room: Some(room), ..StorageListing::default() }));
    assert!(bench.shows("has not promised to keep it when the disk gets full"));
}

#[test]
fn a_capsule_on_its_way_is_shown_and_can_be_cancelled() {
    let mut bench = Bench::new(sample::session(), Session::default());
    bench.sent();
    bench.hear(Event::CapsuleProgressed { run: 1, packing: true, done_bytes: 25, total_bytes: 100 });
    assert!(bench.shows("Packing a capsule") && bench.shows("25 %"));
    bench.click("Cancel packing");
    assert_eq!(bench.sent(), [Command::CancelCapsule { run: 1 }]);
    bench.hear(Event::CapsuleEnded { run: 1 });
    assert!(!bench.shows("Packing a capsule"));
    bench.hear(Event::CapsuleProgressed { run: 2, packing: false, done_bytes: 25, total_bytes: 100 });
    assert!(bench.shows("Unpacking a capsule") && bench.shows("Cancel unpacking"));
    bench.hear(Event::EngineDied { message: "it fell over".into() });
    assert!(!bench.shows("Unpacking a capsule"));
}
