//! The house rules that a compiler does not know, as an ordinary test: who may use whom, and what a file looks like.
//!
//! ARCHITECTURE.md says why. Sources are read as text: comments, strings and `#[cfg(test)]` items are blanked first
//! (a test may look anywhere), then every `crate::…`, `super::…` and, in `main.rs`, `thalweg::…` path is looked at.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. A layer uses layers above it in this list; those of one line do not see each other.
const LAYERS: &[&[&str]] =
    &[&["data", "kernels"], &["model"], &["continual", "landscape", "io"], &["engine"], &["cli", "ui"], &["main"]];
/// Used by every layer, uses none.
const PLATFORM: &str = "platform";

const MAX_LINES: usize = 500;
const VAGUE_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "manager", "misc"];
const TENSOR_CRATES: &[&str] = &["burn", "burn_flex", "cubecl"];
const SCREEN_CRATES: &[&str] = &["egui", "eframe", "egui_wgpu"];
/// Plain data, files, front ends: what starts so must be readable without a tensor library.
const WITHOUT_TENSORS: &[&str] = &[
    "src/data/",
    "src/io/",
    "src/landscape/",
    "src/continual/metrics",
    "src/continual/replay",
    "src/engine/protocol",
    "src/engine/race/",
    "src/engine/landscape_report",
    "src/engine/report",
    "src/cli/",
    "src/ui/",
    "src/main.rs",
];
/// Crates that may stand in Cargo.lock once only: two of them would be two devices, or two kinds of tensor.
const ONLY_ONCE: &[&str] = &["burn", "cubecl", "cubek", "wgpu", "naga", "egui", "eframe"];

// ---------------------------------------------------------------------------------------------------- the tests

#[test]
fn layers_use_only_what_is_below_them() {
    report(sources("src").iter().flat_map(|(path, text)| layer_violations(path, text)));
}

#[test]
fn plain_data_names_no_tensor_and_the_core_no_screen() {
    report(sources("src").iter().flat_map(|(path, text)| foreign_names(path, text)));
}

#[test]
fn only_the_platform_asks_for_the_architecture_and_touches_the_disk() {
    report(sources("src").iter().flat_map(|(path, text)| disk_accesses(path, text)));
    report(sources("src").iter().flat_map(|(path, text)| architecture_questions(path, text)));
}

#[test]
fn files_are_introduced_short_and_named_for_what_they_do() {
    let mut all = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        all.extend(sources(folder));
    }
    report(all.iter().flat_map(|(path, text)| looks(path, text)));
}

#[test]
fn every_shader_has_its_kernel_and_says_what_it_does() {
    let root = Path::new(""); // cargo runs tests in the package's folder
    report(files_below("shaders", "wgsl").iter().flat_map(|path| {
        let mut wrong = Vec::new();
        let stem = path.rsplit('/').next().unwrap().trim_end_matches(".wgsl");
        // What computes has a launch and a twin, what draws has a widget.
        let homes = ["src/kernels", "src/ui/widgets"].map(|folder| root.join(folder).join(format!("{stem}.rs")));
        if !homes.iter().any(|home| home.is_file()) {
            wrong.push(format!(
                "{path}: src/kernels/{stem}.rs is missing: a shader lives beside its launch and its plain-Rust twin (or the widget that it draws)"
            ));
        }
        let text = fs::read_to_string(root.join(path)).unwrap();
        if !text.starts_with("//") {
            wrong.push(format!("{path}:1: a shader opens with a comment that says what it computes, and the shapes"));
        }
        if text.lines().count() > MAX_LINES {
            wrong.push(format!("{path}: more than {MAX_LINES} lines"));
        }
        wrong
    }));
}

#[test]
fn there_is_one_of_each_big_library() {
    let lock = fs::read_to_string("Cargo.lock").unwrap();
    assert!(locked_versions(&lock, "burn").len() == 1, "Cargo.lock no longer reads as it did, or burn is gone");
    report(doubled(&lock).into_iter());
}

