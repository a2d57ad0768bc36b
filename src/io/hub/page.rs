//! The same in a browser, which sends requests by itself and does not wait: file after file, held by the browser until whole.
//!
//! A file that is there already is not asked for again, so that an attempt that broke off goes on with the next file.

use super::listing::{CONFIG, INDEX, OPTIONAL, TOKENIZER, WEIGHTS, shards};
use super::{HubError, HubRequest, Progress};
use crate::platform::{self, fs};
use std::path::PathBuf;

/// Fetches a model and returns its folder. `progress` ends it by `false`.
///
/// # Errors
/// A sentence; files that were whole stay.
pub async fn fetch_model_in_page(
    request: &HubRequest,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<PathBuf, HubError> {
    let place = request.place()?;
    let folder = request.into.join(place.folder_name());
    let required = [CONFIG, TOKENIZER];
    let mut names: Vec<(String, bool)> = required.iter().map(|name| ((*name).to_owned(), true)).collect();
    names.extend(OPTIONAL.iter().map(|name| ((*name).to_owned(), false)));
    names.push((WEIGHTS.to_owned(), false));
    let mut at = 0;
    while let Some((name, must_be)) = names.get(at).cloned() {
        at += 1;
        let path = folder.join(&name);
        let url = place.file_url(&place.revision, &name);
        let begun = platform::now_secs();
        let mut tell = |done_bytes: u64, total_bytes: Option<u64>| {
            let bytes_per_sec = done_bytes as f64 / (platform::now_secs() - begun).max(1e-3);
            let left = total_bytes.map(|total| total.saturating_sub(done_bytes) as f64);
            let eta_secs = left.map(|left| left / bytes_per_sec.max(1.0));
            progress(Progress { file: name.clone(), done_bytes, total_bytes, bytes_per_sec, eta_secs })
        };
        let found = fs::is_file(&path)
            || platform::fetch_file(&url, &path, &mut tell).await.map_err(|what| HubError::Broken {
                file: name.clone(),
                attempts: 1,
                what,
            })?;
        if name == WEIGHTS && !found {
            names.push((INDEX.to_owned(), true));
        } else if name == INDEX {
            let json = fs::read(&path).map_err(|error| HubError::disk(&path, &error))?;
            names.extend(shards(&json)?.into_iter().map(|shard| (shard, true)));
        } else if !found && must_be {
            let remedy = "Take a model in Hugging Face's format, with safetensors weights.".to_owned();
            return Err(HubError::MissingFile { name: place.name.clone(), file: name, remedy });
        }
    }
    Ok(folder)
}
