//! What lies outside of a race file, looked at once before anything trains: every task, the model, the device.

use super::plan::Plan;
use crate::engine::EngineError;
use crate::engine::choose::choose_device;
use crate::engine::config::ExperimentConfig;
use crate::engine::prepare::{load_task, open_model};
use crate::engine::protocol::Event;
use crate::engine::run::Sink;
use crate::model::AdapterLayout;

/// Fewest tokens of an example that must fit behind learned vectors; also the least `training.max_length`.
const LEAST_TOKENS: usize = 8;

/// A task without its examples.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskLine {
    pub name: String,
    /// Number of training examples.
    pub train: usize,
    /// Number of scored examples.
    pub eval: usize,
    /// Score of guessing, in `[0, 1]`.
    pub chance: f64,
    /// What is counted, in the words of the papers.
    pub metric: &'static str,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// In the order that is called `given`.
    pub tasks: Vec<TaskLine>,
    /// Whole sentences; nothing in them stops the race.
    pub warnings: Vec<String>,
    /// Most tokens that an example may have in every variant, where that is less than a variant's `training.max_length`:
    /// see [`Plan::cut`].
    pub max_length: Option<usize>,
}

/// Reads every task once, opens the model, and lays out each variant's adapter.
///
/// # Errors
/// All tasks that cannot be read, in one sentence; two tasks of one name; a model that is not there or not supported; a
/// variant whose adapter does not fit the model.
pub fn check(plan: &Plan) -> Result<Inputs, EngineError> {
    let Some(first) = plan.variants.first() else {
        return Err(EngineError::Setting("the race has no variant: name a method".into()));
    };
    let seed = plan.cells.first().map_or(0, |cell| cell.seed);
    let mut inputs = check_tasks(&ExperimentConfig { seed, ..first.config.clone() })?;
    let folder = open_model(&first.config.model)?;
    for variant in &plan.variants {
        AdapterLayout::to_train(&folder.config, &variant.config.lora)
            .map_err(|error| EngineError::Setting(format!("variant `{}`: {error}", variant.label)))?;
    }
    if let Some((room, reason)) = shared_room(plan, folder.config.max_position_embeddings)? {
        inputs.max_length = Some(room);
        inputs.warnings.push(reason);
    }
    Ok(inputs)
}

/// Learned vectors in front of an example take places of the model that the example then lacks. All variants must see the same
/// examples, so those without such vectors leave the places free as well.
fn shared_room(plan: &Plan, positions: usize) -> Result<Option<(usize, String)>, EngineError> {
    let (mut longest, mut label) = (0, "");
    for variant in &plan.variants {
        let length = variant.config.prompt_length()?;
        if length > longest {
            (longest, label) = (length, &variant.label);
        }
    }
    let room = positions.saturating_sub(longest);
    if longest > 0 && room < LEAST_TOKENS {
        return Err(EngineError::Setting(format!(
            "variant `{label}`: it puts {longest} learned vectors before an example, and the model has {positions} positions: choose fewer or shorter prompts"
        )));
    }
    let is_short = longest > 0 && plan.variants.iter().any(|variant| variant.config.training.max_length > room);
    let reason = || {
        format!(
            "all variants cut examples to {room} tokens, because `{label}` puts {longest} learned vectors before them and the model has {positions} positions"
        )
    };
    Ok(is_short.then(|| (room, reason())))
}

fn check_tasks(experiment: &ExperimentConfig) -> Result<Inputs, EngineError> {
    let (mut tasks, mut warnings, mut wrong) = (Vec::<TaskLine>::new(), Vec::new(), Vec::new());
    for (place, source) in experiment.tasks.iter().enumerate() {
        match load_task(source, experiment) {
            Ok((task, notes)) => {
                if tasks.iter().any(|other| other.name == task.name) {
                    wrong.push(format!(
                        "task {}: two tasks are called `{}`; give one of them another `name`",
                        place + 1,
                        task.name
                    ));
                }
                warnings.extend(notes);
                tasks.push(TaskLine {
                    train: task.train.len(),
                    eval: task.eval.len(),
                    chance: task.chance(),
                    metric: task.metric.title(),
                    name: task.name,
                });
            }
            Err(error) => wrong.push(format!("task {}: {error}", place + 1)),
        }
    }
    if wrong.is_empty() {
        Ok(Inputs { tasks, warnings, max_length: None })
    } else {
        Err(EngineError::Setting(wrong.join("; ")))
    }
}

