//! The command line that repeats a call, quoted for a POSIX shell; reports carry it.

pub(super) use crate::engine::landscape::quote;
use std::ffi::OsString;
use std::path::Path;

/// `thalweg` with the given arguments (the first is the program's own path and left out). `demo` is spelled out where
/// no subcommand was given, because what that means may change.
pub(super) fn repeat(arguments: &[OsString], without_subcommand: bool) -> String {
    let mut words = vec!["thalweg".to_string()];
    words.extend(arguments.iter().skip(1).map(|word| quote(&word.to_string_lossy())));
    if without_subcommand {
        words.push("demo".into());
    }
    words.join(" ")
}

/// The command that goes on with a stopped run.
pub(super) fn resume(folder: &Path) -> String {
    format!("thalweg resume {}", quote(&folder.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<OsString> {
        list.iter().map(OsString::from).collect()
    }

    #[test]
    fn plain_words_stay_and_others_are_quoted() {
        assert_eq!(
            repeat(&words(&["/usr/bin/thalweg", "run", "my run.toml", "--set", "training.epochs=2"]), false),
            "thalweg run 'my run.toml' --set training.epochs=2"
        );
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a\nb;c"), "'a\nb;c'");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        let Ok(output) = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("printf %s {}", quote("a 'b' \"c\" $(d) \\ *\t~#")))
            .output()
        else {
            eprintln!("NOT TESTED: there is no `sh` here to read the quotes");
            return;
        };
        assert_eq!(String::from_utf8_lossy(&output.stdout), "a 'b' \"c\" $(d) \\ *\t~#");
    }

    #[test]
    fn no_subcommand_is_spelled_out() {
        assert_eq!(repeat(&words(&["thalweg", "--quiet"]), true), "thalweg --quiet demo");
        assert_eq!(resume(Path::new("my runs/seq-seed0")), "thalweg resume 'my runs/seq-seed0'");
    }
}
