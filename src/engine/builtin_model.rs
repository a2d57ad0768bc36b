//! The demonstration model that is part of the program; `assets/demo-model/README.md` says how it was made.

use crate::io::hf_folder::ModelParts;
use crate::io::{HfFolder, IoError};
use std::borrow::Cow;

/// Its weights. A `static`, and the only place that includes them: a second one would be two megabytes more in every page.
pub static WEIGHTS: &[u8] = include_bytes!("../../assets/demo-model/model.safetensors");

/// Opens the embedded model.
///
/// # Errors
/// Only when the program was built with damaged assets.
pub fn open() -> Result<HfFolder, IoError> {
    HfFolder::from_parts(
        "builtin",
        ModelParts {
            config_json: Cow::Borrowed(include_bytes!("../../assets/demo-model/config.json")),
            safetensors: Cow::Borrowed(WEIGHTS),
            tokenizer_json: Cow::Borrowed(include_bytes!("../../assets/demo-model/tokenizer.json")),
            tokenizer_config: Some(include_bytes!("../../assets/demo-model/tokenizer_config.json").to_vec()),
            generation_config: Some(include_bytes!("../../assets/demo-model/generation_config.json").to_vec()),
        },
    )
}
