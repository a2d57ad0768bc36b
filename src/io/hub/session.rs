//! Fetching one file after another: asking, going on, trying again, and saying what an answer means.

use super::address::{Place, origin};
use super::listing::{Listing, OPTIONAL, WEIGHTS, Wanted};
use super::meter::Meter;
use super::part::{Fit, Part};
use super::record::Record;
use super::transport::{Answer, Header, Next};
use super::{HubError, Patience};
use crate::platform;
use std::path::Path;

/// Bytes that make an attempt count as progress, so that the attempts are counted anew.
const PROGRESS: u64 = 1 << 20;
/// The hub's answers that are read into memory are smaller.
const MOST_ANSWER_BYTES: usize = 64 << 20;
/// Times that one attempt may ask again because bytes did not fit or an address moved.
const MOST_QUESTIONS: usize = 4;

/// What came of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Complete,
    /// The model has no such file.
    Absent,
}

/// Why an attempt ended.
enum Trouble {
    /// Worth another attempt.
    Passing(HubError),
    Final(HubError),
}

impl From<HubError> for Trouble {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

/// One download of a model.
pub(super) struct Session<'a> {
    pub place: Place,
    pub folder: &'a Path,
    pub token: Option<&'a str>,
    pub patience: &'a Patience,
    pub meter: Meter<'a>,
    pub record: Record,
    pub listing: Option<Listing>,
}

