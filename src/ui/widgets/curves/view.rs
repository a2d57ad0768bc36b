//! Which steps a group of plots shows, and the step under the pointer.

use egui::Id;

/// Fewest steps that can be shown.
const FEWEST: f64 = 2.0;

/// Shared by plots that show the same steps.
#[derive(Clone, Debug, Default)]
pub struct StepView {
    /// `None` shows all steps, also those to come.
    range: Option<[f64; 2]>,
    /// The plot that the pointer is over, and the step.
    hover: Option<(Id, f64)>,
}

impl StepView {
    /// The steps that are shown, out of all there are.
    #[must_use]
    pub fn shown(&self, full: [f64; 2]) -> [f64; 2] {
        let full = [full[0], full[1].max(full[0] + 1.0)];
        self.range.map_or(full, |[from, to]| {
            // A resumed run may have fewer steps than when the range was chosen.
            let width = (to - from).min(full[1] - full[0]);
            let from = from.clamp(full[0], full[1] - width);
            [from, from + width]
        })
    }

    /// Whether all steps are shown.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.range.is_none()
    }

    /// Shows all steps.
    pub fn reset(&mut self) {
        self.range = None;
    }

    /// Shows these steps, as far as they exist.
    pub fn set(&mut self, [from, to]: [f64; 2], full: [f64; 2]) {
        let all = full[1] - full[0];
        let width = (to - from).clamp(FEWEST.min(all), all);
        if !width.is_finite() || width >= all * 0.999 {
            self.range = None;
            return;
        }
        let from = (from.midpoint(to) - width / 2.0).clamp(full[0], full[1] - width);
        self.range = Some([from, from + width]);
    }

    /// Moves by so many steps.
    pub fn pan(&mut self, by: f64, full: [f64; 2]) {
        if let Some([from, to]) = self.range {
            self.set([from + by, to + by], full);
        }
    }

    /// Magnifies around a step; a factor below 1 shows more.
    pub fn zoom(&mut self, factor: f64, around: f64, full: [f64; 2]) {
        let [from, to] = self.shown(full);
        let around = around.clamp(from, to);
        self.set([around - (around - from) / factor, around + (to - around) / factor], full);
    }

    /// The step under the pointer.
    #[must_use]
    pub fn hover(&self) -> Option<f64> {
        self.hover.map(|(_, step)| step)
    }

    /// Told by each plot: where the pointer is over it, if it is.
    pub fn point(&mut self, plot: Id, step: Option<f64>) {
        match step {
            Some(step) => self.hover = Some((plot, step)),
            None if self.hover.is_some_and(|(owner, _)| owner == plot) => self.hover = None,
            None => {}
        }
    }
}
