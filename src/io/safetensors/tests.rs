//! Tests of reading and writing safetensors: true files, lying ones, and ones with random damage.

use super::*;
use crate::io::atomic::quota;
use crate::io::test_model::{self, Numbers, names_in, raw_file, write_sharded_folder};

fn message(bytes: Vec<u8>) -> String {
    SafetensorsFile::from_bytes(bytes, "w.safetensors").unwrap_err().to_string()
}

/// The bit patterns are from the definitions of the formats (IEEE 754 binary16; the upper half of binary32).
#[test]
fn converts_all_three_types() {
    let header = r#"{"__metadata__":{"format":"pt"},"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
        "h":{"dtype":"F16","shape":[2,2],"data_offsets":[4,12]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[12,16]},
        "n":{"dtype":"I64","shape":[0],"data_offsets":[16,16]}}   "#;
    let halves = [0x3C00u16, 0xC000, 0x0001, 0x7BFF, 0x3F80, 0xC049].iter().flat_map(|half| half.to_le_bytes());
    let data: Vec<u8> = 1.5f32.to_le_bytes().into_iter().chain(halves).collect();
    let mut file = SafetensorsFile::from_bytes(raw_file(header, &data), "w").unwrap();
    assert_eq!(file.read_f32("s").unwrap(), [1.5]);
    assert_eq!(file.read_f32("h").unwrap(), [1.0, -2.0, 2.0f32.powi(-24), 65_504.0]);
    assert_eq!(file.read_f32("b").unwrap(), [1.0, -3.140_625]);
    assert_eq!(file.shape("h"), Some(vec![2, 2]));
    assert_eq!(file.metadata()["format"], "pt");
    let error = file.read_f32("n").unwrap_err().to_string();
    assert!(error.contains("`n` is of type I64"), "{error}");
    assert!(file.read_f32("absent").unwrap_err().to_string().contains("`absent` is not in the file"));
}

#[test]
fn names_the_first_number_that_is_not_finite() {
    for (bad, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        // beyond the first piece that is read
        let mut values = vec![0.5f32; 100_000];
        values[70_001] = bad;
        values[99_999] = f32::NAN;
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let header = r#"{"deep.weight":{"dtype":"F32","shape":[1000,100],"data_offsets":[0,400000]}}"#;
        let error = SafetensorsFile::from_bytes(raw_file(header, &data), "w")
            .unwrap()
            .read_f32("deep.weight")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("`deep.weight` holds {word} at index 70001 ([700, 1] of [1000, 100])")),
            "{error}"
        );
    }
}

#[test]
fn refuses_headers_that_lie() {
    let entry = |dtype: &str, shape: &str, start: u64, end: u64| {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    };
    let four = entry("F32", "[2,2]", 0, 16);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "cut off"),
        (vec![1, 0, 0], "cut off"),
        ([200u64.to_le_bytes().as_slice(), b"{}"].concat(), "only 2 follow"),
        ([(1u64 << 40).to_le_bytes().as_slice(), b"{}"].concat(), "the most is 100000000"),
        ([u64::MAX.to_le_bytes().as_slice(), b"{}"].concat(), "the most is 100000000"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n".to_vec(), "Git LFS pointer"),
        (raw_file("", b""), "not the JSON"),
        (raw_file("[1,2]", b""), "not the JSON"),
        (raw_file("{\"a\":{\"dtype\":\"F32\"}}", b""), "shape"),
        (raw_file("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", &[0; 4]), "not the JSON"),
        (raw_file("{\"__metadata__\":{\"a\":3}}", b""), "not the JSON"),
        (raw_file(&"[".repeat(100_000), b""), "not the JSON"),
        (raw_file(&format!("{{\"a\":{four}}}"), &[0; 12]), "`a` ends at byte 16 of the data, but the file holds 12"),
        (raw_file(&format!("{{\"a\":{four}}}"), &[0; 20]), "4 bytes after its last tensor"),
        (
            raw_file(&format!("{{\"a\":{}}}", entry("F32", "[2,2]", 4, 20)), &[0; 20]),
            "`a` has 4 unused bytes before it",
        ),
        (raw_file(&format!("{{\"a\":{}}}", entry("F32", "[2,3]", 0, 16)), &[0; 16]), "must take 24 bytes"),
        (
            raw_file(&format!("{{\"a\":{}}}", entry("F32", "[2,2]", 16, 0)), &[0; 16]),
            "begin at byte 16 and to end at byte 0",
        ),
        (
            raw_file(&format!("{{\"a\":{}}}", entry("F32", "[4294967296,4294967296]", 0, 16)), &[0; 16]),
            "impossible shape",
        ),
        (raw_file(&format!("{{\"a\":{}}}", entry("F64", "[2305843009213693952]", 0, 16)), &[0; 16]), "`a` has shape"),
        (
            raw_file(&format!("{{\"a\":{four},\"b\":{}}}", entry("F32", "[2]", 8, 16)), &[0; 16]),
            "`b` overlaps with `a`",
        ),
        (raw_file(&format!("{{\"a\":{four},\"a\":{four}}}"), &[0; 16]), "`a` is listed twice"),
        (raw_file(&format!("{{\"a\":{}}}", entry("F99", "[2]", 0, u64::MAX)), &[0; 16]), "`a` ends at byte"),
    ];
    for (bytes, words) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        let message = message(bytes);
        assert!(message.contains(words) && message.contains("w.safetensors"), "{shown}: {message}");
    }
}

