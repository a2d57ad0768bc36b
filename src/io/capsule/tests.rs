//! Capsules there and back, and everything that is refused: cut off, changed, lying, oversized, reaching out of its folder.

use super::*;
use crate::platform::scratch::{self, ScratchFolder};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;
use zip::write::{SimpleFileOptions, ZipWriter};

const ADAPTER: &str = "adapters/01-stance/model/adapter_model.safetensors";

fn always(_: u64, _: u64) -> bool {
    true
}

/// A run's folder with everything in it, and some things that are not the run's.
fn run_folder() -> ScratchFolder {
    let folder = scratch::folder().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("config.toml", b"title = \"in the configuration\"\n");
    write("report.json", br#"{"title": "Watch it forget", "started_unix": 1700000000, "method": "seq"}"#);
    write("metrics.csv", "step,loss\n1,0.5\n".repeat(10_000).as_bytes());
    write(
        ADAPTER,
        &(0..200_000_u32).flat_map(|number| (number.wrapping_mul(2_654_435_761)).to_le_bytes()).collect::<Vec<_>>(),
    );
    write("adapters/01-stance/model/adapter_config.json", b"{}");
    write("adapters/01-stance/model/.adapter_config.json.0123456789abcdef.partial", b"half");
    write("checkpoint.thalweg", b"THALWEG\n...");
    write("notes.txt", b"not the program's");
    folder
}

fn packed(folder: &Path, with_checkpoint: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack(folder, with_checkpoint, &mut bytes, &mut always).unwrap();
    bytes
}

/// All files below a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, name: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{name}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, "", &mut found);
    found
}

/// Tries to unpack; nothing may be left of what is refused. The sentence comes back.
#[track_caller]
fn refusal(bytes: &[u8]) -> CapsuleError {
    let folder = scratch::folder().unwrap();
    let into = folder.path().join("run");
    let error = unpack(Cursor::new(bytes), &into, &mut always).unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was left after: {error}");
    error
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn index_of(files: &[(&str, &[u8])]) -> CapsuleIndex {
    let file = |(name, content): &(&str, &[u8])| CapsuleFile {
        name: (*name).to_owned(),
        bytes: content.len() as u64,
        sha256: hexadecimal(&Sha256::digest(content)),
    };
    CapsuleIndex {
        format: FORMAT_NAME.into(),
        format_version: FORMAT_VERSION,
        program_version: "9.9.9".into(),
        title: "made by hand".into(),
        created_unix: 0,
        files: files.iter().map(file).collect(),
    }
}

/// A capsule made by hand, whose index was changed.
fn capsule_of(files: &[(&str, &[u8])], change: impl FnOnce(&mut CapsuleIndex)) -> Vec<u8> {
    let mut index = index_of(files);
    change(&mut index);
    let json = serde_json::to_vec(&index).unwrap();
    zip_of(&[files, &[(INDEX_NAME, &json)]].concat())
}

/// Writes over a place in the zip's list, counted from the start of the entry of this name.
fn patch(bytes: &mut [u8], name: &str, place: usize, value: &[u8]) {
    let entry = (0..bytes.len() - 46 - name.len())
        .find(|at| bytes[*at..].starts_with(b"PK\x01\x02") && bytes[at + 46..].starts_with(name.as_bytes()))
        .expect("the name is in the list");
    bytes[entry + place..entry + place + value.len()].copy_from_slice(value);
}

const FLAGS: usize = 8;
const SIZE: usize = 24;

#[test]
fn a_run_comes_back_byte_for_byte() {
    let folder = run_folder();
    let mut wanted = contents(folder.path());
    wanted.retain(|name, _| !name.ends_with(".partial") && name != "notes.txt");
    for with_checkpoint in [true, false] {
        if !with_checkpoint {
            wanted.remove("checkpoint.thalweg");
        }
        let other = scratch::folder().unwrap();
        let path = other.path().join("there/run.thalweg");
        let mut heard = Vec::new();
        let summary = save(folder.path(), with_checkpoint, &path, &mut |done, total| {
            heard.push((done, total));
            true
        });
        let summary = summary.unwrap();
        let bytes: u64 = wanted.values().map(|content| content.len() as u64).sum();
        assert_eq!((summary.title.as_str(), summary.created_unix), ("Watch it forget", 1_700_000_000));
        assert_eq!((summary.files, summary.bytes), (wanted.len(), bytes));
        assert_eq!(heard.last(), Some(&(bytes, bytes)));
        assert!(heard.is_sorted() && heard.len() > wanted.len(), "large files are told piece by piece");

        let index = read_index(fs::File::open(&path).unwrap()).unwrap();
        assert!(index.files.is_sorted_by_key(|file| &file.name));
        assert_eq!(CapsuleSummary::from(&index), summary);
        let into = other.path().join("new/run");
        let mut last = (0, 0);
        let read = unpack(fs::File::open(&path).unwrap(), &into, &mut |done, total| {
            last = (done, total);
            true
        });
        assert_eq!((read.unwrap(), last), (summary, (bytes, bytes)));
        assert_eq!(contents(&into), wanted);
    }
}

#[test]
fn the_same_folder_gives_the_same_bytes() {
    let folder = run_folder();
    let first = packed(folder.path(), true);
    for name in ["config.toml", ADAPTER] {
        let path = folder.path().join(name);
        let content = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, content).unwrap();
    }
    assert!(packed(folder.path(), true) == first, "written again on another day and in another order");
    fs::write(folder.path().join("config.toml"), "title = \"another\"").unwrap();
    assert!(packed(folder.path(), true) != first);
}

