//! A request whose answer comes in pieces and can be given up at any time: on the desktop a thread reads the socket, in a
//! browser its own `fetch` does.

pub use super::here::http::{Answer, ask};

/// The beginning of an answer.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub status: u16,
    /// Where the answer came from in the end.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// A page sees only some headers of other hosts: one that is not here may have been there.
    pub hides_headers: bool,
}

impl Head {
    /// The value of a header, however its name is spelt.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// What comes next of an answer.
#[derive(Debug)]
pub enum Arrival {
    Head(Head),
    Bytes(Vec<u8>),
    /// The answer is complete.
    End,
    /// Nothing yet: a moment to look at other things.
    Nothing,
    /// The connection broke or could not be made; a part of a sentence.
    Broken(String),
}
