//! Choosing files and places, as the window asks for it. Dialogues belong to the platform; nobody waits for them: an answer
//! is looked for in every frame.

use super::action::Purpose;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What somebody chose in a dialogue. Nothing comes from one that was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Files or folders to read; several only for [`Purpose::TaskFiles`].
    Opened { purpose: Purpose, paths: Vec<String> },
    /// A place to write to. What was to be written without a further command is written already.
    Saved { export_id: u64, path: String },
    /// The dialogue or the writing failed: a sentence.
    Failed { message: String },
}

/// The platform's dialogues.
pub trait Files {
    /// Asks for what serves this purpose.
    fn open(&mut self, purpose: Purpose);

    /// Asks for a place under a suggested name, and writes these bytes there if there are any.
    fn save(&mut self, export_id: u64, name: &str, bytes: Option<Vec<u8>>);

    /// What was chosen since the last call; returns at once.
    fn poll(&mut self) -> Vec<Chosen>;

    /// Is a dialogue open, so that it is worth while to look again soon?
    fn is_waiting(&self) -> bool;

    /// Writes a file.
    ///
    /// # Errors
    /// A sentence that says what is wrong, where, and what to do.
    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), String>;

    /// Does a folder hold a file of this name? Tells a model from a run where somebody dropped a folder on the window.
    fn holds(&self, folder: &str, name: &str) -> bool;
}

/// Dialogues whose answers were written down before: for tests and recordings. Clones share one script.
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    script: Rc<RefCell<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    opened: Vec<Purpose>,
    saved: Vec<(u64, String)>,
    /// Places that the next requests to save get, first in, first out.
    places: Vec<String>,
    answers: Vec<Chosen>,
    written: BTreeMap<String, Vec<u8>>,
    folders: BTreeSet<(String, String)>,
    full: bool,
}

impl Scripted {
    /// The next request to save gets this place.
    pub fn will_save_to(&self, path: &str) {
        self.script.borrow_mut().places.push(path.to_string());
    }

    /// This was chosen.
    pub fn choose(&self, answer: Chosen) {
        self.script.borrow_mut().answers.push(answer);
    }

    /// From now on nothing can be written.
    pub fn fill_the_disk(&self) {
        self.script.borrow_mut().full = true;
    }

    /// There is a folder with a file of this name.
    pub fn put(&self, folder: &str, name: &str) {
        self.script.borrow_mut().folders.insert((folder.to_string(), name.to_string()));
    }

    /// What was asked for to be read.
    #[must_use]
    pub fn opened(&self) -> Vec<Purpose> {
        self.script.borrow().opened.clone()
    }

    /// Suggested names of what was to be written.
    #[must_use]
    pub fn suggested(&self) -> Vec<String> {
        self.script.borrow().saved.iter().map(|(_, name)| name.clone()).collect()
    }

    /// What was written, by path.
    #[must_use]
    pub fn written(&self) -> BTreeMap<String, Vec<u8>> {
        self.script.borrow().written.clone()
    }
}

impl Files for Scripted {
    fn open(&mut self, purpose: Purpose) {
        self.script.borrow_mut().opened.push(purpose);
    }

    fn save(&mut self, export_id: u64, name: &str, bytes: Option<Vec<u8>>) {
        let place = {
            let mut script = self.script.borrow_mut();
            script.saved.push((export_id, name.to_string()));
            if script.places.is_empty() { None } else { Some(script.places.remove(0)) }
        };
        let Some(path) = place else { return };
        let written = bytes.map_or(Ok(()), |bytes| self.write(&path, &bytes));
        self.choose(match written {
            Ok(()) => Chosen::Saved { export_id, path },
            Err(message) => Chosen::Failed { message },
        });
    }

    fn poll(&mut self) -> Vec<Chosen> {
        std::mem::take(&mut self.script.borrow_mut().answers)
    }

    fn is_waiting(&self) -> bool {
        !self.script.borrow().answers.is_empty()
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), String> {
        let mut script = self.script.borrow_mut();
        if script.full {
            return Err(format!("{path} was not written: the disk is full. Make room or choose another place"));
        }
        script.written.insert(path.to_string(), bytes.to_vec());
        Ok(())
    }

    fn holds(&self, folder: &str, name: &str) -> bool {
        self.script.borrow().folders.contains(&(folder.to_string(), name.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_answers_in_order_and_a_full_disk_is_a_sentence() {
        let script = Scripted::default();
        let mut files: Box<dyn Files> = Box::new(script.clone());
        script.will_save_to("/a/matrix.csv");
        files.save(7, "matrix.csv", Some(b"1,2".to_vec()));
        files.save(8, "nobody answers.csv", None);
        assert!(files.is_waiting());
        assert_eq!(files.poll(), [Chosen::Saved { export_id: 7, path: "/a/matrix.csv".into() }]);
        assert_eq!(script.written()["/a/matrix.csv"], b"1,2");
        script.fill_the_disk();
        script.will_save_to("/a/b.csv");
        files.save(9, "b.csv", Some(Vec::new()));
        assert!(
            matches!(files.poll().as_slice(), [Chosen::Failed { message }] if message.contains("the disk is full"))
        );
        assert_eq!(script.suggested().len(), 3);
        files.open(Purpose::TaskFiles);
        assert_eq!(script.opened(), [Purpose::TaskFiles]);
    }
}
