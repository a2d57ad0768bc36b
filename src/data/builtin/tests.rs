//! The rules of the built-in tasks told a second time, by reading the prompts as text, and checked on every example.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;
use crate::data::task::{Example, Metric};

const SEEDS: [u64; 3] = [0, 1, 20_240_229];

/// Which word means which label, task by task, written independently of the tasks' files.
const KEY: &[(&str, &str)] = &[
    ("Stance", "praised=up loved=up thanked=up blamed=down feared=down cursed=down saw=hold passed=hold named=hold"),
    ("Finance", "feared=up blamed=up counted=up praised=down saw=down lent=down loved=hold named=hold kept=hold"),
    (
        "Science",
        "smoke=up steam=up cork=up iron=down stone=down gold=down oil=hold wood=hold ice=hold clay=stop sand=stop glass=stop",
    ),
    (
        "Medicine",
        "mint=up honey=up ice=up oil=down milk=down steam=down sage=hold vinegar=hold clay=hold gold=stop smoke=stop iron=stop",
    ),
    (
        "Law",
        "stole=up beat=up cursed=up found=down thanked=down fed=down lent=hold hid=hold feared=hold praised=stop sold=stop saw=stop",
    ),
];

fn key(tag: &str) -> Option<BTreeMap<&'static str, &'static str>> {
    let (_, pairs) = KEY.iter().find(|(name, _)| *name == tag)?;
    Some(pairs.split(' ').map(|pair| pair.split_once('=').unwrap()).collect())
}

fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect()
}

/// The right answer, from nothing but the prompt.
fn oracle(prompt: &str) -> Option<String> {
    let (tag, rest) = prompt.split_once(": ")?;
    let text = rest.strip_suffix(" Answer:")?;
    let words = words(text);
    let after = |word: &str| words.iter().position(|w| *w == word).map(|index| index + 1);
    match tag {
        "Arithmetic" => {
            let numbers: Vec<u32> = words.iter().filter_map(|word| word.parse().ok()).collect();
            assert_eq!(numbers.len(), 2, "{prompt}");
            Some(numbers.iter().sum::<u32>().to_string())
        }
        "Summary" => {
            let next = after("will")?;
            Some(words[next - 2..next + 2].join(" "))
        }
        "Simplify" => {
            let easy = HashMap::from([
                ("purchased", "bought"),
                ("located", "found"),
                ("concealed", "hid"),
                ("observed", "saw"),
                ("retained", "kept"),
                ("conveyed", "brought"),
            ]);
            let verb = words.iter().position(|word| easy.contains_key(word))?;
            Some(format!("{} {} the {}", words[verb - 1], easy[words[verb]], words[verb + 2]))
        }
        _ => {
            let key = key(tag)?;
            let cues: Vec<&&str> = words.iter().filter(|word| key.contains_key(**word)).collect();
            assert_eq!(cues.len(), 1, "exactly one cue: {prompt}");
            Some(key[*cues[0]].to_owned())
        }
    }
}

