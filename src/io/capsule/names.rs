//! Which names a file of a capsule may have: those that mean the same place inside the run's folder on every system.

/// Longest name in bytes, and most folders one inside the other; far from the limits of every file system.
const LONGEST: usize = 200;
const DEEPEST: usize = 8;

/// Names that Windows keeps for devices, whatever follows a dot.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];

/// Why a name is refused; `None` when it is good.
pub(super) fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > LONGEST {
        return Some("is empty or too long");
    }
    if name.starts_with('/') || name.contains(':') {
        return Some("is an absolute path");
    }
    if name.contains('\\') {
        return Some("has a backslash");
    }
    if name.chars().any(|character| character.is_control() || "<>\"|?*".contains(character)) {
        return Some("has characters that not every system allows");
    }
    let mut depth = 0;
    for part in name.split('/') {
        depth += 1;
        if part == ".." || part == "." {
            return Some("leads out of its folder");
        }
        if part.is_empty() {
            return Some("is the name of a folder, or has an empty part");
        }
        if part.ends_with(['.', ' ']) || is_device(part) {
            return Some("cannot be a file on Windows");
        }
    }
    (depth > DEEPEST).then_some("lies in too many folders")
}

fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().to_lowercase();
    DEVICES.iter().any(|device| match stem.strip_prefix(device) {
        Some("") => !matches!(*device, "com" | "lpt"),
        Some(number) => {
            matches!(*device, "com" | "lpt") && number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit())
        }
        None => false,
    })
}

/// The first name that clashes with an earlier one: the same but for upper and lower case, or a file where another name
/// needs a folder.
pub(super) fn clash<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut files = std::collections::HashSet::new();
    let mut folders = std::collections::HashSet::new();
    for name in names {
        let lower = name.to_lowercase();
        for (at, _) in lower.match_indices('/') {
            folders.insert(lower[..at].to_owned());
        }
        if !files.insert(lower) {
            return Some(name.to_owned());
        }
    }
    files.into_iter().filter(|file| folders.contains(file)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_inside_the_folder_are_good() {
        for good in
            ["config.toml", "adapters/03-summary/long_term/adapter_config.json", "computer.csv", "com10", "a b/.c", "λ"]
        {
            assert_eq!(fault(good), None, "{good}");
        }
        let long = "x".repeat(201);
        let bad = [
            "",
            "/etc/passwd",
            "../up",
            "a/../../b",
            "a/./b",
            "a//b",
            "a/",
            "C:/x",
            "c:x",
            "a\\b",
            "..\\up",
            "a\0b",
            "a\nb",
            "nul",
            "NUL.txt",
            "a/Com1.log",
            "lpt9",
            "end.",
            "end ",
            "what?",
            "a/b/c/d/e/f/g/h/i",
            &long,
        ];
        for bad in bad {
            assert!(fault(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn names_that_are_one_file_on_some_system_clash() {
        assert_eq!(clash(["a", "b/c", "b/d"].into_iter()), None);
        assert_eq!(clash(["a/B", "A/b"].into_iter()).as_deref(), Some("A/b"));
        assert_eq!(clash(["x/y", "X"].into_iter()).as_deref(), Some("x"));
    }
}
