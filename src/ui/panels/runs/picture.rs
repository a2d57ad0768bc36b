//! The curves of compared runs as a picture (SVG 1.1), with the settings that made them in its caption.

use super::comparison::Shown;
use super::export::caption;
use super::overlay::accuracy;
use crate::ui::theme::Theme;
use egui::Color32;
use std::fmt::Write as _;

/// One plot, and the room around it for its axes.
const PLOT: [f64; 2] = [460.0, 260.0];
const LEFT: f64 = 52.0;
const LINE: f64 = 17.0;
/// Two points for each.
const COLUMNS: usize = 460;

/// One curve of a plot.
struct Trace {
    colour: Color32,
    points: Vec<[f64; 2]>,
    dots: bool,
}

/// Average accuracy and total loss beside each other.
pub fn curves_svg(theme: Theme, shown: &[Shown<'_>]) -> String {
    let captions: Vec<String> = shown
        .iter()
        .flat_map(|shown| caption(shown.run).lines().map(ToString::to_string).collect::<Vec<_>>())
        .collect();
    let top = 16.0 + LINE * shown.len() as f64 + 30.0;
    let (width, bottom) = (2.0 * (LEFT + PLOT[0] + 20.0), top + PLOT[1] + 52.0);
    let height = bottom + LINE * captions.len() as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
         {height:.0}\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Average accuracy and total loss of {} runs</title>\n<rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        shown.len(),
        hex(theme.card()),
    );
    for (line, one) in shown.iter().enumerate() {
        let y = 16.0 + LINE * line as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"14\" height=\"4\" fill=\"{}\"/><text x=\"{}\" y=\"{:.1}\" fill=\"{}\">{}</text>",
            y + 3.0,
            hex(theme.run(one.place)),
            LEFT + 20.0,
            y + 9.0,
            hex(theme.text()),
            escape(one.label)
        );
    }
    let accuracies = shown.iter().map(|one| Trace {
        colour: theme.run(one.place),
        points: accuracy(one.run).decimated(f64::NEG_INFINITY, f64::INFINITY, COLUMNS),
        dots: true,
    });
    plot(
        &mut svg,
        theme,
        [LEFT, top],
        "average accuracy over the tasks learnt so far, %",
        &accuracies.collect::<Vec<_>>(),
    );
    let losses = shown.iter().filter_map(|one| {
        let series = one.run.curves.losses.get("total")?;
        let points = series.decimated(f64::NEG_INFINITY, f64::INFINITY, COLUMNS);
        Some(Trace { colour: theme.run(one.place), points, dots: false })
    });
    let place = [2.0 * LEFT + PLOT[0] + 20.0, top];
    plot(&mut svg, theme, place, "total loss", &losses.collect::<Vec<_>>());
    for (line, text) in captions.iter().enumerate() {
        let y = bottom + LINE * line as f64;
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{y:.1}\" fill=\"{}\" font-size=\"11\">{}</text>",
            hex(theme.muted()),
            escape(text)
        );
    }
    svg + "</svg>\n"
}

