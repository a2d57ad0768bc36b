//! One HTTP request whose answer comes in pieces, and can be given up at any time.
//!
//! `ehttp` reads the socket on a thread of its own and hands pieces over. So whoever waits here can look at the clock and at a
//! wish to cancel meanwhile; the thread ends when it next has something to hand over, or with its connection.

use super::listing::as_sha256;
use crate::platform::now_secs;
use ehttp::streaming::Part as Piece;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Pieces (of 2 KiB) on the way before the reading thread waits.
const PIECES: usize = 1024;

/// ehttp's limit is for a whole body, however large; the one for silence is kept here. So it only sees to it that the thread of
/// an answer that was given up ends some time. A body that takes longer is gone on with by the next attempt.
const MOST_BODY: Duration = Duration::from_hours(2);

/// The beginning of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub status: u16,
    /// Where the answer came from in the end.
    pub url: String,
    /// The file's `ETag`, if it is a strong one: equal ones mean equal bytes.
    pub etag: Option<String>,
    /// SHA-256 of a large file (`X-Linked-Etag`).
    pub linked_sha256: Option<String>,
    /// First byte and size of the whole (`Content-Range`) of an answer of status 206.
    pub range: Option<(u64, Option<u64>)>,
    /// Size of the whole file, where told.
    pub whole_bytes: Option<u64>,
    pub is_web_page: bool,
    /// The hub's own word for what is wrong (`X-Error-Code`).
    pub error_code: Option<String>,
}

impl Header {
    fn read(response: &ehttp::PartialResponse) -> Self {
        let header = |name: &str| response.headers.get(name).map(str::trim);
        let number = |name: &str| header(name).and_then(|value| value.parse::<u64>().ok());
        // a coded body is decoded on its way: neither its length nor its tag are the file's
        let is_plain = header("content-encoding").is_none_or(|coding| coding.eq_ignore_ascii_case("identity"));
        let range = (response.status == 206).then(|| header("content-range").and_then(content_range)).flatten();
        let etag = header("etag").filter(|etag| is_plain && !etag.is_empty() && !etag.starts_with("W/"));
        let whole_bytes = match range {
            Some((_, total)) => total,
            None => number("x-linked-size").or_else(|| number("content-length").filter(|_| is_plain)),
        };
        Self {
            status: response.status,
            url: response.url.clone(),
            etag: etag.map(str::to_owned),
            linked_sha256: header("x-linked-etag").and_then(as_sha256),
            range,
            whole_bytes,
            is_web_page: header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")),
            error_code: header("x-error-code").map(str::to_owned),
        }
    }
}

/// Reads `bytes 5-9/10`; the size may be `*`.
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = value.strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end): (u64, u64) = (start.trim().parse().ok()?, end.trim().parse().ok()?);
    let total = total.trim();
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    (start <= end && total.is_none_or(|total| end < total)).then_some((start, total))
}

/// What comes next of an answer.
#[derive(Debug)]
pub(super) enum Next {
    Header(Box<Header>),
    Bytes(Vec<u8>),
    /// The answer is complete.
    End,
    /// Nothing yet: a moment to look at other things.
    Nothing,
    /// The connection broke, could not be made, or brings nothing any more.
    Broken(String),
}

/// An answer on its way. Dropping it gives it up.
pub(super) struct Answer {
    pieces: Receiver<Result<Piece, String>>,
    tick: Duration,
    stall_secs: f64,
    heard_secs: f64,
}

impl Answer {
    /// Sends the request. [`Answer::next`] waits at most `tick` at a time, and gives up after `stall_secs` without a byte.
    pub fn of(request: ehttp::Request, tick: Duration, stall_secs: f64) -> Self {
        let (sender, pieces) = sync_channel(PIECES);
        ehttp::streaming::fetch(request.with_timeout(Some(MOST_BODY)), move |piece| {
            if sender.send(piece).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        Self { pieces, tick, stall_secs, heard_secs: now_secs() }
    }

    pub fn next(&mut self) -> Next {
        let piece = match self.pieces.recv_timeout(self.tick) {
            Ok(piece) => piece,
            Err(RecvTimeoutError::Timeout) if now_secs() - self.heard_secs < self.stall_secs => return Next::Nothing,
            Err(RecvTimeoutError::Timeout) => {
                return Next::Broken(format!("nothing came for {:.0} seconds", self.stall_secs));
            }
            Err(RecvTimeoutError::Disconnected) => return Next::Broken("the answer stopped".to_owned()),
        };
        self.heard_secs = now_secs();
        match piece {
            Ok(Piece::Response(response)) => Next::Header(Box::new(Header::read(&response))),
            Ok(Piece::Chunk(bytes)) if bytes.is_empty() => Next::End,
            Ok(Piece::Chunk(bytes)) => Next::Bytes(bytes),
            Err(what) => Next::Broken(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read_and_lies_refused() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 0-0/*"), Some((0, None)));
        for lie in ["bytes 9-5/10", "bytes 5-10/10", "bytes */10", "5-9/10", "bytes a-b/c", "bytes 1-2/", ""] {
            assert_eq!(content_range(lie), None, "{lie}");
        }
    }

    #[test]
    fn weak_tags_and_coded_bodies_identify_nothing() {
        let read = |headers: &[(&str, &str)]| {
            Header::read(&ehttp::PartialResponse {
                url: String::new(),
                ok: true,
                status: 200,
                status_text: String::new(),
                headers: ehttp::Headers::new(headers),
            })
        };
        assert_eq!(read(&[("etag", "W/\"a\"")]).etag, None);
        let coded = read(&[("ETag", "\"a\""), ("Content-Length", "9"), ("Content-Encoding", "gzip")]);
        assert_eq!((coded.etag, coded.whole_bytes), (None, None));
        let plain = read(&[("ETag", "\"a\""), ("Content-Length", "9"), ("Content-Type", "Text/HTML; charset=utf-8")]);
        assert_eq!((plain.etag.as_deref(), plain.whole_bytes, plain.is_web_page), (Some("\"a\""), Some(9), true));
    }
}
