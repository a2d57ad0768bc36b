//! The pages on made-up explorations, on exact small numbers, on broken ones and on hostile text. The explorations are also
//! written to `target/tmp/path-example.html` and `plane-example.html` to look at.

use super::*;
use crate::engine::report_html::tests::tag_counts;

fn write_example(name: &str, html: &str) {
    let folder = crate::platform::checkout().join("target/tmp");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), html).unwrap();
}

fn points_nowhere_outside(html: &str) {
    for outside in ["https://", "url(", "@import", "src=", "<link"] {
        assert!(!html.contains(outside), "the page points outside with {outside}");
    }
    // the script makes an element of this name
    assert_eq!(html.matches("http://").count(), html.matches("http://www.w3.org/2000/svg").count());
    let words = html.split("<script>").next().unwrap();
    assert!(!words.contains("NaN") && !words.contains("inf\"") && !words.contains("inf "), "a number is not finite");
}

/// Two tasks, three points: means 2, 3.5, 1 against a chord of 1.5 in the middle.
fn small_path() -> PathReport {
    let point = |t: f64, losses: [f64; 2], scores: [f64; 2]| PathPoint {
        t,
        coefficients: vec![1.0 - t, t],
        arc_length: 4.0 * t,
        losses: losses.map(Some).to_vec(),
        scores: scores.map(Some).to_vec(),
    };
    let line = |task: Option<&str>, entezari, frankle| BarrierLine {
        task: task.map(str::to_owned),
        entezari: Some(entezari),
        frankle: Some(frankle),
        entezari_at: None,
        frankle_at: None,
        holes: false,
    };
    PathReport {
        kind: "line".into(),
        ends: vec!["A".into(), "B, \"the end\"".into()],
        points: vec![
            point(0.0, [1.0, 3.0], [0.75, 0.25]),
            point(0.5, [3.0, 4.0], [0.5, 0.75]),
            point(1.0, [1.5, 0.5], [0.25, 0.875]),
        ],
        tasks: vec!["law".into(), "stance".into()],
        metrics: vec!["exact_match".into(); 2],
        chance: vec![Some(0.25), Some(0.5)],
        barriers: vec![line(None, 2.0, 2.0), line(Some("law"), 1.75, 1.75), line(Some("stance"), 2.25, 2.25)],
        gain: Some(GainLine { gain: 0.0625, at_t: 0.5 }),
        version: "0.1.0".into(),
        secs: 1.0,
        ..PathReport::default()
    }
}

fn small_plane() -> PlaneReport {
    PlaneReport {
        kind: "PCA".into(),
        xs: vec![0.0, 1.0],
        ys: vec![0.0, 0.5],
        losses: vec![Some(1.0), Some(2.0), Some(f64::NAN), Some(4.0)],
        scores: vec![Some(0.5), Some(0.25), None, Some(0.125)],
        per_task_losses: vec![vec![Some(1.0), Some(2.0), None, Some(4.0)]],
        per_task_scores: vec![vec![Some(0.5), Some(0.25), None, Some(0.125)]],
        tasks: vec!["law".into()],
        explained: Some([0.5, 0.25]),
        ..PlaneReport::default()
    }
}

#[test]
fn a_path_becomes_lines_of_numbers() {
    let mut report = small_path();
    report.points[1].losses[1] = Some(f64::NAN);
    report.points[1].coefficients.pop();
    assert_eq!(
        path_csv(&report),
        "t,arc_length,coefficient_A,\"coefficient_B, \"\"the end\"\"\",loss_mean,loss_law,loss_stance,score_mean,score_law,score_stance\n\
         0,0,1,0,2,1,3,0.5,0.75,0.25\n\
         0.5,2,0.5,,,3,,0.625,0.5,0.75\n\
         1,4,0,1,1,1.5,0.5,0.5625,0.25,0.875\n"
    );
    assert_eq!(path_csv(&PathReport::default()), "t,arc_length,loss_mean,score_mean\n");
}

