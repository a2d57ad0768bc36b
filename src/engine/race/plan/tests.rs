//! Plans: which runs a race means, what they are called, what is frozen in them, and what is refused.

use super::*;
use crate::engine::config::TaskConfig;
use crate::engine::race::order::Design;

fn config(methods: &str, more: &str) -> RaceConfig {
    let text = format!(
        "methods = {methods}\n{more}\n[experiment]\ntasks = [\"builtin:stance\", \"builtin:law\", \"builtin:science\"]\n[experiment.training]\nsteps_per_task = 5\n"
    );
    RaceConfig::parse(&text, "r.toml").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn plan(methods: &str, more: &str) -> Plan {
    Plan::new(&config(methods, more)).unwrap()
}

fn refused(methods: &str, more: &str) -> String {
    Plan::new(&config(methods, more)).map(|plan| format!("{plan:?}")).unwrap_err().to_string()
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.cells.iter().map(|cell| cell.name.as_str()).collect()
}

fn tasks(cell: &Cell) -> Vec<&str> {
    let source = |task: &'_ TaskConfig| match task {
        TaskConfig::Source(source) => source.clone(),
        TaskConfig::Details(details) => details.source.clone(),
    };
    let known = ["stance", "law", "science"];
    cell.config.tasks.iter().map(|task| *known.iter().find(|name| source(task).ends_with(**name)).unwrap()).collect()
}

#[test]
fn every_variant_runs_every_seed_in_every_order_and_blocks_stay_together() {
    let plan = plan("[\"seq\", \"i_lora\"]", "seeds = [7, 2]\norders = [\"given\", \"reversed\"]");
    assert_eq!(
        names(&plan),
        [
            "seq-seed7-given",
            "i-lora-seed7-given",
            "seq-seed7-reversed",
            "i-lora-seed7-reversed",
            "seq-seed2-given",
            "i-lora-seed2-given",
            "seq-seed2-reversed",
            "i-lora-seed2-reversed"
        ]
    );
    assert_eq!(plan.reference.as_deref(), Some("I-LoRA"));
    let cell = &plan.cells[3];
    assert_eq!((cell.seed, cell.config.seed, tasks(cell)), (7, 7, vec!["science", "law", "stance"]));
    assert_eq!(cell.config.methods, [MethodConfig::Name("i_lora".into())]);
    assert_eq!(cell.config.training.steps_per_task, 5);
    assert_eq!(cell.config.title, "I-LoRA, seed 7, reversed order");
    assert_eq!(plan.entries().collect::<Vec<_>>(), [(0, 0), (0, 2), (0, 4), (0, 6), (1, 1), (1, 3), (1, 5), (1, 7)]);
}

#[test]
fn alternating_gives_every_seed_one_order_and_random_is_the_same_for_all_variants() {
    let orders = "seeds = [1, 2, 3]\norders = [\"random\", \"reversed\"]\ndesign = \"alternating\"";
    let plan = plan("[\"seq\", \"er\"]", orders);
    assert_eq!(config("[\"seq\"]", orders).design, Design::Alternating);
    assert_eq!(plan.cells.len(), 6);
    let of = |seed: u64| plan.cells.iter().filter(move |cell| cell.seed == seed).collect::<Vec<_>>();
    assert_eq!(of(2)[0].order, TaskOrder::Reversed);
    for seed in [1, 3] {
        assert_eq!(of(seed)[0].order, TaskOrder::Random);
        assert_eq!(tasks(of(seed)[0]), tasks(of(seed)[1]), "both methods learn in one order");
    }
    let drawn: Vec<Vec<&str>> = (0..12)
        .map(|seed| {
            let mut tasks = TaskOrder::Random.arrange(&["stance", "law", "science"], seed);
            tasks.dedup();
            tasks
        })
        .collect();
    assert!(drawn.iter().any(|order| *order != drawn[0]), "seeds draw different orders");
    assert_eq!(tasks(of(1)[0]), TaskOrder::Random.arrange(&["stance", "law", "science"], 1));
}

#[test]
fn a_variant_has_its_own_settings_and_leaves_the_others_alone() {
    let plan = plan(
        r#"["er", { name = "i_lora", label = "I-LoRA slow!", preset = "paper", settings = { half_life_steps = 30 }, set = { "training.learning_rate" = 0.125, replay.capacity = 100, "replay.policy" = "ring" } }]"#,
        "",
    );
    let [er, slow] = plan.variants.as_slice() else { panic!("{:?}", plan.variants) };
    assert_eq!((er.label.as_str(), slow.label.as_str(), slow.method.as_str()), ("ER", "I-LoRA slow!", "i_lora"));
    assert_eq!((slow.config.training.learning_rate, slow.config.replay.capacity), (0.125, 100));
    assert_eq!(slow.config.training.steps_per_task, 5, "a changed value does not take the rest of its section along");
    assert_ne!((er.config.training.learning_rate, er.config.replay.capacity), (0.125, 100));
    let (_, knobs) = slow.config.methods[0].resolve().unwrap();
    assert_eq!(knobs.number("half_life_steps"), 30.0);
    assert_eq!(plan.cells[1].name, "i-lora-slow-seed1-given");
    assert_eq!(plan.reference.as_deref(), Some("I-LoRA slow!"), "the method's only variant");
}

