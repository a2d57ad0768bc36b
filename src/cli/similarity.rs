//! `similarity`: distances, principal angles and CKA between adapters, as a table, a page, a JSON and CSV files.

use super::args::SimilarityArgs;
use super::landscape::{anchors, begin, load, run_of, tracks, write};
use super::table::table;
use super::terminal::say;
use super::{Ending, Session};
use crate::engine::explorer::ExplorerSettings;
use crate::engine::landscape::{Known, Look, explore_similarity};
use crate::engine::landscape_report::{Measure, SimilarityReport, modules_csv, render_similarity, similarity_csv};
use crate::platform;

/// Most pairs in the table on the terminal; the CSV file has all.
const ROWS: usize = 36;

pub(super) fn similarity(args: &SimilarityArgs, session: &Session) -> anyhow::Result<Ending> {
    let mut folders = args.adapters.clone();
    for run in &args.track {
        folders.extend(tracks(run)?.into_iter().flat_map(|track| track.folders));
    }
    let (control, mut progress) = begin(session);
    let prepared = load((&args.ground, args.examples), run_of(&folders), &mut progress)?;
    let anchors = anchors(&folders, &prepared)?;
    let look = Look {
        title: args.ground.title.clone().unwrap_or_else(|| "How near adapters are".into()),
        seed: args.ground.seed,
        explorer: ExplorerSettings { examples: args.examples, points_at_once: 1, scores: false },
        command: session.command.clone(),
        known: Known::default(),
    };
    let mut show = |event| progress.show(event);
    let explored = explore_similarity(&prepared, &anchors, !args.no_cka, &look, &control, &mut show);
    let report = platform::block_on(explored)??;
    progress.close();
    say(&text(&report))?;
    let files: [(String, String); 2] =
        [("similarity.csv".into(), similarity_csv(&report)), ("similarity-modules.csv".into(), modules_csv(&report))];
    write(&args.ground.output, "similarity", &render_similarity(&report), &report, &files)?;
    Ok(if control.is_stopped() { Ending::Stopped } else { Ending::Done })
}

/// The adapters with their numbers, warnings, and a line for each pair.
fn text(report: &SimilarityReport) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    let numbered = report.adapters.iter().enumerate();
    let lines = numbered.map(|(index, name)| format!("{}  {name}\n", index + 1));
    let mut text = lines.collect::<Vec<_>>().concat();
    for warning in &report.warnings {
        text += &format!("note: {warning}\n");
    }
    let rows: Vec<Vec<String>> = (report.pairs().take(ROWS))
        .map(|(left, right)| {
            let output = report.states.last().and_then(|state| state.values[left][right]);
            let measures = Measure::ALL.map(|measure| number(report.value(measure, left, right)));
            let pair = format!("{} – {}", left + 1, right + 1);
            std::iter::once(pair).chain(measures).chain([number(output)]).collect()
        })
        .collect();
    let headings = Measure::ALL.map(Measure::title);
    let heading: Vec<&str> = ["pair"].into_iter().chain(headings).chain(["CKA, output"]).collect();
    text += &table(&heading, &rows);
    let rest = report.pairs().count().saturating_sub(ROWS);
    if rest > 0 {
        text += &format!("and {rest} more pairs in similarity.csv\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::landscape_report::PairTable;

    #[test]
    fn the_table_names_adapters_by_number_and_says_what_it_leaves_out() {
        let count = 10;
        let report = SimilarityReport {
            adapters: (1..=count).map(|index| format!("adapter {index}")).collect(),
            tables: vec![PairTable { measure: Measure::UpdateDistance, values: vec![vec![Some(1.5); count]; count] }],
            warnings: vec!["the ranks differ".into()],
            ..SimilarityReport::default()
        };
        let text = text(&report);
        assert!(
            text.starts_with("1  adapter 1\n2  adapter 2\n") && text.contains("note: the ranks differ\n"),
            "{text}"
        );
        assert!(text.contains("1 – 2 ") && text.contains("1.500") && text.contains("and 9 more pairs"), "{text}");
    }
}