/// The device that all runs will use, as a setting that means exactly it: `auto` is decided here, once.
///
/// # Errors
/// A device that is not there, or a model that cannot be opened.
pub async fn choose(plan: &Plan, emit: Sink<'_>) -> Result<String, EngineError> {
    let Some(first) = plan.variants.first() else {
        return Err(EngineError::Setting("the race has no variant: name a method".into()));
    };
    let folder = open_model(&first.config.model)?;
    let device = choose_device(&first.config, &folder.config, emit).await?;
    if first.config.device == "auto" {
        emit(Event::DeviceChosen { name: device.name, reason: device.reason });
        return Ok(device.setting);
    }
    Ok(first.config.device.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::race::config::RaceConfig;

    fn plan(methods: &str, tasks: &str) -> Plan {
        let text = format!(
            "methods = {methods}\n[experiment]\ndevice = \"cpu\"\ntasks = {tasks}\n[experiment.training]\nmax_length = 100\n"
        );
        Plan::new(&RaceConfig::parse(&text, "r.toml").unwrap()).unwrap()
    }

    const TWO: &str = "[\"builtin:stance\", \"builtin:law\"]";

    #[test]
    fn tasks_are_counted_in_the_given_order() {
        let inputs = check(&plan("[\"seq\", \"er\"]", TWO)).unwrap();
        let names: Vec<&str> = inputs.tasks.iter().map(|task| task.name.as_str()).collect();
        assert_eq!((names, inputs.max_length), (vec!["stance", "law"], None));
        assert!(inputs.tasks.iter().all(|task| task.train > 0 && task.eval > 0 && task.chance > 0.0));
    }

    #[test]
    fn every_task_that_cannot_be_read_is_named() {
        let tasks = "[\"builtin:stanc\", \"builtin:law\", \"/nowhere/x.jsonl\", \"builtin:law\"]";
        let message = check(&plan("[\"seq\"]", tasks)).unwrap_err().to_string();
        for part in
            ["task 1: there is no built-in task `stanc`", "task 3: ", "/nowhere/x.jsonl", "task 4: two tasks are"]
        {
            assert!(message.contains(part), "`{part}` is not in\n{message}");
        }
        assert!(!message.contains("task 2"), "{message}");
    }

    #[test]
    fn a_rank_that_does_not_fit_the_model_is_told_with_its_variant() {
        let methods = "[\"seq\", { name = \"er\", label = \"wide\", set = { \"lora.r\" = 100000 } }]";
        let message = check(&plan(methods, TWO)).unwrap_err().to_string();
        assert!(message.starts_with("variant `wide`: ") && message.contains("`r` is 100000"), "{message}");
    }

    #[test]
    fn places_for_learned_vectors_are_left_free_by_all() {
        let with_prompts = plan("[\"seq\", \"pp\"]", TWO);
        let longest = with_prompts.variants[1].config.prompt_length().unwrap();
        assert!(longest > 0 && with_prompts.variants[0].config.prompt_length().unwrap() == 0);
        let (room, reason) = shared_room(&with_prompts, longest + 60).unwrap().unwrap();
        assert_eq!(room, 60);
        assert!(reason.contains("to 60 tokens, because `PP` puts"), "{reason}");
        assert_eq!(shared_room(&with_prompts, longest + 100).unwrap(), None, "there is room for `max_length`");
        let message = shared_room(&with_prompts, longest + 7).unwrap_err().to_string();
        assert!(message.starts_with("variant `PP`: ") && message.contains("fewer or shorter prompts"), "{message}");
        // without such vectors every run cuts at the model's positions by itself
        assert_eq!(shared_room(&plan("[\"seq\", \"er\"]", TWO), 20).unwrap(), None);

        let mut cut = with_prompts;
        cut.cut(room);
        assert!(cut.cells.iter().all(|cell| cell.config.training.max_length == 60));
    }

    #[test]
    fn a_named_device_stays_as_it_was_named() {
        let plan = plan("[\"seq\"]", TWO);
        let chosen = crate::platform::block_on(choose(&plan, &mut |_| {})).unwrap().unwrap();
        assert_eq!(chosen, "cpu");
    }
}