#[test]
fn a_sweep_is_a_grid_with_values_in_the_order_of_its_settings() {
    let plan = plan(
        "[\"seq\"]",
        "seeds = [1]\n[[sweeps]]\nmethod = \"i_lora\"\nsettings = { gamma = 0.5 }\ngrid = { half_life_steps = [3, 30], \"lora.r\" = [2, 4] }",
    );
    let sweep = &plan.sweeps[0];
    assert_eq!((sweep.title.as_str(), sweep.method.as_str()), ("I-LoRA: half_life_steps and lora.r", "i_lora"));
    assert_eq!(sweep.settings, ["half_life_steps", "lora.r"]);
    let points: Vec<(&str, Vec<&str>)> = plan.variants[1..]
        .iter()
        .map(|variant| {
            let point = variant.point.as_ref().unwrap();
            assert_eq!(point.sweep, 0);
            (variant.label.as_str(), point.values.iter().map(String::as_str).collect())
        })
        .collect();
    assert_eq!(
        points,
        [
            ("I-LoRA half_life_steps=3 lora.r=2", vec!["3", "2"]),
            ("I-LoRA half_life_steps=3 lora.r=4", vec!["3", "4"]),
            ("I-LoRA half_life_steps=30 lora.r=2", vec!["30", "2"]),
            ("I-LoRA half_life_steps=30 lora.r=4", vec!["30", "4"]),
        ]
    );
    let last = &plan.variants[4];
    let (_, knobs) = last.config.methods[0].resolve().unwrap();
    assert_eq!((knobs.number("gamma"), knobs.number("half_life_steps"), last.config.lora.rank), (0.5, 30.0, 4));
    assert_eq!(plan.cells[4].name, "i-lora-half_life_steps=30-lora.r=4-seed1-given");
    assert_eq!(plan.reference, None, "a point of a sweep is no variant to compare with");
}

#[test]
fn a_point_with_the_settings_of_a_variant_is_not_run_twice() {
    let sweep = "seeds = [1, 2]\n[[sweeps]]\nmethod = \"i_lora\"\ngrid = { half_life_steps = [10, 30] }";
    let plan = plan("[{ name = \"i_lora\", settings = { half_life_steps = 30 } }, \"seq\"]", sweep);
    assert_eq!(plan.variants.iter().map(|variant| variant.runs_as).collect::<Vec<_>>(), [0, 1, 2, 0]);
    assert_eq!(plan.cells.len(), 3 * 2);
    let of_point: Vec<usize> = plan.entries().filter(|(variant, _)| *variant == 3).map(|(_, cell)| cell).collect();
    let of_variant: Vec<usize> = plan.entries().filter(|(variant, _)| *variant == 0).map(|(_, cell)| cell).collect();
    assert_eq!((of_point.len(), &of_point), (2, &of_variant), "both show the same two runs");
    // a default that is spelled out is the same method
    let spelled = self::plan("[\"i_lora\"]", "[[sweeps]]\nmethod = \"i_lora\"\ngrid = { half_life_steps = [0, 7] }");
    assert_eq!(spelled.variants.iter().map(|variant| variant.runs_as).collect::<Vec<_>>(), [0, 0, 2]);
}

#[test]
fn only_chooses_by_label_method_or_title() {
    let plan = plan(
        "[\"seq\", \"er\", { name = \"er\", label = \"ER small\", set = { \"replay.capacity\" = 10 } }]",
        "seeds = [1, 2]\n[[sweeps]]\nmethod = \"er\"\ntitle = \"buffer\"\ngrid = { \"replay.capacity\" = [10, 20] }",
    );
    let labels = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_string()).collect();
        let runs = plan.runs_of(&names).unwrap();
        let mut labels: Vec<&str> =
            runs.iter().map(|run| plan.variants[plan.cells[*run].variant].label.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(runs.len(), 2 * labels.len(), "both seeds");
        labels.join(", ")
    };
    assert_eq!(labels(&[]), "ER, ER replay.capacity=20, ER small, Seq");
    assert_eq!(labels(&["er"]), "ER, ER small");
    assert_eq!(labels(&["ER", "seq"]), "ER, Seq");
    assert_eq!(labels(&["buffer"]), "ER replay.capacity=20, ER small", "its first point is ER small");
    assert_eq!(labels(&["ER replay.capacity=20"]), "ER replay.capacity=20");
    let message = plan.runs_of(&["bufer".into()]).unwrap_err().to_string();
    assert!(message.contains("no variant is called `bufer` (did you mean `buffer`?)"), "{message}");
}