#[test]
fn the_rules_catch_what_they_forbid() {
    let up = "//! x\nfn f() {\n    crate::engine::run();\n}\n";
    assert!(
        layer_violations("src/model/llama.rs", up)[0]
            .starts_with("src/model/llama.rs:3: `model` uses `crate::engine::run`")
    );
    // What is no code does not count, and what follows a test module does.
    let silent = "// crate::ui\n/* crate::ui /* crate::ui */ */ fn f<'a>(c: char) { g(\"crate::ui\", r#\"crate::\"ui\"#, '\"', '\\'') }\n\
                  #[cfg(test)]\nmod tests {\n    use crate::engine;\n}\n";
    let after = format!("{silent}fn g() {{ crate::ui::show() }}\n");
    let cases: &[(&str, &str, usize)] = &[
        ("src/model/llama.rs", up, 1),
        ("src/cli/run.rs", up, 0),
        ("src/io/peft.rs", "use crate::{continual::Method, data::{Task, batch}, landscape};", 2),
        ("src/data/batch.rs", "use super::super::kernels::gemm;", 1),
        ("src/data/mod.rs", "use super::kernels::gemm;", 1),
        ("src/data/builtin/law.rs", "use super::super::batch; use super::stance;", 0),
        ("src/platform/native.rs", "use crate::data::Task;", 1),
        ("src/data/mod.rs", "use crate::platform::now_secs;", 0),
        ("src/engine/mod.rs", "use crate::data as d; use crate::cli as c;", 1),
        ("src/main.rs", "use thalweg::cli; fn main() { cli::run() }", 0),
        // no such layer, neither as a place nor as a path; what lib.rs re-exports is a matter of lib.rs
        ("src/helping/mod.rs", "fn f() {}", 1),
        ("src/data/mod.rs", "use crate::surprise::x;", 1),
        ("src/data/mod.rs", "use crate::Adapter;", 0),
        ("src/model/lora.rs", "use crate::data::{Batch, batch::Batch as B};", 0),
        ("src/model/lora.rs", "use crate::data::TaskStream;", 1),
        ("src/data/mod.rs", silent, 0),
        ("src/data/builtin/tests.rs", "use crate::engine;", 0),
        ("src/data/mod.rs", &after, 1),
    ];
    for (path, text, expected) in cases {
        let found = layer_violations(path, text);
        assert_eq!(found.len(), *expected, "{path} saying {text:?} gave {found:?}");
    }
    assert_eq!(foreign_names("src/engine/protocol.rs", "use burn::tensor::Tensor;").len(), 1);
    assert_eq!(foreign_names("src/engine/protocol.rs", "fn f(burned: u8) {} // burn").len(), 0);
    assert_eq!(foreign_names("src/model/llama.rs", "use burn::tensor::Tensor;\nuse egui::Ui;").len(), 1);
    assert_eq!(architecture_questions("src/io/hub.rs", "#[cfg(target_arch = \"wasm32\")]\nfn f() {}").len(), 1);
    assert_eq!(architecture_questions("src/platform/mod.rs", "#[cfg(target_arch = \"wasm32\")]\nfn f() {}").len(), 0);
    assert_eq!(disk_accesses("src/io/hub.rs", "use std::fs;\nfn f(p: &Path) -> bool { p.exists() }").len(), 2);
    assert_eq!(looks("src/data/a.rs", "use x;\n").len(), 1);
    assert_eq!(looks("src/data/utils.rs", "//! x\n").len(), 1);
    assert_eq!(looks("tests/common/mod.rs", "//! x\n").len(), 1);
    assert_eq!(looks("src/data/a.rs", &format!("//! x\n{}", "\n".repeat(MAX_LINES))).len(), 1);
    let twice =
        "[[package]]\nname = \"wgpu\"\nversion = \"29.0.0\"\n\n[[package]]\nname = \"wgpu\"\nversion = \"30.0.1\"\n";
    assert_eq!(doubled(twice).len(), 1);
}

// ---------------------------------------------------------------------------------------------------- the rules

fn layer_violations(path: &str, text: &str) -> Vec<String> {
    let module = module_of(path);
    let Some(layer) = module.first() else { return Vec::new() };
    let Some(own) = rank(layer) else {
        return vec![format!(
            "{path}: `{layer}` has no place among the layers: give it one in tests/architecture.rs and ARCHITECTURE.md"
        )];
    };
    if is_test_module(path) {
        return Vec::new();
    }
    let code = without_tests(&code_only(text));
    let mut wrong = Vec::new();
    for (line, used) in inner_paths(&code, &module) {
        let Some(target) = used.first() else { continue };
        let Some(theirs) = rank(target) else {
            // A type or macro at the crate's root is named by lib.rs; a module there must have a place.
            if target.starts_with(|c: char| c.is_ascii_lowercase()) && used.len() > 1 {
                wrong.push(format!("{path}:{line}: `crate::{}` is in no known layer", used.join("::")));
            }
            continue;
        };
        let used = used.join("::");
        if target != layer && theirs >= own {
            let direction = if layer == PLATFORM {
                "the platform knows no other layer"
            } else if theirs == own {
                "neighbours do not see each other"
            } else {
                "arrows point down only"
            };
            wrong.push(format!(
                "{path}:{line}: `{layer}` uses `crate::{used}`: {direction}. Move what both need to a layer below"
            ));
        } else if layer == "model" && target == "data" && !used.contains("Batch") {
            wrong.push(format!("{path}:{line}: `model` uses `crate::{used}`: of the data it names `Batch` only"));
        }
    }
    wrong
}

