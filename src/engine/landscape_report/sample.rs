//! Made-up explorations for the tests: two valleys with a barrier between them, and a bowl with training tracks.

use super::{BarrierLine, GainLine, PathMark, PathPoint, PathReport, PlaneMark, PlaneReport, PlaneTrack};

pub const TASKS: [&str; 8] = ["stance", "finance", "summary", "science", "arithmetic", "simplify", "medicine", "law"];

/// Loss of a task where the squared distance from the first valley is `first`, from the second `second`.
fn loss(task: usize, first: f64, second: f64) -> f64 {
    let own = if task < 4 { 0.7 } else { 1.4 };
    let valleys = 1.0 - (-own * first).exp() * 0.8 - (-second / own).exp() * 0.85;
    0.15 + 0.06 * task as f64 + 2.6 * valleys.max(0.02)
}

fn score(loss: f64) -> f64 {
    0.25 + 0.72 * (-0.55 * (loss - 0.2).max(0.0)).exp()
}

/// A path of 25 points: `bend` 0 for the straight line, 1 for one that goes around the barrier.
pub fn path(kind: &str, bend: f64) -> PathReport {
    let at = |t: f64| {
        let valley = 4.0 * t * (1.0 - t) * bend;
        // between the valleys the barrier stands; the bend leads along their joint floor
        (0..8)
            .map(|task| {
                loss(task, (2.4 * t).powi(2) * (1.0 - valley), (2.4 * (1.0 - t)).powi(2) * (1.0 - 0.9 * valley))
            })
            .collect::<Vec<f64>>()
    };
    let mut length = 0.0;
    let points: Vec<PathPoint> = (0..=24)
        .map(|index| {
            let t = f64::from(index) / 24.0;
            let losses = at(t);
            if index > 0 {
                length += 3.1 / 24.0 * (1.0 + bend * (2.0 * t - 1.0).powi(2) * 1.5);
            }
            let (a, b) = (1.0 - t, t);
            let coefficients = if bend > 0.0 { vec![a * a, 2.0 * a * b, b * b] } else { vec![a, b] };
            let scores = losses.iter().map(|loss| Some(score(*loss))).collect();
            PathPoint { t, coefficients, arc_length: length, losses: losses.into_iter().map(Some).collect(), scores }
        })
        .collect();
    let rise = |of: &dyn Fn(&PathPoint) -> f64| {
        let (first, last) = (of(&points[0]), of(&points[24]));
        let above = |floor: &dyn Fn(f64) -> f64| points.iter().map(|p| of(p) - floor(p.t)).fold(0.0, f64::max);
        (above(&|t| (1.0 - t) * first + t * last), above(&|_| f64::midpoint(first, last)))
    };
    let mean = |list: &[Option<f64>]| list.iter().flatten().sum::<f64>() / 8.0;
    let line = |task: Option<&str>, (entezari, frankle)| BarrierLine {
        task: task.map(str::to_owned),
        entezari: Some(entezari),
        frankle: Some(frankle),
        entezari_at: None,
        frankle_at: None,
        holes: false,
    };
    let mut barriers = vec![line(None, rise(&|point| mean(&point.losses)))];
    for (task, name) in TASKS.iter().enumerate() {
        barriers.push(line(Some(name), rise(&|point| point.losses[task].unwrap())));
    }
    let best = points.iter().map(|p| (mean(&p.scores), p.t)).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    let gain = best.0 - mean(&points[0].scores).max(mean(&points[24].scores));
    let bend_name = if bend > 0.0 { vec!["bend".to_owned()] } else { vec![] };
    PathReport {
        title: "From the adapter after stance to the adapter after law".into(),
        model: "demo, 1.6 M parameters".into(),
        device: "cpu (2 threads)".into(),
        seed: 7,
        kind: kind.into(),
        ends: ["after stance".to_owned()].into_iter().chain(bend_name).chain(["after law".to_owned()]).collect(),
        marks: vec![PathMark { name: "slow learner".into(), t: 0.7 }],
        points,
        planned: 25,
        training: None,
        tasks: TASKS.map(str::to_owned).to_vec(),
        metrics: vec!["choice_likelihood".into(); 8],
        chance: vec![Some(0.25); 8],
        barriers,
        gain: Some(GainLine { gain, at_t: best.1 }),
        beside: Vec::new(),
        examples_per_task: 64,
        command: "thalweg path runs/seq/after-1 runs/seq/after-8 --bezier --points 25 --seed 7".into(),
        version: "0.1.0".into(),
        started_unix: 1_795_228_860,
        secs: 21.7,
        warnings: vec![],
    }
}

