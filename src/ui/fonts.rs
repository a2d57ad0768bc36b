//! Letters that the window's own fonts lack (Chinese, Japanese, Korean, Arabic and many more): taken from the system's fonts,
//! which are looked for only once such a letter is to be drawn, on a thread, while boxes stand in for them.
//!
//! In a browser nothing is looked for: there the browser draws such letters by itself.

use crate::platform::{self, fs};
use egui::epaint::text::{FallbackRequest, FontInsert, FontProvider};
use egui::{Context, FontData};
use skrifa::{FontRef, MetadataProvider as _};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Parts of the names of fonts that have many letters, the best first, in small letters and without spaces and hyphens.
/// All others come after them.
const WELL_KNOWN: [&str; 22] = [
    "notosanscjk",
    "sourcehansans",
    "pingfang",
    "hiraginosans",
    "microsoftyahei",
    "msyh",
    "applesdgothicneo",
    "malgun",
    "msgothic",
    "yugoth",
    "simsun",
    "wqymicrohei",
    "wqyzenhei",
    "droidsansfallback",
    "ipagothic",
    "nanumgothic",
    "notosans",
    "segoeui",
    "arialunicode",
    "dejavusans",
    "geezapro",
    "freesans",
];
/// Parts of the names of faces for which there is a plainer one, or that have no outlines.
const ODD: [&str; 9] = ["bold", "italic", "oblique", "light", "thin", "black", "condensed", "mono", "serif"];
const ENDINGS: [&str; 4] = ["ttf", "otf", "ttc", "otc"];

/// Most files that are looked at, and most folders inside one another.
const MOST_FILES: usize = 10_000;
const DEEPEST: usize = 6;
/// Larger files are left out, and so much is read in all at one time.
const LARGEST_BYTES: u64 = 96 << 20;
const MOST_BYTES: u64 = 1 << 30;
/// Most searches: one that finds nothing has read every font.
const MOST_SEARCHES: usize = 8;
/// Most faces of a collection that are tried.
const FACES: u32 = 4;

/// A font of the system.
#[derive(Clone)]
struct Found {
    name: String,
    bytes: Arc<Vec<u8>>,
    face: u32,
}

impl Found {
    fn has(&self, letter: char) -> bool {
        FontRef::from_index(&self.bytes, self.face).is_ok_and(|font| has(&font, letter))
    }
}

fn has(font: &FontRef<'_>, letter: char) -> bool {
    // Glyph 0 is the box.
    font.charmap().map(letter).is_some_and(|glyph| glyph.to_u32() != 0)
}

/// What the window, its provider and the thread share.
#[derive(Default)]
struct Inside {
    found: Vec<Found>,
    /// Letters that were to be drawn and are in no font that is known.
    wanted: BTreeSet<char>,
    /// Those that are in no font of this system.
    absent: BTreeSet<char>,
    searching: bool,
    searches: usize,
    /// A search has ended that egui has not heard of.
    news: bool,
}

/// What egui asks for a letter that it does not have.
#[derive(Default)]
struct Provider(Mutex<Inside>);

impl Provider {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FontProvider for Provider {
    /// Answers at once from what was found so far; the rest is looked for.
    fn font_for(&self, request: &FallbackRequest<'_>) -> Option<FontInsert> {
        let letter = request.cluster.chars().next()?;
        let mut inside = self.inside();
        if let Some(font) = inside.found.iter().find(|font| font.has(letter)) {
            let data = FontData::from_blob(font.bytes.clone(), font.face);
            return Some(FontInsert { name: font.name.clone(), data, families: Vec::new() });
        }
        if !inside.absent.contains(&letter) {
            inside.wanted.insert(letter);
        }
        None
    }
}

/// The system's fonts, as far as they were needed.
pub struct Fonts {
    provider: Arc<Provider>,
    folders: Vec<PathBuf>,
    installed: bool,
    complained: bool,
}

impl Fonts {
    /// Those of the system's usual folders.
    pub fn of_this_machine() -> Self {
        Self::looking_in(platform::font_folders())
    }

    fn looking_in(folders: Vec<PathBuf>) -> Self {
        Self { provider: Arc::default(), folders, installed: false, complained: false }
    }

    /// Are there letters to be looked for?
    pub fn are_wanted(&self) -> bool {
        let inside = self.provider.inside();
        !inside.searching && !inside.wanted.is_empty()
    }

