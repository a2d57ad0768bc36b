//! `path` and `plane`: the losses between adapters, as a page, a picture, a JSON and a CSV file.

use super::args::{EventArgs, GroundArgs, LandscapeArgs, PathArgs, PathKind, PlaneArgs};
use super::progress::Progress;
use super::table::{points, table};
use super::terminal::{note, say};
use super::{Ending, Session, UsageError, interrupt};
use crate::engine::config::{ExperimentConfig, MethodConfig, TaskConfig};
use crate::engine::curve::CurveSettings;
use crate::engine::explorer::ExplorerSettings;
use crate::engine::landscape::{
    Anchor, Known, Look, PathRequest, PathShape, PlaneRequest, PlaneShape, Track, beside_path, explore_path,
    explore_plane, read_anchors,
};
use crate::engine::landscape_report::{PathReport, path_csv, path_svg, plane_csv, render_path, render_plane};
use crate::engine::prepare::Prepared;
use crate::engine::run_folder::{CONFIG_FILE, RunFolder};
use crate::engine::{Control, EngineError, experiment};
use crate::io::atomic::write_file;
use crate::platform;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the first Ctrl-C says.
const STOPPING: &str = "stopping and keeping the points that were measured";

pub(super) fn path(args: &PathArgs, session: &Session) -> anyhow::Result<Ending> {
    if !(args.beyond.is_finite() && args.beyond >= 0.0) {
        return Err(UsageError("--beyond must be a number of at least 0".into()).into());
    }
    let (control, mut progress) = begin(session);
    let mut reports = earlier(&args.with)?;
    let before = reports.len();
    let prepared = load((&args.look.ground, args.look.examples), run_of(&args.adapters), &mut progress)?;
    let folders: Vec<PathBuf> = args.adapters.iter().chain(&args.also).cloned().collect();
    let mut anchors = anchors(&folders, &prepared)?;
    let also = anchors.split_off(args.adapters.len());
    let look = look(&args.look, "Between adapters", session);
    let mut failed = None;
    for kind in &args.kind {
        let request = PathRequest {
            shape: match kind {
                PathKind::Line => PathShape::Line,
                PathKind::Product => PathShape::Product,
                PathKind::Slerp => PathShape::Slerp,
                PathKind::Bezier => PathShape::Bezier,
                PathKind::Polychain => PathShape::PolyChain,
            },
            points: args.points,
            beyond: args.beyond,
            curve: CurveSettings {
                bends: args.bends,
                steps: args.steps,
                batch_size: args.batch_size,
                learning_rate: args.learning_rate,
                seed: args.look.ground.seed,
                pad_multiple: 8,
            },
            watches: false,
        };
        let mut show = |event| progress.show(event);
        let mut ignore = |_| {};
        let explored = async {
            let explored = explore_path(&prepared, &anchors, &request, &look, &control, &mut show, &mut ignore);
            let (mut report, ground) = Box::pin(explored).await?;
            report.beside = beside_path(&prepared, &ground, &report, &also, &look, &control).await?;
            Ok::<_, EngineError>(report)
        };
        match platform::block_on(explored)? {
            Ok(report) => reports.push(report),
            Err(error) => failed = Some(error),
        }
        if control.is_stopped() || failed.is_some() {
            break;
        }
    }
    progress.close();
    for warning in reports[before..].iter().flat_map(|report| &report.warnings) {
        say(&format!("note: {warning}"))?;
    }
    if let (true, Some(error)) = (reports.len() == before, &failed) {
        return Err(anyhow::anyhow!("{error}"));
    }
    say(&barriers(&reports))?;
    for report in &reports {
        for place in &report.beside {
            let t = place.t + 0.0;
            say(&format!("{}: {} is nearest at t = {t:.2}, {:.3} away", report.kind, place.name, place.distance))?;
        }
    }
    let new = reports[before..].iter();
    let mut files: Vec<(String, String)> =
        new.map(|report| (format!("{}.csv", report.kind.replace(' ', "-")), path_csv(report))).collect();
    files.extend(path_svg(&reports).map(|svg| ("path.svg".to_owned(), svg)));
    write(&args.look.ground.output, "path", &render_path(&reports), &reports, &files)?;
    // What was finished is written; then the failure is told.
    if let Some(error) = failed {
        return Err(error.into());
    }
    Ok(if control.is_stopped() { Ending::Stopped } else { Ending::Done })
}