#[test]
fn a_missing_file_and_a_folder_are_sentences() {
    let folder = crate::platform::scratch::folder().unwrap();
    let absent = SafetensorsFile::open(&folder.path().join("no.safetensors")).unwrap_err().to_string();
    assert!(absent.contains("no.safetensors: is not there"), "{absent}");
    assert!(SafetensorsFile::open(folder.path()).unwrap_err().to_string().contains("is a folder"));
}

#[test]
fn a_file_cut_off_after_opening_is_a_sentence() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("w.safetensors");
    test_model::write_tensors(&path, &[("a".into(), vec![9], vec![1.0; 9])], Dtype::F32);
    let mut file = SafetensorsFile::open(&path).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(70).unwrap();
    assert!(file.read_f32("a").unwrap_err().to_string().contains("`a` cannot be read"));
}

#[test]
fn writes_what_it_reads() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("w.safetensors");
    let values = Numbers(3).values(70_000);
    let tensors = [
        TensorToWrite { name: "half", shape: &[7, 10_000], dtype: Dtype::F16, values: &values },
        TensorToWrite { name: "brain", shape: &[70_000], dtype: Dtype::BF16, values: &values },
        TensorToWrite { name: "single", shape: &[2, 35_000, 1], dtype: Dtype::F32, values: &values },
        TensorToWrite { name: "empty", shape: &[0, 4], dtype: Dtype::F32, values: &[] },
    ];
    let metadata = BTreeMap::from([("made_by".to_owned(), "a \"test\"".to_owned())]);
    write_safetensors(&path, &tensors, &metadata).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), encode_safetensors("w", &tensors, &metadata).unwrap());
    let mut file = SafetensorsFile::open(&path).unwrap();
    assert_eq!(file.data_start % 8, 0);
    assert_eq!((file.metadata()["made_by"].as_str(), file.metadata()["format"].as_str()), ("a \"test\"", "pt"));
    for tensor in &tensors {
        assert_eq!(file.read_f32(tensor.name).unwrap(), tensor.values, "{}", tensor.name);
        assert_eq!(file.shape(tensor.name).unwrap(), tensor.shape);
        assert_eq!(file.entry(tensor.name).unwrap().convertible(), Some(tensor.dtype));
    }
    let layouts: Vec<_> = tensors.iter().map(TensorToWrite::layout).collect();
    let one_by_one = folder.path().join("one_by_one.safetensors");
    write_safetensors_one_by_one(&one_by_one, &layouts, &metadata, |index| Ok(tensors[index].values.to_vec())).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&one_by_one).unwrap());
}

/// 1 + 2^-11 lies halfway between two f16 numbers and goes to the even one; likewise 1 + 2^-8 in bf16.
#[test]
fn rounds_to_nearest() {
    let values = [1.0 + 2.0f32.powi(-11), 1.0 + 3.0 * 2.0f32.powi(-11), 1.0 + 2.0f32.powi(-8)];
    for (dtype, expected) in
        [(Dtype::F16, [1.0, 1.0 + 2.0f32.powi(-9), 1.0 + 2.0f32.powi(-8)]), (Dtype::BF16, [1.0, 1.0, 1.0])]
    {
        let tensor = TensorToWrite { name: "a", shape: &[3], dtype, values: &values };
        let bytes = encode_safetensors("w", &[tensor], &BTreeMap::new()).unwrap();
        assert_eq!(SafetensorsFile::from_bytes(bytes, "w").unwrap().read_f32("a").unwrap(), expected);
    }
}

