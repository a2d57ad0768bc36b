//! One HTTP request: what the beginning of its answer means, and how long it may be silent.

use super::listing::as_sha256;
use crate::platform::http::{self, Arrival, Head};

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
    /// Reads the answer to a request for all bytes from `from` on.
    fn read(head: &Head, from: u64) -> Self {
        let number = |name: &str| head.get(name).and_then(|value| value.parse::<u64>().ok());
        // a coded body is decoded on its way: neither its length nor its tag are the file's
        let is_plain = head.get("content-encoding").is_none_or(|coding| coding.eq_ignore_ascii_case("identity"));
        let range = (head.status == 206).then(|| match head.get("content-range") {
            // pages see the length of another host's answer, and browsers have a range sent uncoded
            None if head.hides_headers => Some((from, number("content-length").map(|rest| from + rest))),
            value => content_range(value?),
        });
        let range = range.flatten();
        let etag = head.get("etag").filter(|etag| is_plain && !etag.is_empty() && !etag.starts_with("W/"));
        let length = number("content-length").filter(|_| is_plain && !head.hides_headers);
        let whole_bytes = match range {
            Some((_, total)) => total,
            None => number("x-linked-size").or(length),
        };
        Self {
            status: head.status,
            url: head.url.clone(),
            etag: etag.map(str::to_owned),
            linked_sha256: head.get("x-linked-etag").and_then(as_sha256),
            range,
            whole_bytes,
            is_web_page: head
                .get("content-type")
                .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")),
            error_code: head.get("x-error-code").map(str::to_owned),
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
    arriving: http::Answer,
    from: u64,
    tick_secs: f64,
    stall_secs: f64,
    silent_secs: f64,
}

impl Answer {
    /// Sends a request for all bytes from `from` on. [`Answer::next`] waits at most `tick_secs` at a time, and gives up after
    /// `stall_secs` without a byte.
    pub fn of(url: &str, from: u64, token: Option<&str>, tick_secs: f64, stall_secs: f64) -> Self {
        let mut headers = Vec::new();
        if from > 0 {
            headers.push(("Range", format!("bytes={from}-")));
        }
        if let Some(token) = token {
            headers.push(("Authorization", format!("Bearer {token}")));
        }
        Self { arriving: http::ask(url, &headers), from, tick_secs, stall_secs, silent_secs: 0.0 }
    }

    pub async fn next(&mut self) -> Next {
        let arrival = self.arriving.next(self.tick_secs).await;
        if matches!(arrival, Arrival::Nothing) {
            // Looks are counted, not time: a browser's worker that trains looks more seldom, and hears as late.
            self.silent_secs += self.tick_secs;
        } else {
            self.silent_secs = 0.0;
        }
        match arrival {
            Arrival::Nothing if self.silent_secs < self.stall_secs => Next::Nothing,
            Arrival::Nothing => Next::Broken(format!("nothing came for {:.0} seconds", self.stall_secs)),
            Arrival::Head(head) => Next::Header(Box::new(Header::read(&head, self.from))),
            Arrival::Bytes(bytes) => Next::Bytes(bytes),
            Arrival::End => Next::End,
            Arrival::Broken(what) => Next::Broken(what),
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

    fn head(status: u16, headers: &[(&str, &str)]) -> Head {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Head { status, headers, ..Head::default() }
    }

    #[test]
    fn weak_tags_and_coded_bodies_identify_nothing() {
        let read = |headers: &[(&str, &str)]| Header::read(&head(200, headers), 0);
        assert_eq!(read(&[("etag", "W/\"a\"")]).etag, None);
        let coded = read(&[("ETag", "\"a\""), ("Content-Length", "9"), ("Content-Encoding", "gzip")]);
        assert_eq!((coded.etag, coded.whole_bytes), (None, None));
        let plain = read(&[("ETag", "\"a\""), ("Content-Length", "9"), ("Content-Type", "Text/HTML; charset=utf-8")]);
        assert_eq!((plain.etag.as_deref(), plain.whole_bytes, plain.is_web_page), (Some("\"a\""), Some(9), true));
    }

    #[test]
    fn what_a_page_does_not_see_is_not_taken_for_absent() {
        let read = |status: u16, from: u64, headers: &[(&str, &str)]| {
            Header::read(&Head { hides_headers: true, ..head(status, headers) }, from)
        };
        // the coding may be hidden, so the length may be that of something else
        assert_eq!(read(200, 0, &[("content-length", "9")]).whole_bytes, None);
        let rest = read(206, 5, &[("content-length", "4")]);
        assert_eq!((rest.range, rest.whole_bytes), (Some((5, Some(9))), Some(9)));
        assert_eq!(read(206, 5, &[]).range, Some((5, None)));
        assert_eq!(read(206, 5, &[("content-range", "bytes 3-8/9")]).range, Some((3, Some(9))));
        assert_eq!(Header::read(&head(206, &[("content-length", "4")]), 5).range, None, "the desktop sees all headers");
    }
}