pub(super) fn plane(args: &PlaneArgs, session: &Session) -> anyhow::Result<Ending> {
    if !(args.margin.is_finite() && args.margin >= 0.0) {
        return Err(UsageError("--margin must be a number of at least 0".into()).into());
    }
    let mut shown = args.track.clone();
    // Random directions are told with the share of the motion of training that they hold, which takes somebody's track.
    if args.random && shown.is_empty() && args.also.is_empty() {
        shown.extend(run_of(&args.adapters).filter(|run| run.join("adapters").is_dir()));
    }
    let tracks: Vec<Track> =
        shown.iter().map(|run| tracks(run)).collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect();
    let (control, mut progress) = begin(session);
    let prepared = load((&args.look.ground, args.look.examples), run_of(&args.adapters), &mut progress)?;
    let folders: Vec<PathBuf> = args.adapters.iter().chain(&args.also).cloned().collect();
    let anchors = anchors(&folders, &prepared)?;
    let look = look(&args.look, "A plane through adapters", session);
    let request = PlaneRequest {
        shape: match (args.pca, args.random) {
            (true, _) => PlaneShape::Principal,
            (_, true) => PlaneShape::Random,
            _ => PlaneShape::Through,
        },
        points: args.points,
        margin: args.margin,
        tracks,
        curves: Vec::new(),
    };
    let laid = (anchors.as_slice(), args.adapters.len());
    let mut show = |event| progress.show(event);
    let mut ignore = |_| {};
    let explored = explore_plane(&prepared, laid, &request, &look, &control, &mut show, &mut ignore);
    let (report, _) = platform::block_on(explored)??;
    progress.close();
    for mark in &report.anchors {
        // what rounds to zero shall not be told as -0.000
        let [x, y, beside] = [mark.x, mark.y, mark.residual].map(|value| (value * 1e3).round() / 1e3 + 0.0);
        say(&format!("{}: ({x:.3}, {y:.3}), {beside:.3} from the plane", mark.name))?;
    }
    if let Some([first, second]) = report.share_of_motion.map(|shares| shares.map(|share| 100.0 * share)) {
        let both = first + second;
        say(&format!("the two directions hold {first:.1} % and {second:.1} % of the motion, {both:.1} % together"))?;
    }
    for warning in &report.warnings {
        say(&format!("note: {warning}"))?;
    }
    let measured = report.losses.len() - report.unmeasured();
    say(&format!("{measured} points in {:.1} s", report.secs))?;
    write(
        &args.look.ground.output,
        "plane",
        &render_plane(&report),
        &report,
        &[("plane.csv".into(), plane_csv(&report))],
    )?;
    Ok(if control.is_stopped() { Ending::Stopped } else { Ending::Done })
}

pub(super) fn begin(session: &Session) -> (Control, Progress) {
    let control = Control::default();
    interrupt::listen(&control, STOPPING);
    let progress = Progress::new(EventArgs::default(), session.quiet, &control);
    (control, progress)
}

/// Model and tasks: of the run that was `found`, with what the flags say instead.
pub(super) fn load(
    (args, examples): (&GroundArgs, usize),
    found: Option<PathBuf>,
    progress: &mut Progress,
) -> anyhow::Result<Arc<Prepared>> {
    let mut config = match args.run.clone().or(found) {
        Some(run) => RunFolder::open(&run)?.1,
        None => ExperimentConfig::default(),
    };
    // Adapters are looked at, whatever method made them.
    config.methods = vec![MethodConfig::Name("seq".into())];
    if let Some(model) = &args.model {
        config.model.clone_from(model);
    }
    if let Some(device) = &args.device {
        config.device.clone_from(device);
    }
    if !args.task.is_empty() {
        config.tasks = args.task.iter().cloned().map(TaskConfig::Source).collect();
    }
    config.evaluation.max_examples = examples;
    let mut show = |event| progress.show(event);
    let prepared = experiment::load(&config, &mut show);
    Ok(platform::block_on(prepared)??)
}

