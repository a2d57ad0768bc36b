//! Fetching a model's folder from the Hugging Face hub, or from any server of its form.
//!
//! The hub's listing tells sizes, SHA-256 sums and the commit, and all files are taken from that commit. A file grows under
//! `<name>.part` and takes its name when size and sum are right; a part that is there is gone on with by an HTTP `Range`, if the
//! server shows the same content as before. Where a server has no listing, its headers (`ETag`, `X-Linked-Etag`,
//! `Content-Length`) stand in.
//!
//! A browser does the same: only its requests (`platform::http`) and the place of a part's bytes (`body`) are others.
//!
//! In reading order: `address` (where a model is), `listing` (which files), `session` (one file after another), `part` (a file
//! on its way), `body` (its bytes), `transport` (one request), `meter` (progress), `record` (what is there already).

mod address;
mod body;
mod error;
mod listing;
mod meter;
mod part;
mod record;
mod session;
mod transport;

#[cfg(test)]
mod tests;

pub use error::HubError;
pub use meter::Progress;

use crate::platform::{self, fs};
use address::Place;
use listing::{CONFIG, INDEX, OPTIONAL, TOKENIZER, WEIGHTS, Wanted};
use meter::Meter;
use record::Record;
use session::{Outcome, Session};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The hub that is asked unless another one is set.
pub const ENDPOINT: &str = "https://huggingface.co";
/// So much is lost at most of a browser's download when its tab is closed.
const PIECE_BYTES: usize = 16 << 20;

/// What is to be fetched.
#[derive(Clone, PartialEq, Eq)]
pub struct HubRequest {
    /// `owner/name`, `owner/name@revision`, the address of the model's page, or one on another host.
    pub address: String,
    /// Branch, tag or commit; `None` takes that of the address, or `main`.
    pub revision: Option<String>,
    /// Address of the hub.
    pub endpoint: String,
    /// Shown to the endpoint and to nobody else.
    pub token: Option<String>,
    /// The folder of models, in which the model gets a folder of its own.
    pub into: PathBuf,
}