    /// To be called in every frame before anything is drawn: begins a search, or shows what one has found. Gives a sentence,
    /// once, where this machine has no font for a letter.
    pub fn attend(&mut self, ctx: &Context) -> Option<String> {
        if self.folders.is_empty() {
            return None;
        }
        if !std::mem::replace(&mut self.installed, true) {
            ctx.add_font_provider(self.provider.clone());
        }
        let mut inside = self.provider.inside();
        if !inside.searching && !inside.wanted.is_empty() {
            let wanted = std::mem::take(&mut inside.wanted);
            if inside.searches >= MOST_SEARCHES {
                inside.absent.extend(wanted);
                return None;
            }
            inside.searches += 1;
            inside.searching = true;
            drop(inside);
            self.search(wanted, ctx);
            return None;
        }
        if !std::mem::take(&mut inside.news) {
            return None;
        }
        let absent = inside.absent.first().copied();
        drop(inside);
        // egui asks once for a letter: it is to ask again.
        ctx.set_font_providers(vec![self.provider.clone()]);
        let letter = absent?;
        if std::mem::replace(&mut self.complained, true) {
            return None;
        }
        Some(format!(
            "No font on this machine has some letters of a text, such as U+{:04X}: they are drawn as boxes. Install a font that has them, such as Noto Sans, and start the program again",
            letter as u32
        ))
    }

    fn search(&self, wanted: BTreeSet<char>, ctx: &Context) {
        let (provider, folders, wake) = (self.provider.clone(), self.folders.clone(), ctx.clone());
        let spawned = platform::spawn("fonts", move || async move {
            let (found, absent) = find(&folders, wanted);
            let mut inside = provider.inside();
            inside.searching = false;
            inside.found.extend(found);
            inside.news = true;
            inside.absent.extend(absent);
            drop(inside);
            wake.request_repaint();
        });
        if spawned.is_err() {
            // No thread to be had: boxes stay boxes, and the next letter tries again.
            self.provider.inside().searching = false;
        }
    }
}

/// Fonts in these folders that have the letters, and the letters that no font has.
fn find(folders: &[PathBuf], mut wanted: BTreeSet<char>) -> (Vec<Found>, BTreeSet<char>) {
    let mut files = Vec::new();
    for folder in folders {
        list(folder, DEEPEST, &mut files);
    }
    files.sort_by_cached_key(|(path, _)| (rank(path), path.clone()));
    let (mut found, mut read) = (Vec::new(), 0);
    for (path, bytes) in files {
        if wanted.is_empty() {
            break;
        }
        if bytes > LARGEST_BYTES || read + bytes > MOST_BYTES {
            continue;
        }
        read += bytes;
        // One that cannot be read is as good as none.
        let Ok(bytes) = fs::read(&path) else { continue };
        let bytes = Arc::new(bytes);
        for face in 0..FACES {
            let Ok(font) = FontRef::from_index(&bytes, face) else { break };
            let before = wanted.len();
            if font.outline_glyphs().format().is_some() {
                wanted.retain(|letter| !has(&font, *letter));
            }
            if wanted.len() < before {
                found.push(Found { name: format!("{}#{face}", path.display()), bytes: bytes.clone(), face });
            }
        }
    }
    (found, wanted)
}

/// Font files below a folder, with their sizes.
fn list(folder: &Path, depth: usize, files: &mut Vec<(PathBuf, u64)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // Of what a link leads to, not of the link: distributions link fonts.
        let Ok(about) = fs::metadata(&path) else { continue };
        if about.is_dir() && depth > 0 {
            list(&path, depth - 1, files);
        } else if about.is_file() && files.len() < MOST_FILES {
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            if ENDINGS.contains(&ending.as_str()) {
                files.push((path, about.len()));
            }
        }
    }
}

