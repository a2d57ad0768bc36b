//! How near adapters are to one another: their factors, their updates, the directions these read and write, and what the model
//! makes of the same inputs under each (spec 7.7).

use super::{Anchor, Base, Look, TaskNames, Watch, clock};
use crate::engine::EngineError;
use crate::engine::control::Control;
use crate::engine::explorer::Explorer;
use crate::engine::landscape_report::{Measure, ModulePair, PairTable, SimilarityReport, StateTable};
use crate::engine::prepare::Prepared;
use crate::engine::run::Sink;
use crate::landscape::similarity::angles::{Subspace, principal_angles};
use crate::landscape::similarity::cka::{Features, linear_cka_matrix};
use crate::landscape::similarity::updates::{update_cosine, update_distances, update_norm};
use crate::landscape::similarity::{cosine, flat, l2_distance, rms_distance};
use crate::model::Overlay;
use crate::platform;

/// With fewer examples unrelated features look alike too (spec 7.7).
const ENOUGH_EXAMPLES: usize = 500;

/// Compares all pairs of adapters; with `features` also what the model makes of the tasks' examples, by linear CKA.
///
/// # Errors
/// Fewer than two adapters, adapters that cannot be compared, or a device that fails. After a stop the report holds what was
/// measured.
pub async fn explore_similarity(
    prepared: &Prepared,
    anchors: &[Anchor],
    features: bool,
    look: &Look,
    control: &Control,
    emit: Sink<'_>,
) -> Result<SimilarityReport, EngineError> {
    let (start, started_unix) = clock();
    let count = anchors.len();
    if count < 2 {
        return Err(EngineError::Setting(format!(
            "similarity is between two adapters or more, and {count} was given: name another, or a run with --track"
        )));
    }
    let mut watch = Watch { control, emit, done: 0, total: 0 };
    let mut warnings = warnings(anchors);
    let pairs: Vec<(usize, usize)> = (0..count).flat_map(|left| (left + 1..count).map(move |r| (left, r))).collect();
    watch.phase("comparing", "adapters", pairs.len());
    let mut tables = Tables::new(count);
    let mut modules = Vec::new();
    let flats: Vec<Vec<f32>> = anchors.iter().map(|anchor| flat(&anchor.plain)).collect();
    for (done, &(left, right)) in pairs.iter().enumerate() {
        compare((left, right), anchors, &flats, &mut tables, &mut modules)?;
        platform::yield_now().await;
        if !watch.advance(1) {
            warnings.push(format!("stopped after {} of {} pairs", done + 1, pairs.len()));
            break;
        }
    }
    let mut states = Vec::new();
    let mut examples = 0;
    if features && !control.is_stopped() {
        let explorer = Explorer::new(prepared, look.explorer)?;
        examples = explorer.examples();
        if examples < ENOUGH_EXAMPLES {
            warnings.push(format!(
                "CKA was measured on {examples} examples; below {ENOUGH_EXAMPLES} unrelated features look alike as well: raise --examples"
            ));
        }
        watch.phase("measuring", "hidden states", count * examples);
        match measure_states(&explorer, anchors, &mut watch).await? {
            Some((found, broken)) => {
                states = found;
                if !broken.is_empty() {
                    let names: Vec<&str> = broken.iter().map(|index| anchors[*index].name.as_str()).collect();
                    warnings.push(format!(
                        "the model's hidden states are not finite under {}: CKA with them cannot be given",
                        names.join("; ")
                    ));
                }
            }
            None => warnings.push("stopped before the hidden states of all adapters were measured".into()),
        }
    }
    if !states.is_empty() {
        tables.fill(Measure::Cka, |left, right| {
            let values: Option<Vec<f64>> = states.iter().map(|state| state.values[left][right]).collect();
            mean(&values?)
        });
    }
    let tasks = TaskNames::of(prepared);
    let norms: Result<Vec<f64>, _> = anchors.iter().map(|anchor| update_norm(&anchor.plain)).collect();
    Ok(SimilarityReport {
        title: look.title.clone(),
        model: prepared.model.name.clone(),
        device: prepared.model.device_name.clone(),
        seed: look.seed,
        adapters: anchors.iter().map(|anchor| anchor.name.clone()).collect(),
        ranks: anchors.iter().map(|anchor| anchor.rank).collect(),
        update_norms: norms?,
        tables: tables.into_measured(),
        modules,
        states,
        tasks: tasks.names,
        metrics: tasks.metrics,
        chance: tasks.chance,
        examples_per_task: look.explorer.examples,
        examples,
        command: look.command.clone(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        started_unix,
        secs: platform::now_secs() - start,
        warnings,
    })
}

/// What makes some of the numbers mean less than they seem to.
fn warnings(anchors: &[Anchor]) -> Vec<String> {
    let mut warnings = Vec::new();
    let others: Vec<&str> =
        anchors.iter().filter(|a| matches!(a.base, Base::Other(_))).map(|anchor| anchor.name.as_str()).collect();
    if !others.is_empty() {
        warnings.push(format!(
            "trained on other weights than this model's: {}. Their hidden states here are not those that they learnt",
            others.join("; ")
        ));
    }
    if anchors.iter().any(|anchor| anchor.rank != anchors[0].rank) {
        let ranks: Vec<String> = anchors.iter().map(|anchor| anchor.rank.to_string()).collect();
        warnings.push(format!(
            "the ranks differ ({}): factors are compared filled up with zeros, which says little; look at the updates",
            ranks.join(", ")
        ));
    }
    warnings
}

/// The measures of all pairs while they come.
struct Tables {
    count: usize,
    found: Vec<PairTable>,
}

impl Tables {
    fn new(count: usize) -> Self {
        let empty = |measure: Measure| PairTable { measure, values: vec![vec![None; count]; count] };
        Self { count, found: Measure::ALL.map(empty).into() }
    }

    /// The same value on both sides of the diagonal.
    fn set(&mut self, measure: Measure, (left, right): (usize, usize), value: Option<f64>) {
        for table in self.found.iter_mut().filter(|table| table.measure == measure) {
            table.values[left][right] = value;
            table.values[right][left] = value;
        }
    }

    /// Every pair, and every adapter with itself.
    fn fill(&mut self, measure: Measure, value: impl Fn(usize, usize) -> Option<f64>) {
        for left in 0..self.count {
            for right in left..self.count {
                self.set(measure, (left, right), value(left, right));
            }
        }
    }

    /// Those that were measured at all, with what an adapter is to itself.
    fn into_measured(mut self) -> Vec<PairTable> {
        self.found.retain(|table| table.values.iter().flatten().any(Option::is_some));
        for table in &mut self.found {
            for (index, row) in table.values.iter_mut().enumerate() {
                // An adapter that could be compared with none cannot be said to be like itself either.
                if row.iter().any(Option::is_some) {
                    row[index] = row[index].or(Some(table.measure.of_itself()));
                }
            }
        }
        self.found
    }
}

/// Everything about one pair that needs no model.
fn compare(
    (left, right): (usize, usize),
    anchors: &[Anchor],
    flats: &[Vec<f32>],
    tables: &mut Tables,
    modules: &mut Vec<ModulePair>,
) -> Result<(), EngineError> {
    let (own, other) = (&anchors[left].plain, &anchors[right].plain);
    let distances = update_distances(own, other)?;
    let reading = principal_angles(own, other, Subspace::RowsOfA)?;
    let writing = principal_angles(own, other, Subspace::ColumnsOfB)?;
    let first = modules.len();
    for ((place, distance), (a, b)) in distances.iter().zip(reading.values().zip(writing.values())) {
        let degrees = |angles: &[f64]| angles.iter().map(|angle| angle.to_degrees()).collect();
        modules.push(ModulePair {
            left,
            right,
            layer: place.0,
            module: place.1.name().to_owned(),
            update_distance: *distance,
            angles_a_degrees: degrees(a),
            angles_b_degrees: degrees(b),
        });
    }
    let all = |of: fn(&ModulePair) -> &[f64]| modules[first..].iter().flat_map(of).copied().collect::<Vec<f64>>();
    let angles = [all(|pair| &pair.angles_a_degrees), all(|pair| &pair.angles_b_degrees)];
    let whole = distances.values().map(|distance| distance * distance).sum::<f64>().sqrt();
    for (measure, value) in [
        (Measure::FactorDistance, Some(l2_distance(&flats[left], &flats[right])?)),
        (Measure::FactorRms, rms_distance(&flats[left], &flats[right])?),
        (Measure::FactorCosine, cosine(&flats[left], &flats[right])?),
        (Measure::UpdateDistance, Some(whole)),
        (Measure::UpdateCosine, update_cosine(own, other)?),
        (Measure::AngleA, mean(&angles[0])),
        (Measure::AngleB, mean(&angles[1])),
    ] {
        tables.set(measure, (left, right), value);
    }
    Ok(())
}

/// Linear CKA between all adapters, state by state behind the embedding (which no adapter changes), and the adapters under which
/// a state is not finite, with which there is none; `None` after a stop.
async fn measure_states(
    explorer: &Explorer<'_>,
    anchors: &[Anchor],
    watch: &mut Watch<'_, '_>,
) -> Result<Option<(Vec<StateTable>, Vec<usize>)>, EngineError> {
    let examples = explorer.examples();
    let mut by_adapter: Vec<Vec<Vec<f32>>> = Vec::with_capacity(anchors.len());
    for anchor in anchors {
        let overlay = Overlay::from(anchor.adapter.vars(false));
        let Some(states) = explorer.features(&overlay, &mut |more| watch.advance(more)).await? else {
            return Ok(None);
        };
        by_adapter.push(states);
    }
    let states = by_adapter.first().map_or(0, Vec::len);
    let mut tables = Vec::with_capacity(states.saturating_sub(1));
    let sound = |states: &Vec<Vec<f32>>| states.iter().flatten().all(|value| value.is_finite());
    let (kept, broken): (Vec<usize>, Vec<usize>) = (0..anchors.len()).partition(|&index| sound(&by_adapter[index]));
    for state in 1..states {
        let features: Result<Vec<Features>, _> =
            kept.iter().map(|&index| Features::new(&by_adapter[index][state], examples)).collect();
        let name = if state + 1 == states { "output".to_owned() } else { format!("after layer {state}") };
        let mut values = vec![vec![None; anchors.len()]; anchors.len()];
        for (row, &left) in linear_cka_matrix(&features?)?.into_iter().zip(&kept) {
            for (value, &right) in row.into_iter().zip(&kept) {
                values[left][right] = value;
            }
        }
        tables.push(StateTable { name, values });
        platform::yield_now().await;
    }
    Ok(Some((tables, broken)))
}

fn mean(values: &[f64]) -> Option<f64> {
    #[allow(clippy::cast_precision_loss)] // counts of angles
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
