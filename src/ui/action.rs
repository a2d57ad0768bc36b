//! What somebody did in the window. Panels return actions; the frame carries them out.

use super::panel::PanelKind;
use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::{Command, Level};

/// What a chosen file is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A model folder (config.json, model.safetensors, tokenizer.json).
    ModelFolder,
    /// One file of a model: its folder is meant.
    ModelFile,
    /// Task files or folders: JSON, JSONL, CSV, TSV, Parquet.
    TaskFiles,
    /// A run's folder, or a folder of runs.
    RunFolder,
    /// A `.thalweg` capsule to open.
    Capsule,
    /// A PEFT adapter folder, as a point of paths and planes.
    AdapterFolder,
}

/// What is written when somebody exports.
#[derive(Clone, Debug, PartialEq)]
pub enum Export {
    /// Text under a suggested file name, such as `matrix.csv` or `matrix.svg`.
    Text { name: String, content: String },
    /// What is drawn in this rectangle of the window (points), as PNG, with this suggested name.
    Picture { name: String, area: [f32; 4] },
    /// A command whose `path` is to be filled in by the dialogue: `SaveCapsule` or `ExportAdapter`.
    Command { name: String, command: Box<Command> },
}

/// What somebody did. Panels push these; `App` carries them out after the frame was drawn.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask the engine.
    Send(Box<Command>),
    /// Replace the draft of the next experiment; can be undone. `what` names the change, such as `learning rate`: changes of
    /// one name that follow one another are undone together.
    Edit {
        what: String,
        draft: Box<ExperimentConfig>,
    },
    Undo,
    Redo,
    /// Queue the draft's methods.
    StartDraft,
    /// Seq, then I-LoRA, on what is built in: the large button.
    WatchItForget,
    /// Look at this run in the panels.
    Select(usize),
    /// Show or hide a run's curves beside the selected one's.
    Compare {
        run: usize,
        on: bool,
    },
    /// Open a panel or bring it to the front.
    Show(PanelKind),
    /// Offer a folder in PEFT's format as a point of paths and planes.
    AddAdapterFolder(String),
    /// Ask for files.
    Open(Purpose),
    /// Ask where to, then write.
    Export(Export),
    /// Delete a run after asking.
    Delete(usize),
    /// A line for people that vanishes.
    Toast {
        level: Level,
        message: String,
    },
    /// Put text on the clipboard.
    Copy(String),
}
