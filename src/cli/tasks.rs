//! `tasks check` and `tasks list`.

use super::Ending;
use super::args::TasksCheckArgs;
use super::table::percent;
use super::terminal::say;
use crate::data::builtin;
use crate::data::check;
use crate::data::import::ImportSettings;
use crate::data::mapping::ColumnMapping;
use std::fmt::Write as _;

pub(super) fn check(args: &TasksCheckArgs) -> anyhow::Result<Ending> {
    let settings = ImportSettings { mapping: mapping(args), ..ImportSettings::default() };
    say(&check::check(&args.path, &settings)?.to_string())?;
    Ok(Ending::Done)
}

/// The columns that were named; the others have their usual names.
fn mapping(args: &TasksCheckArgs) -> Option<ColumnMapping> {
    if args.prompt.is_none() && args.answer.is_none() && args.template.is_none() && args.labels.is_empty() {
        return None;
    }
    Some(ColumnMapping {
        prompt: args.prompt.clone().or_else(|| args.template.is_none().then(|| "prompt".to_string())),
        answer: args.answer.clone().unwrap_or_else(|| "answer".to_string()),
        labels: (!args.labels.is_empty()).then(|| args.labels.clone()),
        template: args.template.as_ref().map(|text| text.replace("\\n", "\n")),
    })
}

pub(super) fn list() -> anyhow::Result<Ending> {
    let mut text = String::from("Built-in tasks, in the order they are learnt:\n");
    for task in builtin::all(0) {
        let (title, sentence) =
            builtin::describe(&task.name).map_or(("", ""), |described| (described.title, described.sentence));
        let _ = writeln!(text, "\nbuiltin:{}  {title}", task.name);
        let _ = writeln!(text, "  {sentence}");
        let _ = writeln!(
            text,
            "  {} to train on, {} scored by {}, chance {} %",
            task.train.len(),
            task.eval.len(),
            task.metric.title(),
            percent(Some(task.chance()))
        );
        for example in task.train.iter().take(2) {
            let _ = writeln!(text, "  {:?} -> {:?}", example.prompt, example.answer);
        }
    }
    say(&text)?;
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> TasksCheckArgs {
        TasksCheckArgs { path: "a.csv".into(), prompt: None, answer: None, template: None, labels: Vec::new() }
    }

    #[test]
    fn only_named_columns_replace_the_search_for_them() {
        assert_eq!(mapping(&args()), None);
        let answer = mapping(&TasksCheckArgs { answer: Some("label".into()), ..args() }).unwrap();
        assert_eq!((answer.prompt.as_deref(), answer.answer.as_str()), (Some("prompt"), "label"));
        let template = mapping(&TasksCheckArgs { template: Some("{a}\\nB:".into()), ..args() }).unwrap();
        assert_eq!((template.prompt, template.template.as_deref()), (None, Some("{a}\nB:")));
    }
}
