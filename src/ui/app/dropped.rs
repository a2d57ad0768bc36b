//! What a path is for, judged by its name and by the files that a folder holds.

use crate::ui::action::Purpose;
use crate::ui::files::Files;
use crate::ui::words;

/// What can be done with a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Known(Purpose),
    /// A folder of which the names inside say nothing.
    Folder,
    /// A file that nothing can be done with: a sentence.
    Unknown(String),
}

/// Endings of task files.
const TASKS: [&str; 6] = ["json", "jsonl", "ndjson", "csv", "tsv", "parquet"];

/// The folder of a model or an adapter for one of its files; any other path as it is.
#[must_use]
pub fn meant(path: String, files: &dyn Files) -> String {
    let name = words::file_name(&path);
    let of_model = words::extension(name) == "safetensors"
        || ["config.json", "tokenizer.json", "generation_config.json", "adapter_config.json"].contains(&name)
        || name.ends_with(".safetensors.index.json");
    let folder = words::folder(&path).filter(|folder| {
        of_model && ["config.json", "adapter_config.json"].iter().any(|name| files.holds(folder, name))
    });
    folder.map(str::to_string).unwrap_or(path)
}

/// What a file or folder that was dropped on the window is for.
#[must_use]
pub fn kind(path: &str, files: &dyn Files) -> Kind {
    // Adapters and models are asked for first: a run's folder holds neither at its top.
    let by_content = [
        ("adapter_config.json", Purpose::AdapterFolder),
        ("config.json", Purpose::ModelFolder),
        ("config.toml", Purpose::RunFolder),
        ("race.toml", Purpose::RunFolder),
    ];
    if let Some((_, purpose)) = by_content.into_iter().find(|(name, _)| files.holds(path, name)) {
        return Kind::Known(purpose);
    }
    let splits = ["train", "eval", "test"];
    let is_task = splits.iter().any(|split| TASKS.iter().any(|ending| files.holds(path, &format!("{split}.{ending}"))));
    if is_task {
        return Kind::Known(Purpose::TaskFiles);
    }
    match words::extension(path).as_str() {
        "thalweg" => Kind::Known(Purpose::Capsule),
        "" => Kind::Folder,
        ending if TASKS.contains(&ending) => Kind::Known(Purpose::TaskFiles),
        ending => Kind::Unknown(format!(
            "{}: nothing is known to do with a .{ending} file. Drop a capsule (.thalweg), task files (JSON, JSONL, CSV, TSV, Parquet), or the folder of a model, a run or an adapter.",
            words::file_name(path)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::files::Scripted;

    #[test]
    fn names_and_contents_tell_what_a_path_is_for() {
        let files = Scripted::default();
        files.put("/m/SmolLM2-135M", "config.json");
        files.put("/r/i_lora-seed1", "config.toml");
        files.put("/a/adapter", "adapter_config.json");
        files.put("/t/law", "train.jsonl");
        files.put("/v/model.v2", "config.json");
        for (path, purpose) in [
            ("/m/SmolLM2-135M", Purpose::ModelFolder),
            ("/v/model.v2", Purpose::ModelFolder),
            ("/r/i_lora-seed1", Purpose::RunFolder),
            ("/a/adapter", Purpose::AdapterFolder),
            ("/t/law", Purpose::TaskFiles),
            ("C:\\data\\Law.CSV", Purpose::TaskFiles),
            ("/x/run.thalweg", Purpose::Capsule),
        ] {
            assert_eq!(kind(path, &files), Kind::Known(purpose), "{path}");
        }
        for (file, folder) in [
            ("/m/SmolLM2-135M/model.safetensors", "/m/SmolLM2-135M"),
            ("/m/SmolLM2-135M/config.json", "/m/SmolLM2-135M"),
            ("/a/adapter/adapter_model.safetensors", "/a/adapter"),
            ("/x/config.json", "/x/config.json"),
            ("/m/SmolLM2-135M/train.json", "/m/SmolLM2-135M/train.json"),
        ] {
            assert_eq!(meant(file.into(), &files), folder, "{file}");
        }
        assert_eq!(kind("/x/things", &files), Kind::Folder);
        assert!(matches!(kind("/x/a.docx", &files), Kind::Unknown(sentence) if sentence.contains(".docx")));
    }
}
