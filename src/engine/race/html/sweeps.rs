//! What a setting does: average accuracy, plasticity and what is kept over its values, and the one against the other.

use std::fmt::Write as _;

use super::sweep_chart::{Line, Scale, SweepChart};
use super::trade_off::TradeOff;
use super::{Page, capital, table_head};
use crate::engine::race::record::SweepRecord;
use crate::engine::race::statistics::Estimate;
use crate::engine::race::summary::seeds::Runs;
use crate::engine::race::summary::{ACCURACY, FORGETTING, METRICS, Metric, PLASTICITY, within};
use crate::engine::report::RunReport;
use crate::engine::report_html::charts::legend;
use crate::engine::report_html::figure;
use crate::engine::report_html::text::{escape, plain_percent, points, task_class};

/// Name and class of what is drawn over one setting.
const DRAWN: [(&str, &str, usize); 3] =
    [("average accuracy", "ink lead", ACCURACY), ("plasticity", "t4", PLASTICITY), ("kept", "t0", FORGETTING)];

/// The section, or nothing if there is no sweep with a finished run.
pub fn section(page: &Page<'_>) -> String {
    page.record.sweeps.iter().enumerate().map(|(index, sweep)| one(page, index, sweep)).collect()
}

fn one(page: &Page<'_>, index: usize, sweep: &SweepRecord) -> String {
    let mut points: Vec<(&[String], Runs<'_>)> = Vec::new();
    for point in page.finished.kept.iter().filter_map(|entry| entry.sweep.as_ref()).filter(|point| point.sweep == index)
    {
        if !points.iter().any(|(values, _)| *values == point.values.as_slice()) {
            points.push((&point.values, page.finished.point(index, &point.values)));
        }
    }
    let Some(setting) = sweep.settings.first().filter(|_| !points.is_empty()) else { return String::new() };
    let values_of = |place: usize| {
        let mut found: Vec<String> = Vec::new();
        for value in points.iter().filter_map(|(values, _)| values.get(place)) {
            if !found.contains(value) {
                found.push(value.clone());
            }
        }
        found
    };
    let scale = Scale::of(values_of(0));
    // one curve for each value of the second setting; without a second one a single curve
    let curves: Vec<Option<String>> = match sweep.settings.get(1) {
        Some(_) => Scale::of(values_of(1)).values.into_iter().map(Some).collect(),
        None => vec![None],
    };
    let at = |value: &String, curve: &Option<String>| {
        let same = |values: &[String]| values.first() == Some(value) && values.get(1) == curve.as_ref();
        points.iter().find(|(values, _)| same(values)).map(|(_, runs)| runs)
    };
    let title = if sweep.title.is_empty() {
        format!("{} over {}", sweep.method, sweep.settings.join(" and "))
    } else {
        sweep.title.clone()
    };
    let mut html = format!("<h3>{}</h3>\n", escape(&title));
    let seeds: Vec<String> = points
        .iter()
        .flat_map(|(_, runs)| runs.seeds())
        .collect::<std::collections::BTreeSet<_>>()
        .iter()
        .map(u64::to_string)
        .collect();
    let mut orders: Vec<&str> = points.iter().flat_map(|(_, runs)| runs.orders()).collect();
    orders.sort_unstable();
    orders.dedup();
    let _ = writeln!(
        html,
        "<p class=\"facts\"><span>method <b>{}</b></span><span>seeds <b>{}</b></span><span>orders <b>{}</b></span></p>",
        escape(&sweep.method),
        seeds.join(", "),
        escape(&orders.join(", "))
    );
    let line = |name: String, class: String, curve: &Option<String>, metric: usize| Line {
        name,
        class,
        estimates: scale.values.iter().map(|value| drawn(at(value, curve)?, metric)).collect(),
    };
    let trade_off = |names: bool| {
        let paths = curves.iter().enumerate().map(|(number, curve)| {
            let point = |value: &String| {
                let runs = at(value, curve)?;
                Some((drawn(runs, FORGETTING)?, drawn(runs, PLASTICITY)?))
            };
            let name = if names {
                format!("{} {},", sweep.settings[1], curve.as_deref().unwrap_or(""))
            } else {
                String::new()
            };
            let class = if names { curve_class(number) } else { "ink".to_owned() };
            (name, class, scale.values.iter().map(point).collect())
        });
        TradeOff {
            title: format!("{title}: plasticity against what is kept"),
            setting,
            scale: &scale,
            paths: paths.collect(),
        }
        .to_svg()
    };
    let band = "Bands: 95 % intervals over seeds.";
    let trade_caption = format!(
        "<b>The trade-off.</b> To the right: less is forgotten; upwards: more is learnt. One dot for each value of {}.",
        escape(setting)
    );
    html.push_str("<div class=\"pair\">\n");
    if let Some(second) = sweep.settings.get(1) {
        let names: Vec<(String, String)> = (curves.iter().enumerate())
            .map(|(number, curve)| (curve_class(number), format!("{second} {}", curve.as_deref().unwrap_or(""))))
            .collect();
        html.insert_str(html.len() - "<div class=\"pair\">\n".len(), &legend(&names));
        for (name, _, metric) in DRAWN {
            let lines = (curves.iter().zip(&names))
                .map(|(curve, (class, name))| line(name.clone(), class.clone(), curve, metric))
                .collect();
            let title = format!("{title}: {name}");
            let chart = SweepChart { title, x_label: setting, y_label: format!("{name}, %"), scale: &scale, lines };
            figure(&mut html, chart.to_svg(), &format!("<b>{}</b>{}. {band}", capital(name), meaning(metric)));
        }
        figure(&mut html, trade_off(true), &trade_caption);
    } else {
        let lines =
            DRAWN.iter().map(|(name, class, metric)| line((*name).to_owned(), (*class).to_owned(), &None, *metric));
        let chart = SweepChart {
            title: format!("{title}: average accuracy, plasticity and what is kept"),
            x_label: setting,
            y_label: "%".into(),
            scale: &scale,
            lines: lines.collect(),
        };
        let names: Vec<(String, String)> =
            DRAWN.iter().map(|(name, class, _)| ((*class).to_owned(), (*name).to_owned())).collect();
        let picture = chart.to_svg().map(|svg| legend(&names) + &svg);
        let caption = format!(
            "<b>Over {}</b>: average accuracy at the end; plasticity, the score on a task just after learning it; kept, 100 − \
             forgetting. {band}",
            escape(setting)
        );
        figure(&mut html, picture, &caption);
        figure(&mut html, trade_off(false), &trade_caption);
    }
    html.push_str("</div>\n");
    html.push_str(&numbers(sweep, &points));
    html
}

/// A metric over the runs of a point, in seeds; of forgetting what is left, so that more is better.
fn drawn(runs: &Runs<'_>, metric: usize) -> Option<Estimate> {
    runs.estimate(|report| {
        let value = headline(report, metric)?;
        Some(if metric == FORGETTING { 1.0 - value } else { value })
    })
}

fn headline(report: &RunReport, metric: usize) -> Option<f64> {
    (METRICS[metric].of)(&report.headline_learner()?.matrix)
}

fn meaning(metric: usize) -> &'static str {
    match metric {
        PLASTICITY => ": the score on a task just after learning it",
        FORGETTING => ": 100 − forgetting",
        _ => " at the end",
    }
}

