//! Edit distance over characters, for the edit similarity of generated lines and for "did you mean".

/// Fewest insertions, deletions and replacements of single characters that turn `a` into `b` (Levenshtein).
#[must_use]
pub fn levenshtein(a: &str, b: &str) -> usize {
    let mut a: Vec<char> = a.chars().collect();
    let mut b: Vec<char> = b.chars().collect();
    // Equal ends cost nothing, and long texts are mostly equal.
    let front = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    a.drain(..front);
    b.drain(..front);
    while let (Some(x), Some(y)) = (a.last(), b.last())
        && x == y
    {
        a.pop();
        b.pop();
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// `1 - levenshtein / length of the longer`, over characters; two empty texts are equal (1).
#[must_use]
#[allow(clippy::cast_precision_loss)] // text lengths are far below 2^52
pub fn edit_similarity(a: &str, b: &str) -> f64 {
    let longer = a.chars().count().max(b.chars().count());
    if longer == 0 {
        return 1.0;
    }
    1.0 - levenshtein(a, b) as f64 / longer as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recursive definition, as an independent oracle.
    fn slow(a: &[char], b: &[char]) -> usize {
        match (a, b) {
            ([], rest) | (rest, []) => rest.len(),
            ([x, a_rest @ ..], [y, b_rest @ ..]) => {
                let replaced = slow(a_rest, b_rest) + usize::from(x != y);
                replaced.min(slow(a_rest, b) + 1).min(slow(a, b_rest) + 1)
            }
        }
    }

    #[test]
    fn agrees_with_the_recursive_definition() {
        let words = ["", "a", "ab", "ba", "abc", "kitten", "sitting", "äbä", "bab", "aabb", "abab"];
        for a in words {
            for b in words {
                let (x, y): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
                assert_eq!(levenshtein(a, b), slow(&x, &y), "{a} {b}");
            }
        }
        assert_eq!(levenshtein("kitten", "sitting"), 3);
    }

    #[test]
    fn similarity_is_a_share_of_characters() {
        assert!((edit_similarity("kitten", "sitting") - (1.0 - 3.0 / 7.0)).abs() < 1e-12);
        assert!((edit_similarity("", "") - 1.0).abs() < 1e-12);
        assert!(edit_similarity("", "ab").abs() < 1e-12);
        // Two characters, four bytes: counted as characters.
        assert!((edit_similarity("äö", "äu") - 0.5).abs() < 1e-12);
    }
}