#[test]
fn a_plane_becomes_lines_of_numbers_row_by_row() {
    assert_eq!(
        plane_csv(&small_plane()),
        "x,y,loss_mean,loss_law,score_mean,score_law\n0,0,1,1,0.5,0.5\n1,0,2,2,0.25,0.25\n0,0.5,,,,\n1,0.5,4,4,0.125,0.125\n"
    );
}

#[test]
fn json_comes_back_with_its_holes() {
    let mut path = small_path();
    path.points[0].losses[0] = Some(f64::INFINITY);
    path.points[0].arc_length = f64::NAN;
    path.points[1].coefficients[0] = f64::NAN;
    let text = serde_json::to_string(&path).unwrap();
    let read: PathReport = serde_json::from_str(&text).unwrap();
    assert!(read.points[0].losses[0].is_none() && read.points[0].arc_length.is_nan());
    assert!(read.points[1].coefficients[0].is_nan() && read.points[1].coefficients[1] == 0.5);
    assert_eq!(read.points[2], path.points[2]);
    assert_eq!((read.barriers, read.gain), (path.barriers, path.gain));
    let mut plane = small_plane();
    plane.anchors = vec![PlaneMark { name: "a".into(), x: f64::NAN, ..PlaneMark::default() }];
    let read: PlaneReport = serde_json::from_str(&serde_json::to_string(&plane).unwrap()).unwrap();
    assert_eq!((read.losses[2], read.losses[3], read.xs), (None, Some(4.0), plane.xs));
    assert!(read.anchors[0].x.is_nan());
}

#[test]
fn a_path_page_tells_the_numbers_it_was_given() {
    let html = render_path(&[small_path()]);
    let counts = tag_counts(&html);
    // two charts, each with the frame that cuts its lines off
    assert_eq!((counts["h1"], counts["script"], counts["style"], counts["svg"]), (1, 1, 1, 4));
    points_nowhere_outside(&html);
    assert!(html.contains("the mean loss climbs 2.000 above its chord, to 3.500 at t = 0.50."), "{html}");
    assert!(html.contains("The best mean score is 62.5 % at t = 0.50, 6.3 points above the better end."), "{html}");
    assert!(html.contains(">barrier 2.000 at t = 0.50<") && html.contains(">best 62.5 % at t = 0.50 (+6.3)<"));
    assert!(html.contains("<title>t = 0.5\nlaw: 3.000\nstance: 4.000\nmean over the tasks: 3.500</title>"));
    assert!(html.contains(
        "<th scope=\"row\">law</th><td>1.750</td><td>1.750</td><td>1.000</td><td>1.500</td><td>75.0</td><td>25.0</td>"
    ));
    assert!(html.contains(">B, &quot;the end&quot;</text>"), "the last end is named");
}

#[test]
fn holes_make_a_barrier_a_lower_bound_and_a_loss_is_no_gain() {
    let mut report = small_path();
    report.barriers[1].holes = true;
    report.gain = Some(GainLine { gain: -0.125, at_t: 0.5 });
    let html = render_path(&[report.clone()]);
    assert!(
        html.contains("<th scope=\"row\">law</th><td>≥ 1.750</td><td>≥ 1.750</td>") && html.contains("≥: some point")
    );
    assert!(html.contains("12.5 points below the better end.") && html.contains("(−12.5)"));
    report.barriers[0].entezari = Some(0.0);
    for point in &mut report.points {
        point.losses = vec![Some(1.0); 2];
    }
    let html = render_path(&[report]);
    assert!(
        html.contains("no barrier, the mean loss nowhere rises above its chord.") && !html.contains("class=\"rise\"")
    );
}