/// Curves that compare values of a second setting; the first two well apart.
fn curve_class(number: usize) -> String {
    const ORDER: [usize; 8] = [4, 0, 2, 3, 1, 7, 6, 9];
    task_class(ORDER[number % 8] + number / 8 * 10)
}

/// All points with all metrics.
fn numbers(sweep: &SweepRecord, points_of: &[(&[String], Runs<'_>)]) -> String {
    let mut columns: Vec<(&str, &str)> = sweep.settings.iter().map(|name| (name.as_str(), "")).collect();
    columns.push(("Runs", ""));
    let names = METRICS.each_ref().map(|metric| capital(metric.name));
    let unit = |metric: &Metric| if metric.in_points { "points" } else { "%" };
    columns.extend(METRICS.iter().zip(&names).map(|(metric, name)| (name.as_str(), unit(metric))));
    let mut html = String::from("<details><summary>All numbers of this sweep</summary>");
    html.push_str(&table_head("results race", &columns));
    html.push_str("<tbody class=\"run\">\n");
    for (values, runs) in points_of {
        html.push_str("<tr>");
        for (place, _) in sweep.settings.iter().enumerate() {
            let value = escape(values.get(place).map_or("–", String::as_str));
            let _ = if place == 0 {
                write!(html, "<th scope=\"row\">{value}</th>")
            } else {
                write!(html, "<td>{value}</td>")
            };
        }
        let _ = write!(html, "<td>{}</td>", runs.entries.len());
        for (column, metric) in METRICS.iter().enumerate() {
            let value = runs.estimate(|report| headline(report, column));
            let number = if metric.signed { points } else { plain_percent };
            let below =
                within(value, number).map_or_else(String::new, |interval| format!("<small>[{interval}]</small>"));
            let _ = write!(html, "<td>{}{below}</td>", number(value.map(|value| value.mean)));
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div></details>\n"
}
