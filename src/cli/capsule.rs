//! `capsule`: what a `.thalweg` file holds, and unpacking it, for machines without a window.

use super::args::CapsuleArgs;
use super::table::{bytes, table};
use super::terminal::say;
use super::{Ending, Session};
use crate::io::capsule::{read_index, unpack};
use crate::platform::fs::File;
use anyhow::anyhow;
use std::io::BufReader;

pub(super) fn capsule(args: &CapsuleArgs, session: &Session) -> anyhow::Result<Ending> {
    let shown = args.file.display();
    let file = || {
        File::open(&args.file)
            .map(BufReader::new)
            .map_err(|error| anyhow!("{shown}: cannot be read ({error}); give a .thalweg file"))
    };
    let index = read_index(file()?).map_err(|error| anyhow!("{shown}: {error}"))?;
    let mut text =
        format!("capsule {shown}\n  run      {}\n  written  by thalweg {}\n\n", index.title, index.program_version);
    let rows: Vec<Vec<String>> = index.files.iter().map(|file| vec![file.name.clone(), bytes(file.bytes)]).collect();
    if !session.quiet {
        text += &table(&["file", "size"], &rows);
    }
    if let Some(folder) = &args.unpack {
        let summary = unpack(file()?, folder, &mut |_, _| true).map_err(|error| anyhow!("{shown}: {error}"))?;
        text += &format!("\nunpacked {} files, {}, to {}\n", index.files.len(), bytes(summary.bytes), folder.display());
    }
    say(&text)?;
    Ok(Ending::Done)
}