#[test]
fn paths_over_the_same_tasks_lie_over_one_another() {
    let (line, curve) = (sample::path("line", 0.0), sample::path("bezier", 1.0));
    let barrier = |report: &PathReport| report.barriers[0].entezari.unwrap();
    assert!(barrier(&line) > 2.0 * barrier(&curve), "the example shows something");
    let html = render_path(&[line.clone(), curve.clone()]);
    write_example("path-example.html", &html);
    let counts = tag_counts(&html);
    assert_eq!(counts["svg"], 2 * (2 + 2 * 2), "means, then loss and score of each path");
    points_nowhere_outside(&html);
    assert!(html.contains(">straight line (length ") && html.contains(">Bezier curve (length "));
    let table = html.split("Barrier<small>").nth(4).unwrap().split("</table>").next().unwrap();
    assert!(table.contains(&format!("<td>{}</td>", tables::decimals(barrier(&line)))), "{table}");
    assert_eq!(table.matches("<tr").count(), 9, "the mean and eight tasks");
    // one command made both
    assert_eq!(html.matches("<pre>").count(), 1);
    let mut other = curve;
    other.tasks[0] = "another".into();
    let html = render_path(&[line, other]);
    assert!(html.contains("different tasks") && !html.contains("id=\"together\""));
    assert_eq!(tag_counts(&html)["svg"], 2 * 2 * 2);
}

#[test]
fn a_plane_page_shows_all_its_maps() {
    let plane = sample::plane();
    let html = render_plane(&plane);
    write_example("plane-example.html", &html);
    let counts = tag_counts(&html);
    // two large and sixteen small maps of two elements, four legends of colours, the looks of two tracks
    assert_eq!(counts["svg"], 2 * 2 + 16 * 2 + 4 + 2);
    points_nowhere_outside(&html);
    assert!(html.len() < 900_000, "{} bytes", html.len());
    assert!(html.contains("The two directions hold 61.2 % and 20.4 % of the motion, 81.6 % together."));
    assert!(html.contains("4 points have no finite loss and are hatched."));
    assert!(
        html.contains("its 8 points lie 0.263 out of the plane on average, at most 0.600 (after medicine)"),
        "{html}"
    );
    assert_eq!(html.matches("class=\"anchor-name\"").count(), 8, "every anchor is named on both large maps");
    assert_eq!(html.matches("class=\"anchor off\"").count(), 18, "the multitask solution lies off the plane");
}

#[test]
fn a_plane_page_tells_the_numbers_it_was_given() {
    let html = render_plane(&small_plane());
    points_nowhere_outside(&html);
    assert!(html.contains("Over 4 points the mean loss runs from 1.000 to 4.000; it is lowest at (0, 0)."), "{html}");
    assert!(html.contains("The best mean score is 50.0 % at (0, 0). 1 point has no finite loss and is hatched."));
    assert!(!html.contains("id=\"each\""), "one task needs no maps of each");
    assert!(html.contains("<title>(1.000, 0): 25.0 %</title>"));
}

#[test]
fn holes_single_points_and_nothing_make_pages_too() {
    let mut report = small_path();
    report.points.truncate(1);
    (report.barriers, report.gain) = (vec![BarrierLine::default()], None);
    report.points[0].arc_length = f64::NAN;
    let html = render_path(&[report.clone()]);
    points_nowhere_outside(&html);
    tag_counts(&html);
    assert!(html.contains("no barrier can be given") && html.contains("<circle class=\"dot"));
    report.points[0].losses = vec![None, Some(f64::INFINITY)];
    report.points[0].scores = vec![];
    let html = render_path(&[report.clone(), report]);
    points_nowhere_outside(&html);
    assert_eq!(tag_counts(&html).get("svg"), None, "there is nothing to draw");
    assert!(html.contains("1 of 1 point has no finite mean loss."), "{html}");
    for html in [render_path(&[]), render_path(&[PathReport::default()])] {
        points_nowhere_outside(&html);
        tag_counts(&html);
    }
    let mut plane = small_plane();
    plane.losses = vec![None; 4];
    plane.scores = vec![Some(f64::NAN); 4];
    assert!(render_plane(&plane).contains("No point of this plane has a finite mean loss."));
    (plane.xs, plane.ys, plane.explained) = (vec![1.0], vec![1.0], None);
    for list in [&mut plane.losses, &mut plane.scores, &mut plane.per_task_losses[0], &mut plane.per_task_scores[0]] {
        *list = vec![Some(0.5)];
    }
    let html = render_plane(&plane);
    points_nowhere_outside(&html);
    assert_eq!(tag_counts(&html)["svg"], 2 * 2 + 2);
}

