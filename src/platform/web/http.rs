//! Requests by the browser's `fetch`, which says who asks and decodes bodies by itself.

use super::{reason, timeout};
use crate::platform::http::{Arrival, Head};
use js_sys::{Array, Promise, Uint8Array};
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// A request that was sent.
    type Asked;
    /// `headers` is a list of `[name, value]`.
    #[wasm_bindgen(js_namespace = thalweg, js_name = request)]
    fn send(url: &str, headers: &Array) -> Asked;
    /// Fulfilled with `[status, url, whether it hides headers, [name, value], …]`.
    #[wasm_bindgen(method)]
    fn head(this: &Asked) -> Promise;
    /// Fulfilled with the next bytes, with nothing at the end; to be asked after the head.
    #[wasm_bindgen(method)]
    fn next(this: &Asked) -> Promise;
    /// Gives it up.
    #[wasm_bindgen(method)]
    fn stop(this: &Asked);
}

/// An answer on its way. Dropping it gives it up.
pub struct Answer {
    asked: Asked,
    coming: JsFuture,
    has_begun: bool,
}

/// Sends a request.
pub fn ask(url: &str, headers: &[(&str, String)]) -> Answer {
    let pairs = headers.iter().map(|(name, value)| Array::of2(&JsValue::from_str(name), &JsValue::from_str(value)));
    let asked = send(url, &pairs.collect());
    let coming = JsFuture::from(asked.head());
    Answer { asked, coming, has_begun: false }
}

impl Answer {
    /// What comes next; waits for so many seconds at most.
    pub async fn next(&mut self, wait_secs: f64) -> Arrival {
        let mut time = pin!(timeout((wait_secs * 1000.0) as i32));
        let came = poll_fn(|context| match Pin::new(&mut self.coming).poll(context) {
            Poll::Ready(came) => Poll::Ready(Some(came)),
            Poll::Pending => time.as_mut().poll(context).map(|()| None),
        });
        let Some(came) = came.await else { return Arrival::Nothing };
        let arrival = match came {
            // a browser does not say which it is
            Err(error) if !self.has_begun => Arrival::Broken(format!(
                "{}: the network is down, or the server lets no pages of other sites read it",
                reason(&error)
            )),
            Err(error) => Arrival::Broken(reason(&error)),
            Ok(head) if !self.has_begun => Arrival::Head(read(head)),
            Ok(end) if end.is_undefined() => Arrival::End,
            Ok(bytes) => Arrival::Bytes(Uint8Array::new(&bytes).to_vec()),
        };
        self.has_begun = true;
        self.coming = JsFuture::from(self.asked.next());
        arrival
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.asked.stop();
    }
}

fn read(head: JsValue) -> Head {
    let head: Array = head.unchecked_into();
    let text = |value: JsValue| value.as_string().unwrap_or_default();
    let pair = |pair: JsValue| {
        let pair: Array = pair.unchecked_into();
        (text(pair.get(0)), text(pair.get(1)))
    };
    Head {
        status: head.get(0).as_f64().unwrap_or_default() as u16,
        url: text(head.get(1)),
        hides_headers: head.get(2).is_truthy(),
        headers: head.iter().skip(3).map(pair).collect(),
    }
}