#[test]
fn the_title_is_found_without_a_report() {
    let folder = run_folder();
    fs::remove_file(folder.path().join("report.json")).unwrap();
    let title = |bytes: Vec<u8>| read_index(Cursor::new(bytes)).unwrap().title;
    assert_eq!(title(packed(folder.path(), false)), "in the configuration");
    fs::write(folder.path().join("config.toml"), "").unwrap();
    assert_eq!(title(packed(folder.path(), false)), folder.path().file_name().unwrap().to_str().unwrap());
}

#[test]
fn a_folder_without_a_run_or_with_strange_files_is_not_packed() {
    let refused = |folder: &Path| pack(folder, false, &mut Vec::new(), &mut always).unwrap_err().to_string();
    let folder = run_folder();
    fs::write(folder.path().join("adapters/what?"), "").unwrap();
    assert!(refused(folder.path()).contains("what?"), "a name that Windows cannot hold");
    fs::remove_file(folder.path().join("adapters/what?")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("adapters/link")).unwrap();
        assert!(refused(folder.path()).contains("link"));
        fs::remove_file(folder.path().join("adapters/link")).unwrap();
    }
    fs::remove_file(folder.path().join("config.toml")).unwrap();
    assert!(refused(folder.path()).contains("holds no run"));
    assert!(refused(Path::new("/nowhere/at all")).contains("holds no run"));
}

#[test]
fn cancelling_leaves_nothing() {
    let folder = run_folder();
    let other = scratch::folder().unwrap();
    let bytes = packed(folder.path(), true);
    for after in [1, 5, 10] {
        let mut calls = 0;
        let mut stop = |_: u64, _: u64| {
            calls += 1;
            calls < after
        };
        let saved = save(folder.path(), true, &other.path().join("x.thalweg"), &mut stop);
        assert_eq!(saved, Err(CapsuleError::Cancelled), "after {after}");
        let mut calls = 0;
        let unpacked = unpack(Cursor::new(&bytes), &other.path().join("run"), &mut |_, _| {
            calls += 1;
            calls < after
        });
        assert_eq!(unpacked, Err(CapsuleError::Cancelled), "after {after}");
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0, "after {after}");
    }
}

