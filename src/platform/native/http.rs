//! Requests by `ehttp`, which reads the socket on a thread of its own and hands pieces over. So whoever waits here can look at
//! the clock and at a wish to cancel meanwhile; the thread ends when it next has something to hand over, or with its connection.

use crate::platform::http::{Arrival, Head};
use ehttp::streaming::Part;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Pieces (of 2 KiB) on the way before the reading thread waits.
const PIECES: usize = 1024;

/// ehttp's limit is for a whole body, however large; whoever asks sees to silence. So it only sees to it that the thread of an
/// answer that was given up ends some time. A body that takes longer is gone on with by the next attempt.
const MOST_BODY: Duration = Duration::from_hours(2);

/// An answer on its way. Dropping it gives it up.
pub struct Answer(Receiver<Result<Part, String>>);

/// Sends a request.
pub fn ask(url: &str, headers: &[(&str, String)]) -> Answer {
    let mut request = ehttp::Request::get(url)
        .with_header("User-Agent", concat!("thalweg/", env!("CARGO_PKG_VERSION")))
        .with_header("Accept-Encoding", "identity")
        .with_timeout(Some(MOST_BODY));
    for (name, value) in headers {
        request = request.with_header(*name, value);
    }
    let (sender, pieces) = sync_channel(PIECES);
    ehttp::streaming::fetch(request, move |piece| {
        if sender.send(piece).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    Answer(pieces)
}

impl Answer {
    /// What comes next; waits for so many seconds at most.
    #[expect(clippy::unused_async, reason = "of one shape with web/http.rs; this thread has nothing else to do")]
    pub async fn next(&mut self, wait_secs: f64) -> Arrival {
        match self.0.recv_timeout(Duration::from_secs_f64(wait_secs)) {
            Ok(Ok(Part::Response(response))) => Arrival::Head(Head {
                status: response.status,
                url: response.url,
                headers: response.headers.headers,
                hides_headers: false,
            }),
            Ok(Ok(Part::Chunk(bytes))) if bytes.is_empty() => Arrival::End,
            Ok(Ok(Part::Chunk(bytes))) => Arrival::Bytes(bytes),
            Ok(Err(what)) => Arrival::Broken(what),
            Err(RecvTimeoutError::Timeout) => Arrival::Nothing,
            Err(RecvTimeoutError::Disconnected) => Arrival::Broken("the answer stopped".to_owned()),
        }
    }
}
