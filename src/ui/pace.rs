//! How often the window is drawn by itself while the engine works: as often as looks smooth where drawing is cheap, more seldom
//! where frames come late, since without a GPU to spare every frame is taken from the training. What people do is drawn at once.

use egui::{Context, Id};

/// Rest between two frames, where they come in time.
const SHORTEST_SECS: f64 = 0.066;
/// And where they come late, at most.
const LONGEST_SECS: f64 = 1.0;
/// Rest so many times as long as frames are late: drawing takes at most a third of the time.
const REST: f64 = 2.0;
/// A button held for so long is not clicked but held. Two frames may pass between press and release, however short the press was.
const CLICK_SECS: f64 = 0.8;
/// How much of the lateness the last frame says.
const SHARE: f64 = 0.3;

/// Watches how late frames come.
#[derive(Debug, Default)]
pub struct Pace {
    late_secs: f64,
    due_secs: Option<f64>,
}

impl Pace {
    /// A frame begins. One that comes before it is due has another reason and says nothing.
    pub fn frame(&mut self, now_secs: f64) {
        if let Some(late) = self.due_secs.take().map(|due| now_secs - due).filter(|late| *late >= 0.0) {
            // A window that was hidden comes back minutes late.
            self.late_secs += SHARE * (late.min(LONGEST_SECS) - self.late_secs);
        }
    }

    /// Seconds until the next frame of a busy engine.
    pub fn rest_secs(&self) -> f64 {
        (REST * self.late_secs).clamp(SHORTEST_SECS, LONGEST_SECS)
    }

    /// Says when the next frame is due, and how long the engine's news may lie until then.
    pub fn expect(&mut self, ctx: &Context, now_secs: f64, busy: bool) {
        let rest = if busy { self.rest_secs() } else { SHORTEST_SECS };
        self.due_secs = busy.then_some(now_secs + rest);
        ctx.options_mut(|options| options.input_options.max_click_duration = CLICK_SECS + 2.0 * self.late_secs);
        ctx.data_mut(|data| data.insert_temp(Id::unique(NEWS), rest as f32));
    }
}

/// Where egui keeps the rest, for the engine's threads.
const NEWS: &str = "rest before news is drawn";

/// The engine has news: they are drawn when the next frame is due.
pub fn wake(ctx: &Context) {
    let rest = ctx.data(|data| data.get_temp::<f32>(Id::unique(NEWS)));
    ctx.request_repaint_after_secs(rest.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames that come so much after they are due; the rest at the end.
    fn after(late_secs: f64, frames: usize) -> f64 {
        let (mut pace, mut now) = (Pace::default(), 0.0);
        for _ in 0..frames {
            pace.frame(now);
            let rest = pace.rest_secs();
            pace.expect(&Context::default(), now, true);
            now += rest + late_secs;
        }
        pace.rest_secs()
    }

    #[test]
    fn late_frames_are_asked_for_more_seldom() {
        assert_eq!(after(0.016, 50), SHORTEST_SECS, "a screen's own pace is not late");
        assert!((after(0.2, 50) - 0.4).abs() < 0.01);
        assert_eq!(after(60.0, 50), LONGEST_SECS);
    }

    #[test]
    fn a_frame_for_another_reason_says_nothing_and_rest_comes_back() {
        let (mut pace, ctx) = (Pace::default(), Context::default());
        pace.expect(&ctx, 0.0, true);
        pace.frame(0.01);
        assert_eq!(pace.rest_secs(), SHORTEST_SECS);
        for round in 0..20 {
            pace.expect(&ctx, f64::from(round), true);
            pace.frame(f64::from(round) + pace.rest_secs() + 0.3);
        }
        assert!(pace.rest_secs() > 0.5);
        let kept = || ctx.data(|data| data.get_temp::<f32>(Id::unique(NEWS))).unwrap();
        pace.expect(&ctx, 20.0, true);
        assert!(kept() > 0.5);
        assert!(ctx.options(|options| options.input_options.max_click_duration) > 1.3);
        pace.expect(&ctx, 21.0, false);
        assert!(kept() < 0.1, "an answer to somebody is shown soon");
        for round in 30..60 {
            pace.expect(&ctx, f64::from(round), true);
            pace.frame(f64::from(round) + pace.rest_secs());
        }
        assert_eq!(pace.rest_secs(), SHORTEST_SECS);
    }
}
