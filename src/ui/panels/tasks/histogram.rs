//! How long a task's examples are: a small histogram with the line beyond which they are cut.

use super::words::{counted, grouped};
use crate::ui::theme::Theme;
use egui::{Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

/// Most bars.
const BARS: usize = 32;
/// Height of the bars.
const HEIGHT: f32 = 34.0;
/// Fewest tokens that the axis spans, so that examples of nearly one length are thin bars.
const LEAST_SPAN: f32 = 24.0;

/// Counts of lengths, made once for a card.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Histogram {
    /// Examples in each bar.
    counts: Vec<usize>,
    /// Tokens that one bar spans.
    width: u32,
    shortest: u32,
    longest: u32,
    median: u32,
    /// Sorted, to count those beyond any limit.
    sorted: Vec<u32>,
}

impl Histogram {
    pub(super) fn new(lengths: &[u32]) -> Self {
        let mut sorted = lengths.to_vec();
        sorted.sort_unstable();
        let (Some(&shortest), Some(&longest), Some(&median)) =
            (sorted.first(), sorted.last(), sorted.get(sorted.len() / 2))
        else {
            return Self::default();
        };
        let width = ((longest - shortest) / BARS as u32 + 1).max(1);
        let mut counts = vec![0; ((longest - shortest) / width) as usize + 1];
        for length in &sorted {
            if let Some(count) = counts.get_mut(((length - shortest) / width) as usize) {
                *count += 1;
            }
        }
        Self { counts, width, shortest, longest, median, sorted }
    }

    /// Examples of more than so many tokens.
    pub(super) fn longer_than(&self, limit: usize) -> usize {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        self.sorted.len() - self.sorted.partition_point(|length| *length <= limit)
    }

    /// `18 to 40 tokens, median 29`.
    fn range(&self) -> String {
        if self.shortest == self.longest {
            return counted(self.longest as usize, "token", "tokens");
        }
        let (shortest, longest) = (grouped(self.shortest as usize), grouped(self.longest as usize));
        format!("{shortest} to {longest} tokens, median {}", grouped(self.median as usize))
    }

    /// The bar's first and last length.
    fn span(&self, bar: usize) -> (u32, u32) {
        let first = self.shortest + bar as u32 * self.width;
        (first, (first + self.width - 1).min(self.longest))
    }

    /// Ends of the axis, and the place of the limit where it is near: far away it would press the bars together.
    fn axis(&self, limit: usize) -> (f32, f32, Option<f32>) {
        let (mut left, mut right) =
            (self.shortest as f32, self.shortest as f32 + (self.counts.len() as u32 * self.width) as f32);
        // Between the last length that fits and the first that does not.
        let limit_at = Some(limit as f32 + 1.0).filter(|at| (0.4 * left..1.6 * right + 8.0).contains(at));
        if let Some(at) = limit_at {
            (left, right) = (left.min(at - 1.0), right.max(at + 1.0));
        }
        let missing = (LEAST_SPAN - (right - left)).max(0.0);
        left = (left - missing / 2.0).floor().max(0.0);
        (left, right.max(left + LEAST_SPAN), limit_at)
    }

    /// Draws it at the width there is; `limit` is `training.max_length`.
    pub(super) fn show(&self, ui: &mut Ui, theme: &Theme, name: &str, limit: usize) {
        if self.counts.is_empty() {
            return;
        }
        let beyond = self.longer_than(limit);
        let cut = if beyond > 0 {
            format!("{} above the limit of {}", grouped(beyond), grouped(limit))
        } else {
            format!("limit {}", grouped(limit))
        };
        let (area, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
        let (left, right, limit_at) = self.axis(limit);
        let to_x = |length: f32| area.left() + (length - left) / (right - left).max(1.0) * area.width();
        let most = self.counts.iter().copied().max().unwrap_or(1).max(1) as f32;
        let pointer = response.hover_pos();
        let mut under = None;
        for (bar, &count) in self.counts.iter().enumerate() {
            let from = self.shortest + bar as u32 * self.width;
            let (x0, x1) = (to_x(from as f32), to_x((from + self.width) as f32));
            if pointer.is_some_and(|at| (x0..x1).contains(&at.x)) {
                under = Some((bar, count));
            }
            if count == 0 {
                continue;
            }
            // An example among many is still a mark.
            let height = (count as f32 / most * area.height()).max(1.5);
            let gap = if x1 - x0 > 3.0 { 1.0 } else { 0.0 };
            let bar_area = Rect::from_min_max(pos2(x0, area.bottom() - height), pos2(x1 - gap, area.bottom()));
            let colour = if self.span(bar).0 as usize > limit { theme.warning() } else { theme.accent() };
            ui.painter().rect_filled(bar_area, 0.0, colour);
        }
        ui.painter().hline(area.x_range(), area.bottom(), Stroke::new(1.0, theme.line()));
        if let Some(limit_at) = limit_at {
            let line = Stroke::new(1.5, if beyond > 0 { theme.warning() } else { theme.muted() });
            ui.painter().vline(to_x(limit_at), area.y_range(), line);
        }
        let text = format!("{}; {cut}", self.range());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Lengths of {name}: {text}")));
        if let Some((bar, count)) = under {
            let (first, last) = self.span(bar);
            let span = if first == last { format!("{first}") } else { format!("{first} to {last}") };
            response.on_hover_text_at_pointer(format!("{span} tokens: {}", counted(count, "example", "examples")));
        }
        let colour = if beyond > 0 { theme.warning() } else { theme.muted() };
        ui.label(super::small(theme, text).color(colour));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_falls_into_one_bar() {
        for lengths in [vec![7], vec![1, 1_000_000], (0..400).map(|index| 18 + index * 7 % 23).collect::<Vec<u32>>()] {
            let histogram = Histogram::new(&lengths);
            assert_eq!(histogram.counts.iter().sum::<usize>(), lengths.len());
            assert!(histogram.counts.len() <= BARS + 1, "{}", histogram.counts.len());
            assert_eq!(histogram.span(0).0, *lengths.iter().min().unwrap());
            assert_eq!(histogram.span(histogram.counts.len() - 1).1, *lengths.iter().max().unwrap());
        }
        assert_eq!(Histogram::new(&[]), Histogram::default());
    }

    #[test]
    fn the_axis_holds_all_bars_and_a_limit_that_is_near() {
        for lengths in [vec![14, 15], vec![25, 26], vec![1], (0..900).collect::<Vec<u32>>()] {
            let histogram = Histogram::new(&lengths);
            let (shortest, longest) = (lengths[0] as f32, *lengths.last().unwrap() as f32);
            for limit in [8, 20, 24, 30, 256, 4096] {
                let (left, right, at) = histogram.axis(limit);
                assert!(left <= shortest && right > longest && right - left >= LEAST_SPAN && left >= 0.0);
                assert!(at.is_none_or(|at| left < at && at < right), "{lengths:?} {limit}: {left} {at:?} {right}");
            }
        }
        assert_eq!(Histogram::new(&[14, 15]).axis(24).2, Some(25.0));
        assert_eq!(Histogram::new(&[25, 26]).axis(24).2, Some(25.0), "a limit below all examples is seen");
        assert_eq!(Histogram::new(&[14, 15]).axis(256).2, None);
    }

    #[test]
    fn the_limit_counts_what_is_longer() {
        let histogram = Histogram::new(&[5, 9, 9, 10, 11]);
        assert_eq!([4, 9, 10, 11].map(|limit| histogram.longer_than(limit)), [5, 2, 1, 0]);
        assert_eq!(histogram.range(), "5 to 11 tokens, median 9");
    }
}