fn foreign_names(path: &str, text: &str) -> Vec<String> {
    if is_test_module(path) {
        return Vec::new();
    }
    let code = without_tests(&code_only(text));
    let mut banned: Vec<&str> = Vec::new();
    // The platform opens the window; what is in it is the business of `ui`.
    if !["src/ui/", "src/platform/", "src/main.rs"].iter().any(|start| path.starts_with(start)) {
        banned.extend(SCREEN_CRATES);
    }
    if WITHOUT_TENSORS.iter().any(|start| path.starts_with(start)) {
        banned.extend(TENSOR_CRATES);
    }
    words(&code)
        .filter(|(_, word)| banned.contains(word))
        .map(|(at, word)| format!("{path}:{}: names `{word}`, which this file must not know", line_at(&code, at)))
        .collect()
}

fn architecture_questions(path: &str, text: &str) -> Vec<String> {
    if path.starts_with("src/platform/") {
        return Vec::new();
    }
    let code = code_only(text);
    words(&code)
        .filter(|(_, word)| ["target_arch", "target_family"].contains(word))
        .map(|(at, word)| format!("{path}:{}: asks for `{word}`: only src/platform/ does", line_at(&code, at)))
        .collect()
}

/// In a browser there is no disk behind `std::fs` and behind a path. The command line is for desktops.
fn disk_accesses(path: &str, text: &str) -> Vec<String> {
    let elsewhere = ["src/platform/", "src/cli/", "src/io/test_model.rs"].iter().any(|start| path.starts_with(start));
    let code = if elsewhere || is_test_module(path) { String::new() } else { without_tests(&code_only(text)) };
    let found = ["std::fs", ".exists()"].into_iter().flat_map(|banned| code.match_indices(banned));
    found.map(|(at, what)| format!("{path}:{}: `{what}`: use platform::fs", line_at(&code, at))).collect()
}

fn looks(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//! ") {
        wrong.push(format!("{path}:1: a file opens with `//!` and says what it is for"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        wrong.push(format!("{path}: {lines} lines, at most {MAX_LINES}: split it by what its parts are for"));
    }
    for part in path.trim_end_matches(".rs").split('/') {
        if VAGUE_NAMES.contains(&part) {
            wrong.push(format!("{path}: `{part}` says nothing: name it for what it does"));
        }
    }
    wrong
}

fn doubled(lock: &str) -> Vec<String> {
    ONLY_ONCE
        .iter()
        .map(|name| (name, locked_versions(lock, name)))
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, versions)| {
            format!("Cargo.lock: `{name}` stands there {} times ({})", versions.len(), versions.join(", "))
        })
        .collect()
}

fn locked_versions<'a>(lock: &'a str, name: &str) -> Vec<&'a str> {
    let wanted = format!("name = \"{name}\"");
    let lines: Vec<&str> = lock.lines().collect();
    lines.windows(2).filter(|pair| pair[0] == wanted).map(|pair| pair[1].trim_start_matches("version = ")).collect()
}

fn rank(layer: &str) -> Option<usize> {
    if layer == PLATFORM { Some(0) } else { LAYERS.iter().position(|line| line.contains(&layer)).map(|line| line + 1) }
}

// ---------------------------------------------------------------------------------------------------- reading Rust

/// `src/data/builtin/law.rs` is `[data, builtin, law]`, `src/data/mod.rs` is `[data]`, `src/lib.rs` is `[]`.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
    inner.split('/').filter(|part| !["mod", "lib"].contains(part)).map(ToOwned::to_owned).collect()
}

