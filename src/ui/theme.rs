//! All colours and sizes of the window, for light and dark.
//!
//! Invariant: no other file of `ui` names a colour or a font size. Task colours are Okabe and Ito's palette ("Color universal
//! design", 2008), told apart by colour-blind people, in an order in which neighbours differ in lightness too; tasks beyond
//! the eighth repeat them, so panels also name a task. Heat is viridis (matplotlib), whose lightness rises throughout.

use egui::{Color32, FontFamily, FontId, Margin, Stroke, TextStyle, Visuals};
use serde::{Deserialize, Serialize};

/// Light or dark, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Theme {
    pub dark: bool,
    /// 0.75 to 2.
    pub text_scale: f32,
}

impl Default for Theme {
    fn default() -> Self {
        Self { dark: true, text_scale: 1.0 }
    }
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// On dark ground, then on light.
const TASKS: [[Color32; 2]; 8] = [
    [rgb(0x56_b4_e9), rgb(0x00_72_b2)],
    [rgb(0xe6_9f_00), rgb(0xb0_6f_00)],
    [rgb(0x00_c0_8b), rgb(0x00_7a_58)],
    [rgb(0xf0_e4_42), rgb(0x8a_7d_00)],
    [rgb(0xcc_79_a7), rgb(0xa8_4c_80)],
    [rgb(0xf0_7a_30), rgb(0xb8_4c_00)],
    [rgb(0x7a_a2_ff), rgb(0x32_4f_b4)],
    [rgb(0xc8_c8_c8), rgb(0x55_55_55)],
];

/// Nine places of viridis, evenly spaced.
const VIRIDIS: [[f32; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [71.0, 44.0, 122.0],
    [59.0, 81.0, 139.0],
    [44.0, 113.0, 142.0],
    [33.0, 144.0, 141.0],
    [39.0, 173.0, 129.0],
    [92.0, 200.0, 99.0],
    [170.0, 220.0, 50.0],
    [253.0, 231.0, 37.0],
];

impl Theme {
    /// Smallest and largest text.
    pub const SCALES: std::ops::RangeInclusive<f32> = 0.75..=2.0;
    /// Gap between things that belong together, in points.
    pub const GAP: f32 = 6.0;
    /// Gap between groups.
    pub const GROUP_GAP: f32 = 14.0;
    /// Rounding of cards.
    pub const ROUNDING: f32 = 6.0;
    /// Width of curves.
    pub const LINE: f32 = 1.75;
    /// Side of a matrix cell at text scale 1.
    pub const CELL: f32 = 44.0;
    /// Radius of a dot that stands for an item.
    pub const DOT: f32 = 4.0;
    /// Smallest height of something to click.
    pub const TARGET: f32 = 24.0;

    fn pick(&self, [dark, light]: [Color32; 2]) -> Color32 {
        if self.dark { dark } else { light }
    }

    /// Of a task, by its place in the stream.
    #[must_use]
    pub fn task(&self, index: usize) -> Color32 {
        self.pick(TASKS[index % TASKS.len()])
    }

    /// Of a run among those compared, by its place in the list.
    #[must_use]
    pub fn run(&self, index: usize) -> Color32 {
        self.pick(TASKS[(index * 3 + 1) % TASKS.len()])
    }

    /// Of a learner: `working` (fast), `long_term` (slow), `base`, or the only one.
    #[must_use]
    pub fn learner(&self, name: &str) -> Color32 {
        match name {
            "working" => self.pick(TASKS[1]),
            "long_term" => self.pick(TASKS[0]),
            "base" => self.pick(TASKS[7]),
            _ => self.pick(TASKS[2]),
        }
    }

    /// Of a loss term.
    #[must_use]
    pub fn loss_term(&self, name: &str) -> Color32 {
        match name {
            "total" => self.text(),
            "task" => self.pick(TASKS[1]),
            "replay" => self.pick(TASKS[0]),
            "consistency" => self.pick(TASKS[4]),
            other => {
                let sum = other.bytes().map(usize::from).sum::<usize>();
                self.pick(TASKS[[2, 3, 5, 6][sum % 4]])
            }
        }
    }

    #[must_use]
    pub fn text(&self) -> Color32 {
        self.pick([rgb(0xe8_ea_ed), rgb(0x1b_1f_24)])
    }

    /// Less important text.
    #[must_use]
    pub fn muted(&self) -> Color32 {
        self.pick([rgb(0xa4_ab_b6), rgb(0x57_60_6a)])
    }

    /// Something to be noticed that is neither good nor bad; also what is selected.
    #[must_use]
    pub fn accent(&self) -> Color32 {
        self.pick([rgb(0x56_b4_e9), rgb(0x00_5f_9e)])
    }

    #[must_use]
    pub fn good(&self) -> Color32 {
        self.pick([rgb(0x3d_d6_a0), rgb(0x00_74_50)])
    }

    #[must_use]
    pub fn warning(&self) -> Color32 {
        self.pick([rgb(0xf5_b7_3d), rgb(0x95_5f_00)])
    }

    #[must_use]
    pub fn bad(&self) -> Color32 {
        self.pick([rgb(0xff_7b_6b), rgb(0xb4_24_18)])
    }

    /// Behind everything.
    #[must_use]
    pub fn ground(&self) -> Color32 {
        self.pick([rgb(0x14_17_1c), rgb(0xf4_f5_f7)])
    }

    /// Behind a card.
    #[must_use]
    pub fn card(&self) -> Color32 {
        self.pick([rgb(0x1d_21_28), rgb(0xff_ff_ff)])
    }

    /// Lines between things, grids.
    #[must_use]
    pub fn line(&self) -> Color32 {
        self.pick([rgb(0x3a_41_4c), rgb(0xc9_ce_d6)])
    }

    /// Behind a token that the loss is taken on.
    #[must_use]
    pub fn trained_token(&self) -> Color32 {
        self.pick([rgb(0x1f_5a_46), rgb(0xb9_ec_d6)])
    }

    /// A share of 1 as a colour; `None` (not measured) is the ground.
    #[must_use]
    pub fn heat(&self, share: Option<f64>) -> Color32 {
        let Some(share) = share.filter(|share| share.is_finite()) else { return self.ground() };
        let place = (share.clamp(0.0, 1.0) * 8.0) as f32;
        let low = (place.floor() as usize).min(7);
        let (from, to, part) = (VIRIDIS[low], VIRIDIS[low + 1], place - low as f32);
        let channel = |index: usize| (from[index] + (to[index] - from[index]) * part).round() as u8;
        Color32::from_rgb(channel(0), channel(1), channel(2))
    }

    /// Text that can be read on this ground: black or white, whichever stands out more.
    #[must_use]
    pub fn on(ground: Color32) -> Color32 {
        if luminance(ground) > 0.179 { Color32::BLACK } else { Color32::WHITE }
    }

    /// A colour with this share of its opacity.
    #[must_use]
    pub fn faint(colour: Color32, share: f32) -> Color32 {
        colour.gamma_multiply(share)
    }

    /// A frame around a card.
    pub fn card_frame(&self) -> egui::Frame {
        egui::Frame::new()
            .fill(self.card())
            .stroke(Stroke::new(1.0, self.line()))
            .corner_radius(Self::ROUNDING)
            .inner_margin(Margin::same(8))
    }

    /// Sets colours, spacing and fonts of the whole window. Text scales by the window's zoom, see [`Self::text_scale`].
    pub fn apply(&self, ctx: &egui::Context) {
        let mut visuals = if self.dark { Visuals::dark() } else { Visuals::light() };
        visuals.override_text_color = Some(self.text());
        visuals.panel_fill = self.ground();
        visuals.window_fill = self.card();
        visuals.extreme_bg_color = self.pick([rgb(0x0f_11_15), rgb(0xff_ff_ff)]);
        visuals.faint_bg_color = self.pick([rgb(0x1a_1e_24), rgb(0xec_ee_f1)]);
        visuals.selection.bg_fill = self.pick([rgb(0x1d_4f_72), rgb(0xb5_dc_f5)]);
        visuals.selection.stroke = Stroke::new(1.0, self.accent());
        visuals.hyperlink_color = self.accent();
        visuals.warn_fg_color = self.warning();
        visuals.error_fg_color = self.bad();
        ctx.set_visuals(visuals);
        ctx.set_theme(if self.dark { egui::Theme::Dark } else { egui::Theme::Light });
        ctx.all_styles_mut(|style| {
            let font = |size: f32| FontId::new(size, FontFamily::Proportional);
            style.text_styles = [
                (TextStyle::Small, font(11.0)),
                (TextStyle::Body, font(13.5)),
                (TextStyle::Button, font(13.5)),
                (TextStyle::Heading, font(18.0)),
                (TextStyle::Monospace, FontId::new(12.5, FontFamily::Monospace)),
            ]
            .into();
            style.spacing.item_spacing = egui::vec2(Self::GAP, Self::GAP);
            style.spacing.interact_size.y = Self::TARGET;
        });
        ctx.set_zoom_factor(self.text_scale.clamp(*Self::SCALES.start(), *Self::SCALES.end()));
    }
}

/// Relative luminance by WCAG 2.
fn luminance(colour: Color32) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG 2: 4.5 for text, 3 for what is drawn.
    #[test]
    fn everything_stands_out_from_its_ground() {
        for dark in [false, true] {
            let theme = Theme { dark, ..Theme::default() };
            for ground in [theme.ground(), theme.card()] {
                for text in [theme.text(), theme.muted(), theme.good(), theme.warning(), theme.bad(), theme.accent()] {
                    assert!(
                        contrast(text, ground) >= 4.5,
                        "dark {dark}: {text:?} on {ground:?} {}",
                        contrast(text, ground)
                    );
                }
                for task in 0..8 {
                    assert!(contrast(theme.task(task), ground) >= 3.0, "dark {dark}: task {task}");
                }
            }
            for step in 0..=20 {
                let ground = theme.heat(Some(f64::from(step) / 20.0));
                assert!(contrast(Theme::on(ground), ground) >= 4.5, "heat {step}");
            }
            assert!(contrast(theme.text(), theme.trained_token()) >= 4.5);
        }
    }

    #[test]
    fn heat_grows_lighter() {
        let theme = Theme::default();
        let lightness: Vec<f64> = (0..=40).map(|step| luminance(theme.heat(Some(f64::from(step) / 40.0)))).collect();
        assert!(lightness.is_sorted(), "{lightness:?}");
        assert_eq!(theme.heat(Some(f64::NAN)), theme.heat(None));
    }
}