impl HubRequest {
    /// A request with the endpoint of `HF_ENDPOINT` and the token of `HF_TOKEN`, where they are set.
    #[must_use]
    pub fn new(address: &str, into: &Path) -> Self {
        let set = |name: &str| {
            std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        Self {
            address: address.to_owned(),
            revision: None,
            endpoint: set("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned()),
            token: set("HF_TOKEN"),
            into: into.to_owned(),
        }
    }

    /// Where the model will be.
    ///
    /// # Errors
    /// An address that cannot be one of a model.
    pub fn folder(&self) -> Result<PathBuf, HubError> {
        Ok(self.into.join(self.place()?.folder_name()))
    }

    fn place(&self) -> Result<Place, HubError> {
        Place::parse(&self.address, self.revision.as_deref(), &self.endpoint)
    }
}

/// Where the program keeps the models that it fetches; `None` on a machine that tells no folder for that.
#[must_use]
pub fn models_folder() -> Option<PathBuf> {
    platform::cache_folder().map(|cache| cache.join("models"))
}

/// What was fetched, or has yet to be, into this folder: `owner/name` or `owner/name@revision`. `None` for all folders but those
/// that the program makes for models of the usual hub.
#[must_use]
pub fn address_of(folder: &Path) -> Option<String> {
    let ours = models_folder().is_some_and(|models| folder.parent() == Some(models.as_path()));
    Place::of_folder(folder.file_name()?.to_str()?).filter(|_| ours)
}

/// How long to wait for what, and how much may be lost.
#[derive(Clone, Debug)]
struct Patience {
    /// Attempts after the first one.
    retries: u32,
    /// Before the second attempt; doubles with each further one.
    pause_secs: f64,
    /// Without a byte, after which a connection counts as broken.
    stall_secs: f64,
    /// Longest time between two looks at whether to go on.
    tick_secs: f64,
    /// Between two reports.
    report_secs: f64,
    /// Bytes of a piece where a file comes in pieces; `None` where one file grows.
    piece_bytes: Option<usize>,
}

impl Default for Patience {
    fn default() -> Self {
        let piece_bytes = platform::IN_A_BROWSER.then_some(PIECE_BYTES);
        Self { retries: 3, pause_secs: 1.0, stall_secs: 60.0, tick_secs: 0.2, report_secs: 0.1, piece_bytes }
    }
}

/// Fetches a model and returns its folder. On the desktop it blocks, so it wants a thread of its own; `progress` is called
/// several times a second, and its `false` cancels.
///
/// # Errors
/// A sentence; see [`HubError`]. What was fetched stays, unless it is wrong.
pub async fn fetch_model(
    request: &HubRequest,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<PathBuf, HubError> {
    fetch_with(request, &Patience::default(), progress).await
}

async fn fetch_with(
    request: &HubRequest,
    patience: &Patience,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<PathBuf, HubError> {
    let place = request.place()?;
    let folder = request.into.join(place.folder_name());
    fs::create_dir_all(&folder).map_err(|error| HubError::disk(&folder, &error))?;
    let mut session = Session {
        record: Record::read(&folder, &place.source()),
        place,
        folder: &folder,
        token: request.token.as_deref(),
        patience,
        meter: Meter::new(patience.report_secs, progress),
        listing: None,
    };
    let result = fetch_all(&mut session).await;
    if result.is_err() {
        // a folder in which nothing came to lie is not left behind; one with files cannot be removed so
        fs::remove_dir(&folder).ok();
    }
    result.map(|()| folder)
}

async fn fetch_all(session: &mut Session<'_>) -> Result<(), HubError> {
    session.ask_for_listing().await?;
    let sharded = session.listing.is_some() && session.wanted(WEIGHTS).is_none();
    // what is missing is said before anything is fetched, where the hub told it
    for name in [CONFIG, TOKENIZER, if sharded { INDEX } else { WEIGHTS }] {
        if session.wanted(name).is_none() {
            return Err(session.missing(if name == INDEX { WEIGHTS } else { name }));
        }
    }
    let optional = OPTIONAL.iter().filter_map(|name| session.wanted(name));
    let mut small: Vec<Wanted> = [CONFIG, TOKENIZER].iter().filter_map(|name| session.wanted(name)).collect();
    small.extend(optional);
    session.meter.expect(&small);
    if !sharded {
        let weights = session.wanted(WEIGHTS).unwrap_or_default();
        session.meter.expect([&weights]);
        session.meter.set_list_complete(true);
    }
    let mut fetched = BTreeSet::new();
    for wanted in &small {
        match session.fetch(wanted).await? {
            Outcome::Complete => {
                fetched.insert(wanted.name.clone());
            }
            Outcome::Absent if OPTIONAL.contains(&wanted.name.as_str()) => {}
            // a server without a listing that lacks even this has no such model
            Outcome::Absent if wanted.name == CONFIG && session.listing.is_none() => {
                return Err(session.no_such_model());
            }
            Outcome::Absent => return Err(session.missing(&wanted.name)),
        }
    }
    fetched.extend(fetch_weights(session, sharded).await?);
    session.record.keep_only(session.folder, &fetched)?;
    session.meter.tell()
}

/// One file, or an index and its shards. Returns their names.
async fn fetch_weights(session: &mut Session<'_>, sharded: bool) -> Result<Vec<String>, HubError> {
    if !sharded {
        let weights = session.wanted(WEIGHTS).unwrap_or_else(|| Wanted::named(WEIGHTS));
        if session.fetch(&weights).await? == Outcome::Complete {
            return Ok(vec![WEIGHTS.to_owned()]);
        }
        if session.listing.is_some() {
            return Err(session.missing(WEIGHTS));
        }
        session.meter.set_list_complete(false);
    }
    let index = session.wanted(INDEX).unwrap_or_else(|| Wanted::named(INDEX));
    if session.fetch(&index).await? == Outcome::Absent {
        return Err(session.missing(WEIGHTS));
    }
    let path = session.folder.join(INDEX);
    let names = listing::shards(&fs::read(&path).map_err(|error| HubError::disk(&path, &error))?)?;
    let shards: Vec<Wanted> =
        names.iter().map(|name| session.wanted(name).ok_or_else(|| session.missing(name))).collect::<Result<_, _>>()?;
    session.meter.expect(&shards);
    session.meter.set_list_complete(true);
    for shard in &shards {
        if session.fetch(shard).await? == Outcome::Absent {
            return Err(session.missing(&shard.name));
        }
    }
    Ok(names.into_iter().chain([INDEX.to_owned()]).collect())
}