fn plot(svg: &mut String, theme: Theme, [left, top]: [f64; 2], name: &str, traces: &[Trace]) {
    let (text, line) = (hex(theme.muted()), hex(theme.line()));
    let _ = writeln!(svg, "<text x=\"{left:.1}\" y=\"{:.1}\" fill=\"{}\">{name}</text>", top - 10.0, hex(theme.text()));
    let points = || traces.iter().flat_map(|trace| &trace.points).filter(|[x, y]| x.is_finite() && y.is_finite());
    let Some(ys) = extent(points().map(|[_, y]| *y)) else {
        let _ =
            writeln!(svg, "<text x=\"{left:.1}\" y=\"{:.1}\" fill=\"{text}\">nothing measured yet</text>", top + 20.0);
        return;
    };
    let last = points().map(|[x, _]| *x).fold(1.0, f64::max);
    let margin = 0.05 * (ys[1] - ys[0]);
    let ys = [ys[0] - margin, ys[1] + margin];
    let place = |x: f64, y: f64| [left + PLOT[0] * x / last, top + PLOT[1] * (ys[1] - y) / (ys[1] - ys[0])];
    for tick in ticks(ys) {
        let [_, y] = place(0.0, tick);
        let _ = writeln!(
            svg,
            "<path d=\"M{left:.1} {y:.1}h{}\" stroke=\"{line}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{text}\">{}</text>",
            PLOT[0],
            left - 6.0,
            y + 4.0,
            short(tick)
        );
    }
    for tick in ticks([0.0, last]) {
        let [x, _] = place(tick, 0.0);
        let y = top + PLOT[1] + 16.0;
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" fill=\"{text}\">{}</text>",
            short(tick)
        );
    }
    let (x, y) = (left + PLOT[0] / 2.0, top + PLOT[1] + 32.0);
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" fill=\"{text}\">step</text>");
    for trace in traces {
        let colour = hex(trace.colour);
        // a value that is not finite breaks the line
        for piece in trace.points.split(|[_, y]| !y.is_finite()).filter(|piece| !piece.is_empty()) {
            let mut path = String::new();
            for (index, [x, y]) in piece.iter().enumerate() {
                let [x, y] = place(*x, *y);
                let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" });
                if trace.dots {
                    let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
                }
            }
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" stroke-linejoin=\"round\"/>"
            );
        }
    }
}

/// Least and greatest, apart.
fn extent(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    let [low, high] = values.map(|value| [value, value]).reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])])?;
    Some(if high > low { [low, high] } else { [low - 0.5, high + 0.5] })
}

/// Round values inside, at most seven of them.
fn ticks([low, high]: [f64; 2]) -> Vec<f64> {
    let raw = (high - low) / 6.0;
    let decade = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * decade).into_iter().find(|step| *step >= raw).unwrap_or(raw);
    // values far beyond what numbers resolve have no ticks rather than endlessly many
    if !(step.is_finite() && step > 0.0) || (high / step).abs() > 1e12 {
        return Vec::new();
    }
    let first = (low / step).ceil();
    (0..8).map(|index| (first + f64::from(index)) * step).take_while(|tick| *tick <= high).collect()
}

fn short(value: f64) -> String {
    // `+ 0.0` so that nothing is written as minus nothing
    let rounded = (value * 1e6).round() / 1e6 + 0.0;
    if rounded.abs() >= 1e6 { format!("{rounded:e}") } else { rounded.to_string() }
}

fn hex(colour: Color32) -> String {
    format!("#{:02x}{:02x}{:02x}", colour.r(), colour.g(), colour.b())
}

fn escape(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            letter if letter.is_control() => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample;

    #[test]
    fn a_picture_names_runs_and_settings_and_breaks_at_gaps() {
        let mut state = sample::state();
        let total = state.runs[0].curves.losses.get_mut("total").unwrap();
        let points: Vec<[f64; 2]> = total.points().collect();
        for [x, y] in &points[60..] {
            total.push(*x, if *x == 375.0 { f64::NAN } else { *y });
        }
        let shown: Vec<Shown<'_>> =
            state.runs.iter().enumerate().map(|(place, run)| Shown { run, label: "<&>", place }).collect();
        let svg = curves_svg(Theme::default(), &shown);
        assert!(svg.contains("&lt;&amp;&gt;") && !svg.contains("<&>"));
        assert!(svg.contains("thalweg demo") && svg.contains("seed 1, device CPU (2 threads)"));
        assert_eq!(svg.matches("<circle").count(), 16, "eight tasks of two runs");
        assert_eq!(svg.matches("fill=\"none\"").count(), 2 + 3, "the loss with a gap has two pieces");
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks([0.0, 600.0]), [0.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0]);
        assert_eq!(ticks([0.27, 1.3]).into_iter().map(short).collect::<Vec<_>>(), ["0.4", "0.6", "0.8", "1", "1.2"]);
        assert!(ticks([f64::NAN, 1.0]).is_empty() && ticks([1e300, 1.000_001e300]).len() < 9);
    }
}
