//! Adapters as anchors of paths and planes: read, brought to one layout, and asked which base model they belong to.

use super::name;
use crate::engine::EngineError;
use crate::engine::prepare::Prepared;
use crate::io::peft::read_adapter;
use crate::landscape::refactor::common_layout;
use crate::model::{Adapter, PlainAdapter};
use std::path::Path;

/// Which base model an adapter was trained on, by what its files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// The model that it is looked at with.
    Same,
    /// Other weights, by their fingerprint; the name is what the adapter calls its model.
    Other(Option<String>),
    /// Nothing tells; it fits the model's shapes. The name is what the adapter calls its model.
    Unknown(Option<String>),
}

/// A named adapter that paths and planes go through.
#[derive(Clone, Debug)]
pub struct Anchor {
    pub name: String,
    pub adapter: Adapter,
    /// The same on the host.
    pub plain: PlainAdapter,
    /// Rank before it was filled up to the layout that all share.
    pub rank: usize,
    pub base: Base,
}

/// An adapter on the host that has no layout in common with others yet.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub name: String,
    pub plain: PlainAdapter,
    pub rank: usize,
    pub base: Base,
}

impl Found {
    /// Reads a folder in PEFT's format.
    pub fn read(name: String, folder: &Path, prepared: &Prepared) -> Result<Self, EngineError> {
        let read = read_adapter(folder, &prepared.model.llama.config)?;
        let base = base(read.base_fingerprint.as_deref(), read.base_model_name, &prepared.model.fingerprint);
        Ok(Self { name, rank: read.adapter.config.rank, plain: read.adapter, base })
    }
}

impl From<&Anchor> for Found {
    fn from(anchor: &Anchor) -> Self {
        let (name, plain) = (anchor.name.clone(), anchor.plain.clone());
        Self { name, plain, rank: anchor.rank, base: anchor.base.clone() }
    }
}

/// What fingerprint and name say. A name alone proves nothing: one model lies at many paths.
pub(super) fn base(fingerprint: Option<&str>, name: Option<String>, model: &str) -> Base {
    match fingerprint {
        Some(fingerprint) if fingerprint == model => Base::Same,
        Some(_) => Base::Other(name),
        None => Base::Unknown(name),
    }
}

/// Reads adapters in PEFT's format and brings them to one layout: a smaller rank is filled up with zeros.
///
/// # Errors
/// What cannot be read, or adapters of other modules, with a sentence.
pub fn read_anchors(folders: &[&Path], prepared: &Prepared) -> Result<Vec<Anchor>, EngineError> {
    lay_out(read_all(folders, prepared)?, prepared)
}

/// The same before they are brought to one layout.
pub(super) fn read_all(folders: &[&Path], prepared: &Prepared) -> Result<Vec<Found>, EngineError> {
    let short: Vec<String> = folders.iter().map(|folder| name(folder, 2)).collect();
    let twice = short.iter().enumerate().any(|(index, name)| short[..index].contains(name));
    let names = if twice { folders.iter().map(|folder| name(folder, 4)).collect() } else { short };
    names.into_iter().zip(folders).map(|(name, folder)| Found::read(name, folder, prepared)).collect()
}

/// Brings adapters to one layout, that of the first, and onto the model's device.
pub(super) fn lay_out(found: Vec<Found>, prepared: &Prepared) -> Result<Vec<Anchor>, EngineError> {
    let brought = common_layout(&found.iter().map(|found| &found.plain).collect::<Vec<_>>())?;
    let llama = &prepared.model.llama;
    let mut anchors: Vec<Anchor> = Vec::with_capacity(found.len());
    for (found, plain) in found.into_iter().zip(brought) {
        let own = Adapter::from_plain(&plain, &llama.config, llama.device())?;
        // One layout for all, so that their flat vectors can be added.
        let adapter = match anchors.first() {
            Some(first) => first.adapter.with_flat(own.flat()),
            None => own,
        };
        anchors.push(Anchor { name: found.name, adapter, plain, rank: found.rank, base: found.base });
    }
    Ok(anchors)
}

/// Whether adapters are those of this model, for what goes through them: a point between adapters of different models is no
/// adapter of either. Returns what is to be warned of.
///
/// # Errors
/// One that is known to belong to other weights.
pub(super) fn check_bases<'a>(
    anchors: impl Iterator<Item = &'a Anchor> + Clone,
    prepared: &Prepared,
) -> Result<Vec<String>, EngineError> {
    let others = anchors.clone().filter_map(|anchor| match &anchor.base {
        Base::Other(name) => Some((&anchor.name, name)),
        _ => None,
    });
    if let Some((name, model)) = others.into_iter().next() {
        let whose = model.as_ref().map_or_else(String::new, |model| format!(" (it names `{model}`)"));
        return Err(EngineError::Setting(format!(
            "`{name}` was trained on other weights{whose} than the model it is to be looked at with, `{}`: no path or plane joins adapters of different base models. Choose adapters of one, or give theirs as the model",
            prepared.model.name
        )));
    }
    let mut warnings = Vec::new();
    let unknown: Vec<String> = anchors
        .clone()
        .filter_map(|anchor| match &anchor.base {
            Base::Unknown(Some(model)) if *model != prepared.model.name => {
                Some(format!("{} (made for `{model}`)", anchor.name))
            }
            Base::Unknown(_) => Some(anchor.name.clone()),
            _ => None,
        })
        .collect();
    if !unknown.is_empty() {
        warnings.push(format!(
            "nothing says which weights were under these adapters in training: {}. They fit this model's shapes and are taken for its own",
            unknown.join("; ")
        ));
    }
    let ranks: Vec<usize> = anchors.map(|anchor| anchor.rank).collect();
    if ranks.iter().any(|rank| *rank != ranks[0]) {
        let ranks: Vec<String> = ranks.iter().map(ToString::to_string).collect();
        warnings.push(format!(
            "the ranks differ ({}): the smaller ones were filled up with zeros, which changes no update",
            ranks.join(", ")
        ));
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_and_a_name_does_not() {
        assert_eq!(base(Some("a"), Some("other/name".into()), "a"), Base::Same);
        assert_eq!(base(Some("b"), Some("builtin".into()), "a"), Base::Other(Some("builtin".into())));
        assert_eq!(base(None, None, "a"), Base::Unknown(None));
    }
}