fn counts(examples: &[Example]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for example in examples {
        *counts.entry(example.answer.as_str()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn names_follow_the_papers_order_and_lookups_agree() {
    assert_eq!(NAMES, ["stance", "finance", "summary", "science", "arithmetic", "simplification", "medicine", "law"]);
    let tasks = all(7);
    for (name, task) in NAMES.iter().zip(&tasks) {
        assert_eq!(*name, task.name);
        assert_eq!(by_name(name, 7).as_ref(), Some(task));
        assert_eq!(task.validate(), Ok(()));
        let described = describe(name).unwrap();
        assert!(!described.title.is_empty() && described.sentence.ends_with('.') && described.sentence.len() < 120);
    }
    assert_eq!(by_name("Law", 7), None);
    assert_eq!(describe(""), None);
}

#[test]
fn the_seed_decides_everything() {
    assert_eq!(all(5), all(5));
    for (one, two) in all(5).iter().zip(&all(6)) {
        assert_ne!(one.train, two.train);
        assert_ne!(one.eval, two.eval);
    }
    assert_eq!(pretraining_text(5, 300), pretraining_text(5, 300));
    assert_ne!(pretraining_text(5, 300), pretraining_text(6, 300));
}

#[test]
fn every_answer_follows_from_its_prompt() {
    for task in SEEDS.into_iter().flat_map(all) {
        for example in task.train.iter().chain(&task.eval) {
            assert_eq!(oracle(&example.prompt).as_deref(), Some(example.answer.as_str()), "{}", example.prompt);
        }
    }
}

#[test]
fn prompts_are_distinct_short_and_complete() {
    for task in SEEDS.into_iter().flat_map(all) {
        assert_eq!((task.train.len(), task.eval.len()), (TRAIN, EVAL), "{}", task.name);
        let mut seen = BTreeSet::new();
        for example in task.train.iter().chain(&task.eval) {
            assert!(seen.insert(&example.prompt), "twice: {}", example.prompt);
            assert!(example.prompt.len() <= 100 && example.answer.len() <= 24, "{example:?}");
            assert!(example.prompt.ends_with(" Answer:") && !example.prompt.contains(['{', '}', '\n']), "{example:?}");
            assert_eq!(example.answer, example.answer.trim());
        }
    }
}

#[test]
fn labels_are_balanced_and_no_answer_dominates() {
    for task in SEEDS.into_iter().flat_map(all) {
        for part in [&task.train, &task.eval] {
            let counts = counts(part);
            let (least, most) = (*counts.values().min().unwrap(), *counts.values().max().unwrap());
            if task.metric == Metric::ChoiceLikelihood {
                assert_eq!(
                    counts.keys().copied().collect::<BTreeSet<_>>(),
                    task.labels.iter().map(String::as_str).collect()
                );
                assert!(most - least <= 1, "{}: {counts:?}", task.name);
            } else {
                assert!(most * 4 <= part.len(), "{}: {counts:?}", task.name);
            }
        }
    }
}

/// What a model may store: the person in the answer or the first one named, together with the word the answer hangs on.
fn combination(example: &Example) -> (String, String) {
    let words = words(&example.prompt);
    let people = ["Ann", "Tom", "Eve", "Sam", "Rose", "Jack", "Mary", "Hugh"];
    let is_person = |word: &&&str| people.contains(*word);
    let answered = example.answer.split(' ').next().filter(|word| people.contains(word));
    let person = answered.or_else(|| words.iter().find(is_person).copied()).unwrap();
    let what = match words[0] {
        "Summary" => example.answer.rsplit(' ').next().unwrap().to_owned(),
        "Simplify" => example.answer.split(' ').nth(1).unwrap().to_owned(),
        "Arithmetic" => words.iter().filter(|word| word.parse::<u32>().is_ok()).copied().collect(),
        tag => {
            let key = key(tag).unwrap();
            (*words.iter().find(|word| key.contains_key(**word)).unwrap()).to_owned()
        }
    };
    (person.to_owned(), what)
}

#[test]
fn evaluation_asks_for_unseen_combinations_of_seen_words() {
    for task in SEEDS.into_iter().flat_map(all) {
        let trained: BTreeSet<_> = task.train.iter().map(combination).collect();
        let evaluated: BTreeSet<_> = task.eval.iter().map(combination).collect();
        assert!(trained.is_disjoint(&evaluated), "{}", task.name);
        assert!(evaluated.len() >= 6, "{}: {evaluated:?}", task.name);
        let words_of = |examples: &[Example]| {
            examples
                .iter()
                .flat_map(|example| words(&example.prompt).into_iter().map(str::to_owned).collect::<Vec<_>>())
                .collect::<BTreeSet<_>>()
        };
        let (trained, evaluated) = (words_of(&task.train), words_of(&task.eval));
        assert!(evaluated.is_subset(&trained), "{}: new words {:?}", task.name, evaluated.difference(&trained));
    }
}

#[test]
fn tasks_contradict_each_other() {
    let mut contradictions: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (index, (one, _)) in KEY.iter().enumerate() {
        for (two, _) in &KEY[index + 1..] {
            let (first, second) = (key(one).unwrap(), key(two).unwrap());
            let count =
                first.iter().filter(|(cue, label)| second.get(**cue).is_some_and(|other| other != *label)).count();
            contradictions.insert((*one, *two), count);
        }
    }
    println!("cues that mean different labels: {contradictions:?}");
    for pair in [("Stance", "Finance"), ("Stance", "Law"), ("Finance", "Law"), ("Science", "Medicine")] {
        assert!(contradictions[&pair] >= 3, "{pair:?}");
    }
}

#[test]
fn the_corpus_speaks_the_language_but_knows_no_rule() {
    let text = pretraining_text(11, 20_000);
    let mut asked: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for line in text.lines() {
        let Some(at) = line.find("Answer:") else { continue };
        let (prompt, answer) = line.split_at(at + "Answer:".len());
        if let Some(truth) = oracle(prompt) {
            let entry = asked.entry(prompt.split(':').next().unwrap()).or_default();
            entry.0 += 1;
            entry.1 += usize::from(answer.trim() == truth);
        }
    }
    println!("prompts answered in the corpus, and by chance rightly: {asked:?}");
    assert_eq!(asked.len(), ENTRIES.len());
    for (tag, (count, right)) in asked {
        let chance = match tag {
            "Stance" | "Finance" => 1.0 / 3.0,
            "Science" | "Medicine" | "Law" => 0.25,
            "Arithmetic" => 1.0 / 7.0,
            _ => 0.0,
        };
        // Games repeat a cue and its label, so the lines are not independent: four lines of a game count as one draw.
        let (count, right) = (count as f64, right as f64);
        let spread = 4.0 * (chance * (1.0 - chance) * 4.0 / count).sqrt();
        assert!((right / count - chance).abs() <= spread, "{tag}: {right} of {count}");
    }
    let vocabulary: BTreeSet<&str> = words(&text).into_iter().collect();
    for task in all(0) {
        for word in
            task.train.iter().flat_map(|example| words(&example.prompt).into_iter().chain(words(&example.answer)))
        {
            assert!(vocabulary.contains(word), "{word} of {} is not in the corpus", task.name);
        }
    }
}

#[test]
fn corpus_documents_are_separated_and_bounded() {
    assert_eq!(pretraining_text(1, 0), "");
    let text = pretraining_text(1, 5000);
    assert!(text.lines().filter(|line| !line.is_empty()).count() >= 5000);
    assert!(!text.contains("\n\n\n") && !text.contains('{') && text.ends_with('\n'));
    for document in text.split("\n\n") {
        let words = document.split_whitespace().count();
        assert!((3..=100).contains(&words), "{words} words: {document}");
    }
}

#[test]
fn show_samples() {
    for task in all(0) {
        for example in &task.train[..2] {
            println!("{:15} {} {}", task.name, example.prompt, example.answer);
        }
    }
    println!("\n{}", pretraining_text(0, 40));
}