/// The run folder that the first of these adapters lies in.
pub(super) fn run_of(adapters: &[PathBuf]) -> Option<PathBuf> {
    let whole = std::fs::canonicalize(adapters.first()?).ok()?;
    whole.ancestors().find(|folder| folder.join(CONFIG_FILE).is_file()).map(Path::to_path_buf)
}

/// The paths of files that were written before.
fn earlier(files: &[PathBuf]) -> anyhow::Result<Vec<PathReport>> {
    let mut reports = Vec::new();
    for file in files {
        let wrong = |why: &dyn std::fmt::Display| {
            UsageError(format!("--with {}: {why}; give a path.json that `thalweg path` wrote", file.display()))
        };
        let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
        reports.extend(serde_json::from_str::<Vec<PathReport>>(&text).map_err(|error| wrong(&error))?);
    }
    Ok(reports)
}

pub(super) fn anchors(folders: &[PathBuf], prepared: &Prepared) -> Result<Vec<Anchor>, EngineError> {
    read_anchors(&folders.iter().map(PathBuf::as_path).collect::<Vec<_>>(), prepared)
}

fn look(args: &LandscapeArgs, title: &str, session: &Session) -> Look {
    Look {
        title: args.ground.title.clone().unwrap_or_else(|| title.into()),
        seed: args.ground.seed,
        explorer: ExplorerSettings {
            examples: args.examples,
            points_at_once: args.points_at_once,
            scores: !args.no_scores,
        },
        command: session.command.clone(),
        known: Known::default(),
    }
}

/// The ways of a run's learners: their adapters after each task.
pub(super) fn tracks(run: &Path) -> anyhow::Result<Vec<Track>> {
    let adapters = run.join("adapters");
    let nothing = |why: &dyn std::fmt::Display| {
        UsageError(format!("--track {}: {why}; give the folder of a run that wrote adapters", run.display()))
    };
    let below = |folder: &Path| -> Result<Vec<PathBuf>, UsageError> {
        let entries = std::fs::read_dir(folder).map_err(|error| nothing(&error))?;
        let mut folders: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        Ok(folders)
    };
    let mut tracks: Vec<Track> = Vec::new();
    for task in below(&adapters)? {
        for learner in below(&task)? {
            let name = learner.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            match tracks.iter_mut().find(|track| track.name == name) {
                Some(track) => track.folders.push(learner),
                None => tracks.push(Track { name, folders: vec![learner] }),
            }
        }
    }
    if tracks.is_empty() {
        return Err(nothing(&"there are no adapters in it").into());
    }
    let run = run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for track in &mut tracks {
        track.name = format!("{run}, {}", track.name);
    }
    Ok(tracks)
}

/// Barriers of every path, in nats, and what the best point gains.
fn barriers(reports: &[PathReport]) -> String {
    let height = |value: Option<f64>| value.map_or_else(|| "–".to_string(), |value| format!("{value:.3}"));
    let mut rows = Vec::new();
    for report in reports {
        for (index, line) in report.barriers.iter().enumerate() {
            let task = line.task.clone().unwrap_or_else(|| "mean over tasks".into());
            let gain = report.gain.as_ref().filter(|_| index == 0);
            rows.push(vec![
                if index == 0 { report.kind.clone() } else { String::new() },
                task,
                height(line.entezari),
                height(line.frankle),
                gain.map_or_else(String::new, |gain| points(Some(gain.gain))),
                gain.map_or_else(String::new, |gain| format!("{:.2}", gain.at_t)),
            ]);
        }
    }
    table(&["path", "task", "barrier (nats)", "Frankle's form", "gain (points)", "at t"], &rows)
}

/// Writes page, JSON and further files, and says where.
pub(super) fn write(
    folder: &Path,
    name: &str,
    html: &str,
    report: &impl Serialize,
    files: &[(String, String)],
) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| {
        EngineError::Run(format!("{} cannot be used: {error}. Choose another --output", folder.display()))
    })?;
    for (file, text) in files {
        write_file(&folder.join(file), text.as_bytes())?;
    }
    write_file(&folder.join(format!("{name}.json")), serde_json::to_string_pretty(report)?.as_bytes())?;
    let page = folder.join(format!("{name}.html"));
    write_file(&page, html.as_bytes())?;
    note(&format!("data: {}", folder.display()));
    Ok(say(&format!("page: {}", page.display()))?)
}