#[test]
fn refuses_to_write_what_could_not_be_read() {
    let write = |values: &[f32], shape: &[usize], dtype| {
        let tensor = TensorToWrite { name: "a", shape, dtype, values };
        encode_safetensors("w", &[tensor], &BTreeMap::new()).map_err(|error| error.to_string())
    };
    assert!(write(&[1.0, 7e4], &[2], Dtype::F16).unwrap_err().contains("`a` holds 70000 at index 1"));
    assert!(write(&[7e4], &[1], Dtype::BF16).is_ok());
    assert!(write(&[f32::MAX], &[1], Dtype::BF16).is_err(), "rounds up to infinity");
    assert!(write(&[f32::NAN], &[1], Dtype::F32).unwrap_err().contains("diverged"));
    assert!(write(&[1.0], &[2], Dtype::F32).unwrap_err().contains("has 1 numbers"));
    assert!(write(&[], &[usize::MAX, 4], Dtype::F32).unwrap_err().contains("too large"));
    let twice = TensorToWrite { name: "a", shape: &[1], dtype: Dtype::F32, values: &[1.0] };
    assert!(encode_safetensors("w", &[twice.clone(), twice], &BTreeMap::new()).is_err());
}

#[test]
fn full_disk_leaves_the_old_file() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("w.safetensors");
    std::fs::write(&path, "old").unwrap();
    let values = vec![1.0; 1000];
    let tensor = TensorToWrite { name: "a", shape: &[1000], dtype: Dtype::F32, values: &values };
    let error = quota::with(2000, || write_safetensors(&path, &[tensor], &BTreeMap::new())).unwrap_err().to_string();
    assert!(error.contains("w.safetensors: cannot be written"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    assert_eq!(names_in(folder.path()), ["w.safetensors"]);
}

#[test]
fn reads_shards_as_one() {
    let folder = crate::platform::scratch::folder().unwrap();
    write_sharded_folder(folder.path(), Dtype::F16);
    let mut shards = ShardedFolder::open(folder.path()).unwrap();
    assert_eq!(shards.names().len(), test_model::weights(1).len());
    for (name, shape, values) in test_model::weights(1) {
        assert_eq!(shards.shape(&name), Some(shape));
        assert_eq!(shards.read_f32(&name).unwrap(), values);
    }
    assert!(shards.read_f32("nothing").unwrap_err().to_string().contains("`nothing` is missing"));
}

#[test]
fn refuses_shards_that_are_missing_or_mixed_up() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path();
    let refusal = || ShardedFolder::open(path).unwrap_err().to_string();
    assert!(refusal().contains("has neither model.safetensors nor"));
    std::fs::write(path.join("pytorch_model.bin"), "").unwrap();
    assert!(refusal().contains("safe_serialization=True"));
    write_sharded_folder(path, Dtype::F32);
    std::fs::remove_file(path.join("model-1.safetensors")).unwrap();
    assert!(refusal().contains("names the shard `model-1.safetensors`, which is not there"), "{}", refusal());
    std::fs::copy(path.join("model-0.safetensors"), path.join("model-1.safetensors")).unwrap();
    assert!(refusal().contains("is said to be in `model-1.safetensors`, which lacks it"), "{}", refusal());
    for (index, words) in [
        ("{}", "is not an index"),
        (r#"{"weight_map":{}}"#, "names no tensors"),
        (r#"{"weight_map":{"a":"../secret"}}"#, "no plain file name"),
        (r#"{"weight_map":{"a":"/etc/passwd"}}"#, "no plain file name"),
        (r#"{"weight_map":{"a":""}}"#, "no plain file name"),
    ] {
        std::fs::write(path.join("model.safetensors.index.json"), index).unwrap();
        assert!(refusal().contains(words), "{index}: {}", refusal());
    }
}

/// Whatever is done to a file: an error or numbers, never a panic; and a cut-off file is always refused.
#[test]
fn random_damage_never_panics() {
    let tensors = &test_model::weights(1)[..4];
    let tensors: Vec<_> = tensors
        .iter()
        .zip([Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::F32])
        .map(|((name, shape, values), dtype)| TensorToWrite { name, shape, dtype, values })
        .collect();
    let whole = encode_safetensors("w", &tensors, &BTreeMap::new()).unwrap();
    for length in 0..whole.len() {
        assert!(SafetensorsFile::from_bytes(whole[..length].to_vec(), "w").is_err(), "cut off at {length}");
    }
    let mut numbers = Numbers(11);
    let mut opened = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=numbers.below(3) {
            let place = numbers.below(bytes.len());
            bytes[place] ^= 1 << numbers.below(8);
        }
        if numbers.below(4) == 0 {
            bytes.truncate(numbers.below(whole.len()));
        }
        if let Ok(mut file) = SafetensorsFile::from_bytes(bytes, "w") {
            opened += 1;
            for name in file.names() {
                let elements: usize = file.shape(&name).unwrap().iter().product();
                assert!(file.read_f32(&name).is_err() || file.read_f32(&name).unwrap().len() == elements);
            }
        }
    }
    assert!(opened > 1000, "the damage must reach the numbers, too: {opened}");
}