#[test]
fn a_damaged_plane_is_refused_with_a_sentence() {
    let refused = |damage: fn(&mut PlaneReport), sentence: &str| {
        let mut plane = small_plane();
        assert_eq!(plane.fault(), None);
        damage(&mut plane);
        assert!(plane.fault().is_some_and(|fault| fault.contains(sentence)), "{sentence}: {:?}", plane.fault());
        let html = render_plane(&plane);
        tag_counts(&html);
        assert!(html.contains("class=\"warning\"") && !html.contains("<svg"));
    };
    refused(|plane| plane.xs.clear(), "no point");
    refused(|plane| plane.xs = vec![1.0, 1.0], "not finite and ascending");
    refused(|plane| plane.ys[1] = f64::NAN, "not finite and ascending");
    refused(|plane| plane.per_task_scores[0].truncate(3), "2 columns and 2 rows, but a list of 3 values");
}

#[test]
fn hostile_text_stays_text() {
    let bad = || "</script><img src=x onerror=\"alert('1')\">&\u{0}".to_owned();
    let mut path = small_path();
    (path.title, path.model, path.device, path.kind, path.command, path.version) =
        (bad(), bad(), bad(), bad(), bad(), bad());
    (path.ends, path.tasks, path.metrics, path.warnings) =
        (vec![bad(), bad()], vec![bad(), bad()], vec![bad()], vec![bad()]);
    path.marks = vec![PathMark { name: bad(), t: 0.25 }];
    path.barriers[1].task = Some(bad());
    let mut plane = sample::plane();
    (plane.title, plane.model, plane.device, plane.kind, plane.command, plane.version) =
        (bad(), bad(), bad(), bad(), bad(), bad());
    plane.anchors[0].name = bad();
    plane.tracks[0].name = bad();
    plane.tracks[0].points[6].name = bad();
    (plane.tasks[0], plane.metrics[0], plane.warnings) = (bad(), bad(), vec![bad()]);
    for html in [render_path(&[path.clone(), path]), render_plane(&plane)] {
        let counts = tag_counts(&html);
        assert!(!counts.contains_key("img") && counts["script"] == 1, "markup got through");
        assert!(!html.contains("onerror=\"") && !html.contains('\u{0}'));
    }
}

#[test]
fn many_control_points_are_numbered() {
    let mut report = sample::path("chain", 0.0);
    report.ends = (1..=9).map(|index| format!("checkpoint {index}")).collect();
    for (index, point) in report.points.iter_mut().enumerate() {
        point.coefficients = (0..9).map(|end| (1.0 - (index as f64 / 3.0 - f64::from(end)).abs()).max(0.0)).collect();
    }
    let html = render_path(&[report]);
    assert_eq!(html.matches("class=\"end-name").count(), 18);
    assert!(html.contains("Above: 1 checkpoint 1, 2 checkpoint 2"));
}

/// A plane that was stopped says of no point that it has no finite loss which was never measured.
#[test]
fn points_never_measured_are_told_as_such() {
    let mut plane = small_plane();
    let count = plane.losses.len();
    plane.losses = vec![None; count];
    plane.losses[0] = Some(2.0);
    plane.measured = (0..count).map(|index| index < 2).collect();
    plane.share_of_motion = Some([0.25, 0.125]);
    let html = render_plane(&plane);
    assert!(html.contains("1 point has no finite loss and is hatched."), "{html}");
    let rest = count - 2;
    let were = if rest == 1 { "point was" } else { "points were" };
    assert!(html.contains(&format!(" {rest} {were} not measured.")));
    assert!(html.contains("The two directions hold 25.0 % and 12.5 % of the motion, 37.5 % together."));
    plane.measured.pop();
    assert!(plane.fault().is_some());
    (plane.measured, plane.share_of_motion, plane.explained) = (Vec::new(), None, None);
    plane.kind = "random directions".into();
    assert!(
        render_plane(&plane).contains("What share of the motion of training the two directions hold is not known.")
    );
    // a report of an earlier version knows nothing of all that
    let mut value = serde_json::to_value(&plane).unwrap();
    value.as_object_mut().unwrap().retain(|name, _| name != "measured" && name != "share_of_motion");
    assert_eq!(serde_json::from_value::<PlaneReport>(value).unwrap().unmeasured(), 0);
}