#[test]
fn a_full_disk_leaves_nothing() {
    let folder = run_folder();
    let other = scratch::folder().unwrap();
    let path = other.path().join("x.thalweg");
    let saved = crate::io::atomic::quota::with(5_000, || save(folder.path(), true, &path, &mut always));
    assert!(saved.unwrap_err().to_string().contains("make room"));
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_is_there_is_not_touched() {
    let bytes = capsule_of(&[("config.toml", b"x")], |_| {});
    let folder = scratch::folder().unwrap();
    unpack(Cursor::new(&bytes), folder.path(), &mut always).unwrap();
    assert_eq!(fs::read(folder.path().join("config.toml")).unwrap(), b"x", "an empty folder may be given");
    fs::write(folder.path().join("config.toml"), "mine").unwrap();
    let error = unpack(Cursor::new(&bytes), folder.path(), &mut always).unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
    let file = folder.path().join("config.toml");
    assert!(unpack(Cursor::new(&bytes), &file, &mut always).is_err());
    assert!(unpack(Cursor::new(&bytes), Path::new("/"), &mut always).is_err());
    assert_eq!(contents(folder.path()).into_iter().collect::<Vec<_>>(), [("config.toml".into(), b"mine".to_vec())]);
}

#[test]
fn other_files_are_told_apart() {
    for other in [&b""[..], b"P", b"THALWEG\n\x01\0\0\0", b"just some text that is long enough to be read"] {
        assert!(matches!(refusal(other), CapsuleError::NotACapsule(_)));
    }
    assert!(matches!(refusal(&zip_of(&[("a.txt", b"x")])), CapsuleError::NotACapsule(_)));
    let foreign = zip_of(&[(INDEX_NAME, br#"{"format": "other", "format_version": 1}"#)]);
    assert!(matches!(refusal(&foreign), CapsuleError::NotACapsule(_)));
    assert!(matches!(refusal(&zip_of(&[(INDEX_NAME, b"{")])), CapsuleError::Damaged(_)));
}

#[test]
fn a_newer_format_asks_for_an_update_whatever_else_it_holds() {
    let newer = zip_of(&[(INDEX_NAME, br#"{"format": "thalweg capsule", "format_version": 7, "parts": 3}"#)]);
    let error = refusal(&newer);
    assert_eq!(error, CapsuleError::Newer { found: 7 });
    assert!(error.to_string().contains("update the program"), "{error}");
}

#[test]
fn every_cut_and_every_changed_byte_is_noticed() {
    let files: [(&str, &[u8]); 2] = [("adapters/a", b"some content"), ("config.toml", b"title = \"t\"\n")];
    let whole = capsule_of(&files, |_| {});
    for length in 0..whole.len() {
        refusal(&whole[..length]);
    }
    let wanted = files.map(|(name, content)| (name.to_owned(), content.to_vec()));
    let folder = scratch::folder().unwrap();
    let mut noticed = 0;
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        let into = folder.path().join(place.to_string());
        match unpack(Cursor::new(&bytes), &into, &mut always) {
            // times, attributes and the like do not matter
            Ok(_) => assert_eq!(contents(&into).into_iter().collect::<Vec<_>>(), wanted, "byte {place}"),
            Err(_) => noticed += 1,
        }
    }
    assert!(noticed * 2 > whole.len(), "{noticed} of {}", whole.len());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["../up", "/etc/thalweg", "a\\..\\b", "C:/x", "a/../../b", "a//b", "nul"] {
        let error = refusal(&capsule_of(&[("config.toml", b"x"), (name, b"y")], |_| {}));
        assert!(matches!(error, CapsuleError::Unsafe(_)), "{name}: {error}");
    }
    for pair in [["a/B", "A/b"], ["a", "a/b"]] {
        let error = refusal(&capsule_of(&[(pair[0], b"x"), (pair[1], b"y")], |_| {}));
        assert!(matches!(error, CapsuleError::Unsafe(_)), "{pair:?}: {error}");
    }
    let mut twice = capsule_of(&[("aaaa", b"x"), ("aaab", b"x")], |_| {});
    patch(&mut twice, "aaab", 46, b"aaaa");
    assert!(refusal(&twice).to_string().contains("lists a file twice"));
}

#[test]
fn links_folders_and_encrypted_files_are_refused() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("adapters", "/etc", SimpleFileOptions::default()).unwrap();
    assert!(refusal(&zip.finish().unwrap().into_inner()).to_string().contains("link"));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_directory("adapters", SimpleFileOptions::default()).unwrap();
    assert!(matches!(refusal(&zip.finish().unwrap().into_inner()), CapsuleError::Unsafe(_)));
    let mut encrypted = capsule_of(&[("config.toml", b"x")], |_| {});
    patch(&mut encrypted, "config.toml", FLAGS, &[1]);
    assert!(refusal(&encrypted).to_string().contains("encrypted"));
}

#[test]
fn the_index_and_the_list_must_agree() {
    let files: [(&str, &[u8]); 2] = [("a", b"one"), ("b", b"two")];
    let lost = capsule_of(&files, |index| index.files[0].name = "c".into());
    assert!(refusal(&lost).to_string().contains("\"c\" is missing"));
    let unlisted = capsule_of(&files, |index| drop(index.files.pop()));
    assert!(refusal(&unlisted).to_string().contains("b is in it without being listed"));
    let double = capsule_of(&files, |index| index.files[1] = index.files[0].clone());
    assert!(refusal(&double).to_string().contains("lists a twice"));
    let itself = capsule_of(&files, |index| index.files[0].name = INDEX_NAME.into());
    assert!(matches!(refusal(&itself), CapsuleError::Damaged(_)));
    let size = capsule_of(&files, |index| index.files[0].bytes = 4);
    assert!(refusal(&size).to_string().contains("should have 4 bytes and has 3"));
    let hash = capsule_of(&files, |index| index.files[1].sha256 = "00".repeat(32));
    assert!(refusal(&hash).to_string().contains("b differs from its checksum"));
}

#[test]
fn bombs_are_refused_before_they_are_unpacked() {
    let content = [0_u8; 3_000];
    let mut longer = capsule_of(&[("a", &content)], |index| index.files[0].bytes = 100);
    patch(&mut longer, "a", SIZE, &100_u32.to_le_bytes());
    let error = refusal(&longer).to_string();
    assert!(error.contains("larger than"), "{error}");
    let mut dense = capsule_of(&[("a", &content)], |_| {});
    patch(&mut dense, "a", SIZE, &(80_u32 << 20).to_le_bytes());
    assert!(refusal(&dense).to_string().contains("would become 80 MiB"));
    let mut huge = capsule_of(&[("a", &content)], |_| {});
    patch(&mut huge, "a", SIZE, &(3_u32 << 30).to_le_bytes());
    assert!(matches!(refusal(&huge), CapsuleError::TooLarge(_)));
    let names: Vec<String> = (0..=MOST_FILES + 1).map(|number| number.to_string()).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(refusal(&zip_of(&many)).to_string().contains("10002 files"));
    let long = "x".repeat(5 << 20);
    let heavy = zip_of(&[(INDEX_NAME, format!("{{\"format\": \"{long}\"}}").as_bytes())]);
    assert!(refusal(&heavy).to_string().contains("5 MiB large"));
}