/// Small for what should be tried first.
fn rank(path: &Path) -> (usize, usize) {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String = name.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let known = WELL_KNOWN.iter().position(|known| name.contains(known)).unwrap_or(WELL_KNOWN.len());
    let odd = ODD.iter().filter(|odd| name.contains(*odd)).count();
    (if odd > 0 { known + WELL_KNOWN.len() + 1 } else { known }, odd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::scratch;
    use egui::{FontDefinitions, FontFamily, FontId};
    use egui_kittest::Harness;

    /// A font that egui brings along.
    fn bytes_of(name: &str) -> Vec<u8> {
        FontDefinitions::default().font_data[name].bytes().to_vec()
    }

    /// In Hack and in no other font that egui brings along.
    const LETTER: char = '\u{256c}';

    #[test]
    fn fonts_are_found_by_their_letters_the_well_known_first() {
        let folder = scratch::folder().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("truetype/deep")).unwrap();
        std::fs::write(root.join("truetype/deep/Zzz.TTF"), bytes_of("Hack")).unwrap();
        std::fs::write(root.join("truetype/NotoSans-Regular.ttf"), b"this is no font").unwrap();
        std::fs::write(root.join("truetype/Aaa.ttf"), bytes_of("Ubuntu-Light")).unwrap();
        std::fs::write(root.join("truetype/readme.txt"), bytes_of("Hack")).unwrap();
        let folders = [root.join("is not there"), root.to_path_buf()];
        let (found, absent) = find(&folders, BTreeSet::from([LETTER, '\u{10fffd}']));
        let names: Vec<&str> = found.iter().map(|font| font.name.as_str()).collect();
        assert!(names.len() == 1 && names[0].ends_with("Zzz.TTF#0"), "{names:?}");
        assert_eq!(absent, BTreeSet::from(['\u{10fffd}']));

        let order = ["NotoSansCJK-Regular.ttc", "msyh.ttc", "DejaVuSans.ttf", "Zzz.ttf", "NotoSansCJK-Bold.ttc"];
        assert!(order.map(|name| rank(Path::new(name))).is_sorted(), "{:?}", order.map(|name| rank(Path::new(name))));
    }

    /// `cargo test --release --lib -- --ignored --nocapture what_this_machine_has`
    #[test]
    #[ignore = "a look at this machine"]
    fn what_this_machine_has() {
        for text in ["漢字", "かな", "한국어", "العربية", "हिन्दी", "ქართული"] {
            let start = platform::now_secs();
            let (found, absent) = find(&platform::font_folders(), text.chars().collect());
            let names: Vec<&String> = found.iter().map(|font| &font.name).collect();
            println!("{text}: {names:?}, without {absent:?}, {:.2} s", platform::now_secs() - start);
        }
    }

    fn until(harness: &mut Harness<'_, Fonts>, what: &str, done: impl Fn(&Harness<'_, Fonts>) -> bool) {
        let start = platform::now_secs();
        while !done(harness) {
            assert!(platform::now_secs() - start < 20.0, "{what}");
            platform::block_on(platform::pause()).unwrap();
            harness.run_steps(2);
        }
    }

    #[test]
    fn a_letter_that_is_lacking_is_drawn_once_its_font_is_found() {
        let folder = scratch::folder().unwrap();
        std::fs::write(folder.path().join("Hack.ttf"), bytes_of("Hack")).unwrap();
        let fonts = Fonts::looking_in(vec![folder.path().to_path_buf()]);
        let (plain, lacking) = ("plain", format!("{LETTER}\u{10fffd}"));
        let (show, shown) =
            (std::rc::Rc::new(std::cell::Cell::new(false)), std::rc::Rc::<std::cell::Cell<u32>>::default());
        let (wants, complaints) = (show.clone(), shown.clone());
        let mut harness = Harness::builder().allow_missing_glyphs().build_ui_state(
            move |ui, fonts: &mut Fonts| {
                if let Some(message) = fonts.attend(ui.ctx()) {
                    assert!(message.contains("U+10FFFD"), "{message}");
                    complaints.set(complaints.get() + 1);
                }
                ui.label(if wants.get() { lacking.as_str() } else { plain });
            },
            fonts,
        );
        let mut only_ubuntu = FontDefinitions::default();
        only_ubuntu.families.insert(FontFamily::Proportional, vec!["Ubuntu-Light".into()]);
        harness.ctx.set_fonts(only_ubuntu);
        harness.run_steps(3);
        let has =
            |harness: &Harness<'_, Fonts>| harness.ctx.fonts_mut(|fonts| fonts.has_glyph(&FontId::default(), LETTER));
        assert!(harness.state().provider.inside().found.is_empty(), "nothing is read before it is needed");
        show.set(true);
        harness.run_steps(1);
        assert!(harness.state().are_wanted());
        until(&mut harness, "the font was not found", |harness| !harness.state().provider.inside().found.is_empty());
        harness.run_steps(3);
        assert!(has(&harness));
        assert_eq!(harness.state().provider.inside().found.len(), 1);
        harness.run_steps(5);
        assert_eq!(shown.get(), 1, "what no font has is told once");
        assert!(!harness.state().are_wanted());
    }
}