/// A grid of 29 by 25 over a long curved valley, with two learners' tracks.
pub fn plane() -> PlaneReport {
    let places = |count: u32, from: f64, to: f64| -> Vec<f64> {
        (0..count).map(|i| from + (to - from) * f64::from(i) / f64::from(count - 1)).collect()
    };
    let (xs, ys) = (places(29, -0.6, 3.4), places(25, -0.5, 2.6));
    let task_loss = |task: usize, x: f64, y: f64| {
        // the floor of the valley bends upwards; each task has its own deepest place on it
        let across = y - 0.28 * (x - 1.4).powi(2) - 0.2;
        let along = x - 0.4 * task as f64;
        0.08 + 0.02 * task as f64 + 0.9 * across * across + 0.22 * along * along
    };
    let per_task: Vec<Vec<Option<f64>>> = (0..8)
        .map(|task| {
            ys.iter().flat_map(|y| xs.iter().map(|x| Some(task_loss(task, *x, *y))).collect::<Vec<_>>()).collect()
        })
        .collect();
    let mean = |lists: &[Vec<Option<f64>>], point: usize| {
        lists.iter().map(|list| list[point]).sum::<Option<f64>>().map(|sum| sum / 8.0)
    };
    let mut per_task_losses = per_task;
    for hole in [28, 27, 29 + 28, 26] {
        per_task_losses[2][hole] = None;
    }
    let per_task_scores: Vec<Vec<Option<f64>>> =
        per_task_losses.iter().map(|list| list.iter().map(|loss| loss.map(score)).collect()).collect();
    let points = xs.len() * ys.len();
    let mark = |name: &str, x: f64, y: f64, residual: f64| PlaneMark { name: name.into(), x, y, residual };
    let fast = (0..8).map(|i| {
        let x = 0.42 * f64::from(i);
        let (up, name) = (if i % 2 == 0 { 0.35 } else { -0.2 }, format!("after {}", TASKS[i as usize]));
        mark(&name, x, 0.28 * (x - 1.4).powi(2) + 0.2 + up, if i % 7 == 0 { 0.0 } else { 0.1 * f64::from(i) })
    });
    let slow = (0..8).map(|i| {
        let x = 0.26 * f64::from(i);
        mark(&format!("after {}", TASKS[i as usize]), x, 0.28 * (x - 1.4).powi(2) + 0.22, 0.04 * f64::from(i))
    });
    PlaneReport {
        title: "The plane through stance, law and the slow learner".into(),
        model: "demo, 1.6 M parameters".into(),
        device: "cpu (2 threads)".into(),
        seed: 7,
        share_of_motion: None,
        measured: Vec::new(),
        kind: "three adapters".into(),
        anchors: vec![
            mark("after stance", 0.0, 1.1, 0.0),
            mark("after law", 2.94, 0.66, 0.0),
            mark("slow learner", 1.82, 0.27, 0.0),
            mark("multitask", 1.4, 0.5, 0.9),
        ],
        tracks: vec![
            PlaneTrack { name: "fast learner".into(), points: fast.collect() },
            PlaneTrack { name: "slow learner".into(), points: slow.collect() },
        ],
        losses: (0..points).map(|point| mean(&per_task_losses, point)).collect(),
        scores: (0..points).map(|point| mean(&per_task_scores, point)).collect(),
        per_task_losses,
        per_task_scores,
        xs,
        ys,
        tasks: TASKS.map(str::to_owned).to_vec(),
        metrics: vec!["choice_likelihood".into(); 8],
        chance: vec![Some(0.25); 8],
        explained: Some([0.612, 0.204]),
        examples_per_task: 64,
        command: "thalweg plane runs/seq/after-1 runs/seq/after-8 runs/i_lora/slow --grid 29 25 --seed 7".into(),
        version: "0.1.0".into(),
        started_unix: 1_795_228_860,
        secs: 141.0,
        warnings: vec![],
    }
}
