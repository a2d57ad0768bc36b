//! Tests of checkpoints: exactness, damage of every kind, and a full disk.

use super::*;
use crate::io::atomic::quota;
use crate::io::test_model::{Numbers, names_in};

fn example(step: u64) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    checkpoint.put_state("counters", &BTreeMap::from([("step", step)])).unwrap();
    checkpoint.put_f32("adapter", &[1.5, -0.0, f32::NAN, f32::MIN_POSITIVE / 2.0, f32::INFINITY]);
    checkpoint.put_f32("", &[]);
    checkpoint
}

fn step_of(checkpoint: &Checkpoint) -> u64 {
    checkpoint.get_state::<BTreeMap<String, u64>>("counters").unwrap()["step"]
}

#[test]
fn numbers_come_back_bit_for_bit() {
    let mut checkpoint = example(3);
    let mut numbers = Numbers(5);
    let doubles: Vec<f64> = (0..20_000)
        .map(|_| f64::from_bits((numbers.below(1 << 31) as u64) << 33 ^ (numbers.below(1 << 31) as u64) << 7))
        .filter(|value| value.is_finite())
        .collect();
    checkpoint.put_state("doubles", &doubles).unwrap();
    let read = Checkpoint::from_bytes(&checkpoint.to_bytes(), "x").unwrap();
    assert_eq!(read, checkpoint);
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(
        bits(read.get_f32("adapter").unwrap()),
        [0x3FC0_0000, 0x8000_0000, f32::NAN.to_bits(), 0x0040_0000, 0x7F80_0000]
    );
    assert!(read.get_f32("").unwrap().is_empty());
    let doubles_read: Vec<f64> = read.get_state("doubles").unwrap();
    let differing = doubles.iter().zip(&doubles_read).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    assert_eq!(differing, 0, "of {}", doubles.len());
}

#[test]
fn missing_and_mistaken_sections_are_sentences() {
    let mut checkpoint = example(3);
    assert!(
        checkpoint
            .get_f32("moments")
            .unwrap_err()
            .to_string()
            .contains("section `moments` of the checkpoint: is missing")
    );
    assert!(checkpoint.get_state::<Vec<u8>>("counters").unwrap_err().to_string().contains("`counters`"));
    checkpoint.sections.insert("adapter".to_owned(), vec![0; 7]);
    assert!(checkpoint.get_f32("adapter").unwrap_err().to_string().contains("7 bytes"));
    struct Unwritable;
    impl serde::Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no form"))
        }
    }
    assert!(checkpoint.put_state("bad", &Unwritable).unwrap_err().to_string().contains("section `bad`"));
}

#[test]
fn keeps_the_one_before() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("run.ckpt");
    for step in 1..=3 {
        example(step).save(&path).unwrap();
    }
    assert_eq!(names_in(folder.path()), ["run.ckpt", "run.ckpt.previous"]);
    let (checkpoint, warning) = Checkpoint::load(&path).unwrap();
    assert_eq!((step_of(&checkpoint), warning), (3, None));
    assert_eq!(step_of(&Checkpoint::load(&previous_path(&path)).unwrap().0), 2);
}

#[test]
fn a_cut_off_file_gives_the_one_before_with_a_warning() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("run.ckpt");
    example(1).save(&path).unwrap();
    example(2).save(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [0, 5, 8, 20, 24, 40, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let (checkpoint, warning) = Checkpoint::load(&path).unwrap();
        assert_eq!(step_of(&checkpoint), 1);
        let warning = warning.unwrap();
        assert!(
            warning.contains(&format!("cut off after {length} bytes")) && warning.contains("run.ckpt.previous"),
            "{warning}"
        );
    }
    // saving over it must not push out the good one
    example(5).save(&path).unwrap();
    assert_eq!(step_of(&Checkpoint::load(&path).unwrap().0), 5);
    assert_eq!(step_of(&Checkpoint::load(&previous_path(&path)).unwrap().0), 1);

    fs::remove_file(&path).unwrap();
    let (checkpoint, warning) = Checkpoint::load(&path).unwrap();
    assert_eq!(step_of(&checkpoint), 1);
    assert!(warning.unwrap().contains("is not there"));

    fs::write(&path, &whole[..30]).unwrap();
    fs::write(previous_path(&path), &whole[..30]).unwrap();
    let error = Checkpoint::load(&path).unwrap_err().to_string();
    assert!(error.contains("run.ckpt: is cut off after 30 bytes"), "{error}");
}

#[test]
fn another_version_is_not_replaced_by_an_older_file() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("run.ckpt");
    example(1).save(&path).unwrap();
    example(2).save(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 9;
    fs::write(&path, bytes).unwrap();
    let error = Checkpoint::load(&path).unwrap_err().to_string();
    assert!(error.contains("version 9") && error.contains("reads version 1"), "{error}");
}

#[test]
fn other_files_are_not_checkpoints() {
    for bytes in [b"PK\x03\x04 and so on for more than enough bytes".as_slice(), b"THALWEGS", b"no"] {
        assert!(Checkpoint::from_bytes(bytes, "x").unwrap_err().to_string().contains("x: is not a checkpoint"));
    }
    let folder = crate::platform::scratch::folder().unwrap();
    let error = Checkpoint::load(&folder.path().join("none.ckpt")).unwrap_err().to_string();
    assert!(error.contains("none.ckpt: is not there"), "{error}");
}

#[test]
fn full_disk_leaves_the_old_checkpoint() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("run.ckpt");
    example(1).save(&path).unwrap();
    example(2).save(&path).unwrap();
    for room in [0, 8, 30, example(3).to_bytes().len() - 1] {
        let error = quota::with(room, || example(3).save(&path)).unwrap_err().to_string();
        assert!(error.contains("run.ckpt: cannot be written") && error.contains("make room"), "{error}");
        assert_eq!(names_in(folder.path()), ["run.ckpt", "run.ckpt.previous"]);
        assert_eq!(step_of(&Checkpoint::load(&path).unwrap().0), 2);
        assert_eq!(step_of(&Checkpoint::load(&previous_path(&path)).unwrap().0), 1);
    }
    let room = example(3).to_bytes().len();
    quota::with(room, || example(3).save(&path)).unwrap();
}

/// The system's own always-full device, where there is one.
#[test]
fn a_full_device_is_a_write_error() {
    let Ok(mut full) = fs::File::options().write(true).open("/dev/full") else {
        eprintln!("SKIPPED: there is no /dev/full here");
        return;
    };
    let error = example(1).write_to(&mut full).unwrap_err();
    assert!(IoError::writing(Path::new("run.ckpt"), &error).to_string().contains("make room"));
}

/// One changed bit or one missing byte is always noticed, and nothing ever panics.
#[test]
fn random_damage_is_always_noticed() {
    let whole = example(1).to_bytes();
    for length in 0..whole.len() {
        assert!(Checkpoint::from_bytes(&whole[..length], "x").is_err(), "cut off at {length}");
    }
    for place in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[place / 8] ^= 1 << (place % 8);
        assert!(Checkpoint::from_bytes(&bytes, "x").is_err(), "bit {place}");
    }
    // with a right checksum over wrong lengths
    let mut numbers = Numbers(2);
    for _ in 0..5_000 {
        let mut bytes = whole[..whole.len() - CHECKSUM_BYTES].to_vec();
        for _ in 0..=numbers.below(2) {
            let place = PREAMBLE_BYTES - 12 + numbers.below(bytes.len() - PREAMBLE_BYTES + 12);
            bytes[place] ^= 1 << numbers.below(8);
        }
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        Checkpoint::from_bytes(&bytes, "x").ok();
    }
}
