//! Room for the names in a picture: each label takes the first place beside its mark that no other one covers.

/// Width of a letter and height of a line of the pictures' small text, in the picture's units.
pub const LETTER: f64 = 6.1;
const LINE: f64 = 12.0;

/// A label's place: where its baseline begins, is centred or ends, as `anchor` says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub x: f64,
    pub y: f64,
    /// SVG's `text-anchor`.
    pub anchor: &'static str,
}

/// The part of a picture that labels may lie in, and what is taken already.
#[derive(Clone, Debug)]
pub struct LabelRoom {
    /// Left, top, right, bottom.
    frame: [f64; 4],
    taken: Vec<[f64; 4]>,
}

impl LabelRoom {
    /// Free room from `left, top` to `right, bottom`.
    pub fn new(frame: [f64; 4]) -> Self {
        Self { frame, taken: Vec::new() }
    }

    /// Keeps labels off a mark of this radius.
    pub fn take_mark(&mut self, (x, y): (f64, f64), radius: f64) {
        self.taken.push([x - radius, y - radius, x + radius, y + radius]);
    }

    /// A free place `gap` beside, above or below a mark; taken from now on. `None` where all are covered.
    pub fn place(&mut self, at: (f64, f64), gap: f64, text: &str) -> Option<Place> {
        self.first_free(at, gap, text, [0, 1, 2, 3, 4, 5, 6, 7])
    }

    /// The same, rather above than beside: a peak has most room above it.
    pub fn place_above(&mut self, at: (f64, f64), gap: f64, text: &str) -> Option<Place> {
        self.first_free(at, gap, text, [2, 6, 4, 0, 1, 3, 5, 7])
    }

    fn first_free(&mut self, (x, y): (f64, f64), gap: f64, text: &str, order: [usize; 8]) -> Option<Place> {
        let near = [gap, gap + LINE];
        let candidates = near.into_iter().flat_map(|gap| {
            let around = [
                Place { x: x + gap, y: y + 4.0, anchor: "start" },
                Place { x: x - gap, y: y + 4.0, anchor: "end" },
                Place { x, y: y - gap, anchor: "middle" },
                Place { x, y: y + gap + 9.0, anchor: "middle" },
                Place { x: x + gap, y: y - gap, anchor: "start" },
                Place { x: x + gap, y: y + gap + 9.0, anchor: "start" },
                Place { x: x - gap, y: y - gap, anchor: "end" },
                Place { x: x - gap, y: y + gap + 9.0, anchor: "end" },
            ];
            order.map(|place| around[place])
        });
        let width = LETTER * text.chars().count() as f64;
        for place in candidates {
            let left = place.x
                - width
                    * match place.anchor {
                        "start" => 0.0,
                        "end" => 1.0,
                        _ => 0.5,
                    };
            let area = [left, place.y - LINE + 2.0, left + width, place.y + 3.0];
            let inside = area[0] >= self.frame[0]
                && area[1] >= self.frame[1]
                && area[2] <= self.frame[2]
                && area[3] <= self.frame[3];
            if inside && self.taken.iter().all(|other| !overlap(area, *other)) {
                self.taken.push(area);
                return Some(place);
            }
        }
        None
    }
}

fn overlap(a: [f64; 4], b: [f64; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

/// A text cut to so many letters, with an ellipsis where something was lost.
pub fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_go_where_there_is_room() {
        let mut room = LabelRoom::new([0.0, 0.0, 100.0, 100.0]);
        let first = room.place((50.0, 50.0), 6.0, "abc").unwrap();
        assert_eq!(first, Place { x: 56.0, y: 54.0, anchor: "start" });
        let second = room.place((50.0, 50.0), 6.0, "abc").unwrap();
        assert_eq!(second, Place { x: 44.0, y: 54.0, anchor: "end" });
        // beyond the right border there is none
        assert_eq!(room.place((98.0, 20.0), 6.0, "abc").unwrap().anchor, "end");
        assert_eq!(room.place((50.0, 80.0), 6.0, &"long ".repeat(9)), None);
        let above = LabelRoom::new([0.0, 0.0, 100.0, 100.0]).place_above((50.0, 50.0), 6.0, "abc").unwrap();
        assert_eq!(above, Place { x: 50.0, y: 44.0, anchor: "middle" });
        room.take_mark((50.0, 50.0), 60.0);
        assert_eq!(room.place((50.0, 50.0), 6.0, "abc"), None);
    }

    #[test]
    fn long_names_are_cut_and_say_so() {
        assert_eq!([cut("slow learner", 12), cut("slow learner", 6), cut("äöü", 2)], ["slow learner", "slow …", "ä…"]);
    }
}