#[test]
fn a_label_becomes_a_name_that_every_file_system_takes() {
    for (label, expected) in [
        ("I-LoRA", "i-lora"),
        ("DER++", "der++"),
        ("I-LoRA gamma=0.5", "i-lora-gamma=0.5"),
        ("a/b\\c: \"x\" <y>|z?*", "a-b-c-x-y-z"),
        ("..", ""),
        ("../up", "up"),
        ("  ", ""),
        ("ÉTÉ 2", "été-2"),
    ] {
        assert_eq!(slug(label), expected, "{label}");
    }
}

#[test]
fn two_runs_of_one_name_are_refused() {
    let message = refused("[\"er\", { name = \"er\", settings = { insert = \"before_forward\" } }]", "");
    assert!(message.contains("two variants are called `ER`") && message.contains("another `label`"), "{message}");
    let message = refused("[\"seq\", { name = \"er\", label = \"SEQ!\" }]", "");
    assert!(message.contains("`Seq` and `SEQ!` would have the same name, `seq-…`"), "{message}");
    let twice = "[[sweeps]]\nmethod = \"er\"\ngrid = { \"lora.r\" = [2, 2] }";
    assert!(refused("[\"seq\"]", twice).contains("two variants are called `ER lora.r=2`"));
}

#[test]
fn what_a_variant_gets_wrong_is_told_with_its_name() {
    for (methods, named) in [
        ("[\"seq\", \"ilora\"]", ["variant `ilora`: there is no method `ilora`", "did you mean `i_lora`"]),
        ("[{ name = \"i_lora\", label = \"mine\", settings = { gama = 1 } }]", ["variant `mine`: ", "mean `gamma`"]),
        ("[{ name = \"i_lora\", settings = { gamma = -1 } }]", ["variant `i_lora`: setting `gamma` is `-1`", "number"]),
        ("[{ name = \"i_lora\", preset = \"papr\" }]", ["no preset `papr`", "paper"]),
        (
            "[{ name = \"er\", set = { \"training.epocs\" = 2 } }]",
            ["variant `er`: `set` training.epocs=2", "did you mean `epochs`"],
        ),
        ("[{ name = \"er\", set = { trainig.epochs = 2 } }]", ["`set` cannot change `trainig.epochs`", "training"]),
        ("[{ name = \"er\", set = { \"training.batch_size\" = 0 } }]", ["variant `er`: ", "batch_size"]),
        ("[{ name = \"er\", set = { seed = 4 } }]", ["`set` cannot change `seed`", "[experiment]"]),
        ("[{ name = \"er\", set = { gamma = 4 } }]", ["`set` cannot change `gamma`", "belong in `settings`"]),
        (
            "[{ name = \"er\", set = { \"evaluation.max_examples\" = 4 } }]",
            ["cannot change `evaluation.max_examples`", "lora, training, replay"],
        ),
        ("[{ name = \"er\", label = \"?\" }]", ["variant `?`: its label needs a letter", "folders"]),
    ] {
        let message = refused(methods, "");
        for part in named {
            assert!(message.contains(part), "{methods}: `{part}` is not in\n{message}");
        }
        assert!(!message.contains("--set"), "{message}");
    }
    let sweep = "[[sweeps]]\nmethod = \"i_lora\"\ngrid = { gama = [1, 2] }";
    let message = refused("[\"seq\"]", sweep);
    assert!(message.contains("variant `I-LoRA gama=1`") && message.contains("did you mean `gamma`"), "{message}");
    let message = refused("[\"seq\"]", "[[sweeps]]\nmethod = \"ilora\"\ngrid = { gamma = [1] }");
    assert!(message.contains("sweep: there is no method `ilora`"), "{message}");
}

#[test]
fn the_reference_is_a_label_or_the_only_variant_of_a_method() {
    let two = "[\"seq\", \"er\", { name = \"er\", label = \"ER small\", set = { \"replay.capacity\" = 10 } }]";
    assert_eq!(plan(two, "reference = \"ER small\"").reference.as_deref(), Some("ER small"));
    assert_eq!(plan(two, "reference = \"seq\"").reference.as_deref(), Some("Seq"));
    assert_eq!(plan(two, "").reference, None);
    let message = refused(two, "reference = \"er\"");
    assert!(message.contains("`ER` or `ER small`"), "{message}");
    let message = refused(two, "reference = \"i_lora\"");
    assert!(message.contains("`i_lora`, which takes no part"), "{message}");
    let message = refused(two, "reference = \"ER smal\"");
    assert!(message.contains("did you mean `ER small`"), "{message}");
}