impl Session<'_> {
    /// The commit of the listing.
    fn commit(&self) -> Option<String> {
        self.listing.as_ref()?.commit.clone()
    }

    /// A file as the listing knows it; `None` where it says that there is none.
    pub fn wanted(&self, name: &str) -> Option<Wanted> {
        match &self.listing {
            None => Some(Wanted::named(name)),
            Some(listing) => listing.file(name).cloned(),
        }
    }

    /// Asks the hub what there is. A server that tells nothing is no error: then files are asked for one by one.
    pub async fn ask_for_listing(&mut self) -> Result<(), HubError> {
        self.meter.start("the list of files")?;
        let url = self.place.listing_url();
        let asked = self.attempts("the list of files", async |session: &mut Self, _: &mut bool| {
            let (header, mut answer) = session.ask(&url, 0).await?;
            match header.status {
                200 => {}
                401 | 403 | 404 if header.error_code.is_some() => {
                    return Err(session.refusal(&header, "the list of files").into());
                }
                429 | 500.. => return Err(session.status_trouble(&header, "the list of files")),
                _ => return Ok(None),
            }
            let mut json = Vec::new();
            loop {
                match answer.next().await {
                    Next::Bytes(bytes) if json.len() + bytes.len() <= MOST_ANSWER_BYTES => json.extend(bytes),
                    Next::Bytes(_) => return Ok(None),
                    Next::End => return Ok(Some(json)),
                    Next::Nothing | Next::Header(_) => session.meter.tick()?,
                    Next::Broken(what) => return Err(broken("the list of files", &what)),
                }
            }
        });
        let json = match asked.await {
            // a server that hands out files may let pages read nothing else
            Err(HubError::Broken { .. }) if platform::IN_A_BROWSER && !self.place.trusted => None,
            asked => asked?,
        };
        self.listing = json.and_then(|json| Listing::parse(&json));
        Ok(())
    }

    /// Fetches a file, or what is missing of it.
    pub async fn fetch(&mut self, wanted: &Wanted) -> Result<Outcome, HubError> {
        self.meter.start(&wanted.name)?;
        let commit = self.commit();
        if let Some(bytes) = self.record.has(self.folder, wanted, commit.as_deref()) {
            self.meter.count(bytes, Some(bytes), 0)?;
            return Ok(Outcome::Complete);
        }
        let url = self.place.file_url(commit.as_deref().unwrap_or(&self.place.revision), &wanted.name);
        let mut part = Some(Part::open(self.folder, wanted, self.patience.piece_bytes, &mut self.meter).await?);
        let attempts = self.attempts(&wanted.name, async |session: &mut Self, gained: &mut bool| {
            let Some(open) = part.as_mut() else { return Ok(Outcome::Absent) };
            let before = open.len();
            let result = session.fetch_rest(wanted, &url, open).await;
            *gained = open.len().saturating_sub(before) >= PROGRESS;
            // whatever happened, what came is on the disk
            open.flush()?;
            let outcome = match result? {
                Rest::Absent => Outcome::Absent,
                Rest::Known(bytes) => {
                    open.delete();
                    session.meter.count(bytes, Some(bytes), 0)?;
                    return Ok(Outcome::Complete);
                }
                Rest::Here => Outcome::Complete,
            };
            if outcome == Outcome::Complete
                && let Some(part) = part.take()
            {
                let content = part.finish()?;
                session.record.add(session.folder, &wanted.name, content, commit.as_deref()).map_err(HubError::from)?;
            }
            Ok(outcome)
        });
        let result = attempts.await;
        if let Some(mut part) = part {
            part.discard_if_empty();
        }
        if result == Ok(Outcome::Absent) {
            self.meter.forget(&wanted.name);
        }
        result
    }

    /// Tries, and tries again after a pause where that may help.
    async fn attempts<T>(
        &mut self,
        file: &str,
        mut attempt: impl AsyncFnMut(&mut Self, &mut bool) -> Result<T, Trouble>,
    ) -> Result<T, HubError> {
        let mut failures = 0;
        loop {
            let mut gained = false;
            let error = match attempt(self, &mut gained).await {
                Ok(value) => return Ok(value),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing(error)) => error,
            };
            failures = if gained { 1 } else { failures + 1 };
            if failures > self.patience.retries {
                return Err(match error {
                    HubError::Broken { what, .. } => {
                        HubError::Broken { file: file.to_owned(), attempts: failures, what }
                    }
                    other => other,
                });
            }
            self.wait(self.patience.pause_secs * f64::from(1_u32 << (failures - 1).min(5))).await?;
        }
    }

    /// Waits, and looks meanwhile whether to go on.
    async fn wait(&mut self, secs: f64) -> Result<(), HubError> {
        let until = platform::now_secs() + secs;
        while platform::now_secs() < until {
            self.meter.tick()?;
            platform::pause().await;
        }
        Ok(())
    }

    /// One attempt at a file: goes on from what is there, where the server can, and reads to the end.
    async fn fetch_rest(&mut self, wanted: &Wanted, url: &str, part: &mut Part) -> Result<Rest, Trouble> {
        for _ in 0..MOST_QUESTIONS {
            if part.len() > 0 && part.total() == Some(part.len()) {
                return Ok(Rest::Here);
            }
            let (header, mut answer) = self.ask(url, part.len()).await?;
            match header.status {
                200 | 206 => {}
                404 if matches!(header.error_code.as_deref(), None | Some("EntryNotFound")) => return Ok(Rest::Absent),
                416 if part.len() > 0 => {
                    part.restart()?;
                    continue;
                }
                401 | 403 | 404 => return Err(self.refusal(&header, &wanted.name).into()),
                _ => return Err(self.status_trouble(&header, &wanted.name)),
            }
            if header.is_web_page {
                return Err(self.web_page(&wanted.name).into());
            }
            // where the hub told no sums, an unchanged tag tells that the file is here already
            if let Some(bytes) = self.record.has_tag(self.folder, &wanted.name, header.etag.as_deref())
                && wanted.sha256.is_none()
            {
                return Ok(Rest::Known(bytes));
            }
            match part.fit(&header) {
                Fit::Continues => {}
                Fit::Whole => part.begin(&header, wanted)?,
                Fit::Another => {
                    part.restart()?;
                    continue;
                }
            }
            return self.read_body(wanted, part, &mut answer).await;
        }
        Err(Trouble::Final(HubError::Status {
            file: wanted.name.clone(),
            where_: self.place.endpoint.clone(),
            status: 416,
        }))
    }

    async fn read_body(&mut self, wanted: &Wanted, part: &mut Part, answer: &mut Answer) -> Result<Rest, Trouble> {
        self.meter.count(part.len(), part.total(), 0)?;
        loop {
            match answer.next().await {
                Next::Bytes(bytes) => {
                    if part.len() == 0 && looks_like_a_page(&bytes) {
                        return Err(self.web_page(&wanted.name).into());
                    }
                    part.push(&bytes)?;
                    self.meter.count(part.len(), part.total(), bytes.len() as u64)?;
                    platform::yield_now().await;
                }
                Next::End if part.total().is_some_and(|total| part.len() < total) => {
                    return Err(broken(&wanted.name, "the answer ended too early"));
                }
                Next::End => return Ok(Rest::Here),
                Next::Nothing | Next::Header(_) => self.meter.tick()?,
                Next::Broken(what) => return Err(broken(&wanted.name, &what)),
            }
        }
    }

    /// Sends a request and waits for the beginning of its answer.
    async fn ask(&mut self, url: &str, from: u64) -> Result<(Header, Answer), Trouble> {
        let token = self.token.filter(|_| self.place.trusted);
        let mut url = url.to_owned();
        for _ in 0..MOST_QUESTIONS {
            let mut answer = Answer::of(&url, from, token, self.patience.tick_secs, self.patience.stall_secs);
            let header = loop {
                match answer.next().await {
                    Next::Header(header) => break *header,
                    Next::Nothing | Next::Bytes(_) => self.meter.tick()?,
                    Next::End => return Err(broken("the answer", "the answer was empty")),
                    Next::Broken(what) => return Err(broken("the answer", &what)),
                }
            };
            // ehttp follows a move, but keeps the token to itself then: right for another host, wrong for the same one
            let moved = header.url != url && origin(&header.url) == origin(&url);
            if token.is_some() && moved && matches!(header.status, 401 | 403) {
                url.clone_from(&header.url);
                continue;
            }
            return Ok((header, answer));
        }
        Err(broken("the answer", "the address moves in a circle"))
    }

    fn web_page(&self, file: &str) -> HubError {
        HubError::WebPage { file: file.to_owned(), where_: self.place.endpoint.clone() }
    }

    fn status_trouble(&self, header: &Header, file: &str) -> Trouble {
        let where_ = self.place.endpoint.clone();
        match header.status {
            429 => Trouble::Passing(HubError::TooManyRequests { where_ }),
            status @ (408 | 500..) => Trouble::Passing(HubError::Status { file: file.to_owned(), where_, status }),
            status => Trouble::Final(HubError::Status { file: file.to_owned(), where_, status }),
        }
    }

    /// What 401, 403 and 404 mean.
    fn refusal(&self, header: &Header, file: &str) -> HubError {
        let (name, endpoint) = (&self.place.name, &self.place.endpoint);
        match (header.error_code.as_deref(), header.status) {
            (Some("RevisionNotFound"), _) => {
                HubError::NoSuchRevision { name: name.clone(), revision: self.place.revision.clone() }
            }
            (Some("RepoNotFound"), _) => self.no_such_model(),
            (Some("EntryNotFound"), _) => self.missing(file),
            (_, 404) => self.no_such_model(),
            _ => {
                let page = format!("{endpoint}/{name}");
                let what = match (self.token, self.place.trusted) {
                    _ if platform::IN_A_BROWSER => format!(
                        "it is gated or private, and a page shows no token. Accept its terms at {page}, download its files \
                         there, and choose their folder; or use the desktop program."
                    ),
                    (None, _) => format!(
                        "it is gated or private. Accept its terms at {page}, make a token that may read it, set HF_TOKEN to \
                         it, and start Thalweg again."
                    ),
                    (Some(_), true) => format!(
                        "the token in HF_TOKEN does not suffice. Accept the model's terms at {page} with the account of the \
                         token, and check that the token may read gated models."
                    ),
                    (Some(_), false) => format!(
                        "it is gated or private, and HF_TOKEN is not shown to {endpoint}. If you trust it, set HF_ENDPOINT \
                         to it."
                    ),
                };
                HubError::NotAllowed { name: name.clone(), what }
            }
        }
    }

    pub fn no_such_model(&self) -> HubError {
        HubError::NoSuchModel { name: self.place.name.clone(), endpoint: self.place.endpoint.clone() }
    }

    /// A file that has to be there and is not.
    pub fn missing(&self, file: &str) -> HubError {
        let remedy = if file == WEIGHTS {
            "Thalweg reads weights as safetensors only: look for a converted copy of the model, or save it with \
             transformers' `save_pretrained(folder, safe_serialization=True)` and choose that folder."
        } else if OPTIONAL.contains(&file) || file.ends_with(".safetensors") {
            "Take another revision, or tell the model's author."
        } else {
            "It is no complete model for transformers: take another one, or save it with transformers' \
             `save_pretrained(folder)` and choose that folder."
        };
        HubError::MissingFile { name: self.place.name.clone(), file: file.to_owned(), remedy: remedy.to_owned() }
    }
}

/// A connection that did not hold.
fn broken(file: &str, what: &str) -> Trouble {
    Trouble::Passing(HubError::Broken { file: file.to_owned(), attempts: 1, what: what.to_owned() })
}

/// What came of an attempt.
enum Rest {
    /// All bytes are in the part.
    Here,
    /// The file has been here before, of this size.
    Known(u64),
    Absent,
}

/// No file of a model begins like this.
fn looks_like_a_page(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    ["<!doctype html", "<html"]
        .iter()
        .any(|tag| start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes())))
}
