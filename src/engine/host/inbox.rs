//! A letter box that is waited for without blocking: the same on a thread of the desktop and on a browser's event loop.

use super::lock;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

struct Inside<T> {
    waiting: VecDeque<T>,
    reader: Option<Waker>,
    /// Slots that are still held.
    writers: usize,
    /// Nobody reads any more.
    closed: bool,
}

/// The side that is read.
pub(super) struct Inbox<T>(Arc<Mutex<Inside<T>>>);

/// The side that is written; when the last one is dropped the inbox ends.
pub(super) struct Slot<T>(Arc<Mutex<Inside<T>>>);

/// Both sides of an empty one.
pub(super) fn inbox<T>() -> (Slot<T>, Inbox<T>) {
    let inside = Arc::new(Mutex::new(Inside { waiting: VecDeque::new(), reader: None, writers: 1, closed: false }));
    (Slot(inside.clone()), Inbox(inside))
}

impl<T> Slot<T> {
    /// Puts a letter in; `false` when nobody will read it.
    pub fn send(&self, letter: T) -> bool {
        let mut inside = lock(&self.0);
        if inside.closed {
            return false;
        }
        inside.waiting.push_back(letter);
        let reader = inside.reader.take();
        drop(inside);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        lock(&self.0).writers += 1;
        Self(self.0.clone())
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        let mut inside = lock(&self.0);
        inside.writers -= 1;
        if inside.writers > 0 {
            return;
        }
        let reader = inside.reader.take();
        drop(inside);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl<T> Inbox<T> {
    /// The oldest letter, as soon as there is one; `None` when none will come any more.
    pub async fn receive(&self) -> Option<T> {
        std::future::poll_fn(|context| {
            let mut inside = lock(&self.0);
            if let Some(letter) = inside.waiting.pop_front() {
                return Poll::Ready(Some(letter));
            }
            if inside.writers == 0 {
                return Poll::Ready(None);
            }
            inside.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        lock(&self.0).closed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform;

    #[test]
    fn letters_come_in_order_and_the_end_is_told() {
        let (slot, letters) = inbox();
        let (answer, answers) = std::sync::mpsc::channel();
        platform::spawn("reader", move || async move {
            while let Some(letter) = letters.receive().await {
                answer.send(letter).unwrap();
            }
        })
        .unwrap();
        for letter in 0..1000 {
            assert!(slot.send(letter));
            if letter % 100 == 0 {
                platform::block_on(platform::pause()).unwrap();
            }
        }
        let second = slot.clone();
        drop(slot);
        assert!(second.send(1000));
        drop(second);
        assert!(answers.iter().eq(0..=1000));
    }

    #[test]
    fn nobody_reads_any_more() {
        let (slot, letters) = inbox();
        drop(letters);
        assert!(!slot.send(1));
    }
}