/// The paths from the crate's root that the code names, with their lines.
fn inner_paths(code: &str, module: &[String]) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    for (at, word) in words(code) {
        let before = &code[..at];
        if before.ends_with("::") {
            continue; // in the middle of a path, as the second `super` of `super::super`
        }
        let mut base = match word {
            "crate" => Vec::new(),
            "thalweg" if module == ["main"] => Vec::new(),
            "super" => module[..module.len().saturating_sub(1)].to_vec(),
            _ => continue,
        };
        let mut rest = &code[at + word.len()..];
        while let Some(further) = rest.strip_prefix("::super") {
            base.pop();
            rest = further;
        }
        if let Some(tail) = rest.strip_prefix("::") {
            let mut paths = Vec::new();
            expand(tail, &base, &mut paths);
            found.extend(paths.into_iter().map(|path| (line_at(code, at), path)));
        }
    }
    found
}

/// Writes out `a::{b, c::{d, e}}`; returns what follows the tree.
fn expand<'a>(tree: &'a str, base: &[String], out: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = base.to_vec();
    let mut rest = tree.trim_start();
    loop {
        if let Some(mut inside) = rest.strip_prefix('{') {
            loop {
                inside = inside.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
                if inside.is_empty() {
                    return inside;
                }
                if let Some(after) = inside.strip_prefix('}') {
                    return after;
                }
                let after = expand(inside, &path, out);
                // `x as y`, or something that is no tree: go on behind it
                let skipped = after.find([',', '}', '{']).unwrap_or(after.len());
                inside = &after[skipped..];
                if inside.starts_with('{') {
                    return inside;
                }
            }
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end > 0 {
            path.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(further) if end > 0 => rest = further.trim_start(),
            _ => {
                out.push(path);
                return rest;
            }
        }
    }
}

/// The identifiers of the text and where they start.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter_map(move |word| {
        let start = at;
        at += word.len() + code[start + word.len()..].chars().next().map_or(0, char::len_utf8);
        (!word.is_empty()).then_some((start, word))
    })
}

fn line_at(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The text with comments, strings and characters blanked, of the same lines.
fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = comment_length(rest)
            .or_else(|| if in_word { None } else { raw_string_length(rest) })
            .or_else(|| (first == '"').then(|| quoted_length(rest, '"')))
            .or_else(|| (first == '\'').then(|| character_length(rest)).flatten());
        match length {
            Some(length) => {
                out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
                rest = &rest[length..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

fn comment_length(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    let mut depth = 0;
    let mut at = 0;
    while rest.starts_with("/*") && at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next()?.len_utf8();
        }
    }
    None
}

fn raw_string_length(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let inside = body[hashes..].strip_prefix('"')?;
    let end = inside.find(&format!("\"{}", "#".repeat(hashes)))?;
    Some(rest.len() - inside.len() + end + 1 + hashes)
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// `'x'` and `'\n'` are characters; `'a` of `&'a str` is none.
fn character_length(rest: &str) -> Option<usize> {
    let mut inside = rest.chars().skip(1);
    let first = inside.next()?;
    (first == '\\' || inside.next()? == '\'').then(|| quoted_length(rest, '\''))
}

/// `#[cfg(test)] mod tests;` in a file of its own, which a test may be as any other.
fn is_test_module(path: &str) -> bool {
    path.starts_with("src/") && path.ends_with("/tests.rs")
}

/// Blanks each item under `#[cfg(test)]`, up to its closing brace or its semicolon.
fn without_tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        out.push_str(&rest[..start]);
        let item = &rest[start..];
        let mut depth = 0_usize;
        let mut end = item.len();
        for (at, c) in item.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && (c == '}' || c == ';') {
                end = at + 1;
                break;
            }
        }
        out.extend(item[..end].chars().filter(|c| *c == '\n'));
        rest = &item[end..];
    }
    out.push_str(rest);
    out
}

// ---------------------------------------------------------------------------------------------------- files

fn report(violations: impl Iterator<Item = String>) {
    let all: Vec<String> = violations.collect();
    assert!(all.is_empty(), "{} broken rule(s), see ARCHITECTURE.md:\n{}", all.len(), all.join("\n"));
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(""); // cargo runs tests in the package's folder
    let found: Vec<_> = files_below(folder, "rs")
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(root.join(&path)).unwrap();
            (path, text)
        })
        .collect();
    assert!(
        folder != "src" || found.len() > 10,
        "only {} sources found below src/: the test looks in the wrong place",
        found.len()
    );
    found
}

fn files_below(folder: &str, extension: &str) -> Vec<String> {
    let root = Path::new(""); // cargo runs tests in the package's folder
    let mut open: Vec<PathBuf> = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
    found.sort();
    found
}
