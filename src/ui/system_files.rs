//! The operating system's file dialogues for the window, and writing as everywhere in the program: whole or not at all.

use super::action::Purpose;
use super::files::{Chosen, Files};
use crate::io::atomic::write_file;
use crate::platform::{self, Dialogue, fs};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Endings of task files.
const TASK_FILES: &[&str] = &["jsonl", "json", "ndjson", "csv", "tsv", "parquet"];

/// Dialogues of the platform; answers come from the threads that wait for them.
pub struct SystemFiles {
    answers: Receiver<Answer>,
    answer: Sender<Answer>,
    open: usize,
}

/// What a dialogue ended with; `None` inside where it was closed.
enum Answer {
    Opened(Purpose, Vec<String>),
    Place { export_id: u64, path: Option<String>, bytes: Option<Vec<u8>> },
    Failed(String),
}

impl Default for SystemFiles {
    fn default() -> Self {
        let (answer, answers) = channel();
        Self { answers, answer, open: 0 }
    }
}

impl SystemFiles {
    fn ask(&mut self, dialogue: &Dialogue, make: impl FnOnce(Vec<String>) -> Answer + Send + 'static) {
        let answer = self.answer.clone();
        let asked = platform::ask(dialogue, move |paths| {
            let paths = paths.into_iter().map(|path| path.display().to_string()).collect();
            // The window may be gone by then.
            let _ = answer.send(make(paths));
        });
        match asked {
            Ok(()) => self.open += 1,
            Err(error) => {
                let _ = self.answer.send(Answer::Failed(error.to_string()));
                self.open += 1;
            }
        }
    }
}

impl Files for SystemFiles {
    fn open(&mut self, purpose: Purpose) {
        let dialogue = match purpose {
            Purpose::ModelFolder => {
                Dialogue::Folder { title: "Model folder (config.json, model.safetensors, tokenizer.json)" }
            }
            Purpose::ModelFile => Dialogue::Files {
                // One is enough where there are folders; a page gets no more than what is chosen.
                title: "The model's files (config.json, model.safetensors, tokenizer.json)",
                kind: "model files",
                endings: &["safetensors", "json"],
                several: true,
            },
            Purpose::RunFolder => Dialogue::Folder { title: "A run's folder, or a folder of runs" },
            Purpose::AdapterFolder => Dialogue::Folder { title: "Adapter folder (adapter_config.json)" },
            Purpose::TaskFiles => {
                Dialogue::Files { title: "Task files", kind: "tasks", endings: TASK_FILES, several: true }
            }
            Purpose::Capsule => {
                Dialogue::Files { title: "Capsule", kind: "capsules", endings: &["thalweg"], several: false }
            }
        };
        self.ask(&dialogue, move |paths| Answer::Opened(purpose, paths));
    }

    fn save(&mut self, export_id: u64, name: &str, bytes: Option<Vec<u8>>) {
        let dialogue = Dialogue::Save { name: name.to_string() };
        self.ask(&dialogue, move |paths| Answer::Place { export_id, path: paths.into_iter().next(), bytes });
    }

    fn poll(&mut self) -> Vec<Chosen> {
        let answers: Vec<Answer> = self.answers.try_iter().collect();
        self.open = self.open.saturating_sub(answers.len());
        let mut chosen = Vec::new();
        for answer in answers {
            match answer {
                Answer::Opened(purpose, paths) if !paths.is_empty() => chosen.push(Chosen::Opened { purpose, paths }),
                Answer::Place { export_id, path: Some(path), bytes } => {
                    let written = bytes.map_or(Ok(()), |bytes| self.write(&path, &bytes));
                    chosen.push(match written {
                        Ok(()) => Chosen::Saved { export_id, path },
                        Err(message) => Chosen::Failed { message },
                    });
                }
                Answer::Failed(message) => chosen.push(Chosen::Failed { message }),
                Answer::Opened(..) | Answer::Place { path: None, .. } => {}
            }
        }
        chosen
    }

    fn is_waiting(&self) -> bool {
        self.open > 0
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), String> {
        write_file(Path::new(path), bytes).map_err(|error| error.to_string())?;
        platform::deliver(Path::new(path)).map_err(|error| format!("{path} cannot be handed over: {error}"))
    }

    fn holds(&self, folder: &str, name: &str) -> bool {
        fs::is_file(&Path::new(folder).join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_was_chosen_is_written_to_and_a_closed_dialogue_gives_nothing() {
        let folder = platform::scratch::folder().unwrap();
        let mut files = SystemFiles { open: 3, ..SystemFiles::default() };
        let path = folder.path().join("matrix.csv").display().to_string();
        let place = |path: Option<String>| Answer::Place { export_id: 4, path, bytes: Some(b"1,2".to_vec()) };
        files.answer.send(place(Some(path.clone()))).unwrap();
        files.answer.send(place(None)).unwrap();
        files.answer.send(Answer::Opened(Purpose::Capsule, Vec::new())).unwrap();
        assert_eq!(files.poll(), [Chosen::Saved { export_id: 4, path: path.clone() }]);
        assert_eq!(std::fs::read(&path).unwrap(), b"1,2");
        assert!(!files.is_waiting() && files.holds(&folder.path().display().to_string(), "matrix.csv"));
        let nowhere = folder.path().join("matrix.csv/below-a-file.csv").display().to_string();
        assert!(files.write(&nowhere, b"x").unwrap_err().contains("below-a-file.csv"));
    }
}
