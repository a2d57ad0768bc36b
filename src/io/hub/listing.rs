//! What files a model has: told by the hub, or guessed where a server tells nothing, and the shards that an index names.

use super::HubError;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const CONFIG: &str = "config.json";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
/// Fetched where they are there.
pub(super) const OPTIONAL: [&str; 2] = ["tokenizer_config.json", "generation_config.json"];
/// More shards than any model has.
const MOST_SHARDS: usize = 4096;

/// A file to be fetched and what is known of it beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub name: String,
    pub bytes: Option<u64>,
    /// SHA-256 in lower-case hexadecimal: the hub knows it of large files.
    pub sha256: Option<String>,
}

impl Wanted {
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// The hub's answer about a model at a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// The commit that the revision stands for: all files are fetched from it, so that they fit together.
    pub commit: Option<String>,
    files: BTreeMap<String, Wanted>,
}

#[derive(Deserialize)]
struct Answer {
    sha: Option<String>,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Listing {
    /// Reads the hub's JSON; `None` where it is something else, as on a server that only hands out files.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let answer: Answer = serde_json::from_slice(json).ok()?;
        let commit = answer.sha.filter(|sha| sha.len() == 40 && sha.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let files = answer.siblings.into_iter().map(|file| {
            let (sha256, large) = file.lfs.map_or((None, None), |lfs| (lfs.sha256, lfs.size));
            let sha256 = sha256.as_deref().and_then(as_sha256);
            (file.rfilename.clone(), Wanted { name: file.rfilename, bytes: large.or(file.size), sha256 })
        });
        Some(Self { commit, files: files.collect() })
    }

    /// What is known of a file; `None` where the model has none of this name.
    pub fn file(&self, name: &str) -> Option<&Wanted> {
        self.files.get(name)
    }
}

/// A SHA-256 in hexadecimal, perhaps quoted as in an `ETag`.
pub(super) fn as_sha256(text: &str) -> Option<String> {
    let text = text.trim().trim_matches('"');
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Names of the shards, checked: none may leave the folder or stand for another file.
pub(super) fn shards(index_json: &[u8]) -> Result<Vec<String>, HubError> {
    let wrong = |what: String| HubError::Index { what };
    let index: Index = serde_json::from_slice(index_json)
        .map_err(|error| wrong(format!("it is damaged or of another form ({error})")))?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    if names.is_empty() || names.len() > MOST_SHARDS {
        return Err(wrong(format!("it names {} files", names.len())));
    }
    if let Some(file) = names.iter().find(|name| !is_shard_name(name)) {
        return Err(HubError::UnsafeName { file: file.clone() });
    }
    Ok(names.into_iter().collect())
}

/// Letters, digits, `-`, `_` and single dots, ending in `.safetensors`: no folder, no drive, no device, nothing hidden.
fn is_shard_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= 200
        && name.bytes().all(plain)
        && !name.starts_with('.')
        && !name.contains("..")
        && name.strip_suffix(".safetensors").is_some_and(|stem| !stem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hubs_listing_gives_commit_sizes_and_checksums() {
        let (commit, sum) = ("c".repeat(40), "A".repeat(64));
        let json = format!(
            r#"{{"id":"a/b","sha":"{commit}","siblings":[{{"rfilename":"config.json","size":7,"blobId":"x"}},
            {{"rfilename":"model.safetensors","size":134,"lfs":{{"sha256":"{sum}","size":9000,"pointerSize":134}}}}]}}"#
        );
        let listing = Listing::parse(json.as_bytes()).unwrap();
        assert_eq!(listing.commit.as_deref(), Some(commit.as_str()));
        let weights = listing.file(WEIGHTS).unwrap();
        assert_eq!((weights.bytes, weights.sha256.as_deref()), (Some(9000), Some("a".repeat(64).as_str())));
        assert_eq!((listing.file(CONFIG).unwrap().bytes, listing.file(TOKENIZER)), (Some(7), None));
        assert_eq!(Listing::parse(b"<html>"), None);
        assert_eq!(Listing::parse(b"{\"error\":\"no\"}"), None);
    }

    #[test]
    fn shards_are_named_once_and_in_order() {
        let json = br#"{"metadata":{"total_size":9},"weight_map":{"b":"model-00002-of-00002.safetensors",
            "a":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}}"#;
        assert_eq!(shards(json).unwrap(), ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in [
            "../model.safetensors",
            "/etc/model.safetensors",
            "sub/model.safetensors",
            "..\\\\model.safetensors",
            "C:model.safetensors",
            "..safetensors",
            ".safetensors",
            "config.json",
            "",
        ] {
            let json = format!(r#"{{"weight_map":{{"a":"{name}"}}}}"#);
            let error = shards(json.as_bytes()).unwrap_err();
            assert!(matches!(error, HubError::UnsafeName { .. }), "{name}: {error}");
        }
        for json in ["", "{}", r#"{"weight_map":{}}"#, "<html>", "[1]"] {
            assert!(matches!(shards(json.as_bytes()).unwrap_err(), HubError::Index { .. }), "{json}");
        }
    }

    #[test]
    fn only_sixty_four_hexadecimal_digits_are_a_checksum() {
        assert_eq!(as_sha256(&format!("\"{}\"", "0F".repeat(32))), Some("0f".repeat(32)));
        assert_eq!(as_sha256(&"0".repeat(40)), None);
        assert_eq!(as_sha256(&"g".repeat(64)), None);
    }
}
