//! The tree against what `std::fs` does, and what it tells of its changes.

use super::*;
use std::io::{Seek as _, SeekFrom};

struct Letters(Vec<u8>);

impl Outside for Letters {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, start: u64, bytes: usize) -> Result<Vec<u8>> {
        let start = usize::try_from(start).unwrap();
        Ok(self.0[start..(start + bytes).min(self.0.len())].to_vec())
    }
}

fn names(folder: &str) -> Vec<String> {
    read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn files_and_folders_behave_as_on_a_disk() {
    create_dir_all("/data/runs/one").unwrap();
    write("/data/runs/one/config.toml", b"seed = 1").unwrap();
    assert_eq!(read_to_string("data/./runs/x/../one/config.toml").unwrap(), "seed = 1");
    assert_eq!(create_dir("/data/runs/one").unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(create_dir("/nowhere/below").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read("/data/runs/two").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(write("/data/runs/one/config.toml/x", b"").unwrap_err().kind(), ErrorKind::NotADirectory);
    assert_eq!(File::open("/data").unwrap_err().kind(), ErrorKind::IsADirectory);
    assert!(remove_dir("/data/runs").is_err());
    rename("/data/runs/one", "/data/runs/first").unwrap();
    assert_eq!(names("/data/runs"), ["first"]);
    assert!(is_file(Path::new("/data/runs/first/config.toml")) && !is_there(Path::new("/data/runs/one")));
    hard_link("/data/runs/first/config.toml", "/data/runs/first/old.toml").unwrap();
    write("/data/runs/first/config.toml", b"seed = 2").unwrap();
    assert_eq!(read("/data/runs/first/old.toml").unwrap(), b"seed = 1");
    rename("/data/runs/first/old.toml", "/data/runs/first/config.toml").unwrap();
    assert_eq!(read("/data/runs/first/config.toml").unwrap(), b"seed = 1");
    remove_dir_all("/data/runs/first").unwrap();
    assert!(names("/data/runs").is_empty());
    remove_dir("/data/runs").unwrap();
    assert!(!is_folder(Path::new("/data/runs")) && is_folder(Path::new("/")));
}

#[test]
fn a_file_is_read_and_written_where_one_stands() {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open("/part").unwrap();
    file.write_all(b"0123456789").unwrap();
    file.seek(SeekFrom::Start(4)).unwrap();
    file.write_all(b"xy").unwrap();
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "6789");
    file.set_len(5).unwrap();
    assert_eq!(read("/part").unwrap(), b"0123x");
    assert_eq!(file.seek(SeekFrom::End(-2)).unwrap(), 3);
    assert!(file.seek(SeekFrom::Current(-9)).is_err());
    assert_eq!(File::open("/part").unwrap().write(b"!").unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(File::create_new("/part").unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[test]
fn what_lies_outside_is_read_in_pieces_and_taken_in_when_changed() {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    mount(Path::new("/models/big/model.safetensors"), Arc::new(Letters(bytes.clone())), true);
    assert!(take_changes(Path::new("/")).is_empty(), "it is kept already");
    let mut file = File::open("/models/big/model.safetensors").unwrap();
    let mut piece = [0; 1000];
    file.seek(SeekFrom::Start(1_048_000)).unwrap();
    file.read_exact(&mut piece).unwrap();
    assert_eq!(piece[..], bytes[1_048_000..1_049_000]);
    file.seek(SeekFrom::Start(5)).unwrap();
    file.read_exact(&mut piece).unwrap();
    assert_eq!(piece[..], bytes[5..1005]);
    assert!(read("/models/big/model.safetensors").unwrap() == bytes);
    let mut writer = OpenOptions::new().write(true).open("/models/big/model.safetensors").unwrap();
    writer.write_all(b"changed").unwrap();
    let changed = read("/models/big/model.safetensors").unwrap();
    assert!(changed.starts_with(b"changed") && changed.len() == bytes.len());
}

#[test]
fn changes_are_told_once_the_oldest_first_and_partial_files_never() {
    create_dir_all("/data/run").unwrap();
    write("/data/run/b", b"1").unwrap();
    write("/data/run/a", b"2").unwrap();
    write("/data/run/.c.0123.partial", b"3").unwrap();
    write("/elsewhere", b"4").unwrap();
    let told = |changes: &[Change]| -> Vec<(String, bool)> {
        changes.iter().map(|(path, now)| (path.display().to_string(), now.is_some())).collect()
    };
    let changes = take_changes(Path::new("/data"));
    assert_eq!(told(&changes), [("/data/run/b".into(), true), ("/data/run/a".into(), true)]);
    rename("/data/run/.c.0123.partial", "/data/run/c").unwrap();
    remove_file("/data/run/a").unwrap();
    let changes = take_changes(Path::new("/data"));
    assert_eq!(told(&changes), [("/data/run/c".into(), true), ("/data/run/a".into(), false)]);
    let (path, Some((_, version))) = &changes[0] else { panic!("it is there") };
    settle(path, *version, Arc::new(Letters(b"kept".to_vec())));
    assert_eq!(read("/data/run/c").unwrap(), b"kept");
    settle(path, version + 1, Arc::new(Letters(b"late".to_vec())));
    assert_eq!(read("/data/run/c").unwrap(), b"kept");
    change_again(path);
    assert_eq!(take_changes(Path::new("/")).len(), 1);
    change_all(Path::new("/data"));
    // What lies outside first, then what is in memory.
    assert_eq!(told(&take_changes(Path::new("/"))), [("/data/run/c".into(), true), ("/data/run/b".into(), true)]);
}
