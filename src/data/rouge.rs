//! ROUGE-L: how much of the words' order two texts share (Lin 2004).

/// The words that ROUGE-L and SARI count: lower case, cut at Unicode white space, punctuation kept as it stands.
///
/// No stemming and no language rules, so that the same scores come out for every language and for code.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    text.to_lowercase().split_whitespace().map(str::to_string).collect()
}

/// F1 of the longest common subsequence of words: `2 * common / (words of a + words of b)`, in `[0, 1]`.
///
/// 0 if either side has no word. The released LLMCL code drops empty generations instead, which raises its mean.
#[must_use]
#[allow(clippy::cast_precision_loss)] // word counts are far below 2^52
pub fn rouge_l(prediction: &str, answer: &str) -> f64 {
    let (left, right) = (words(prediction), words(answer));
    if left.is_empty() || right.is_empty() {
        return 0.0;
    }
    2.0 * longest_common_subsequence(&left, &right) as f64 / (left.len() + right.len()) as f64
}

fn longest_common_subsequence(left: &[String], right: &[String]) -> usize {
    let mut row = vec![0; right.len() + 1];
    for a in left {
        let mut diagonal = 0;
        for (j, b) in right.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if a == b { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed_values() {
        // Common subsequence "the cat the mat": 4 of 6 and 5 words.
        assert!((rouge_l("the cat sat on the mat", "The cat likes the mat") - 8.0 / 11.0).abs() < 1e-12);
        assert!((rouge_l("b a", "a b") - 0.5).abs() < 1e-12);
        assert!(rouge_l("", "a").abs() < 1e-12);
        assert!(rouge_l("a", " ").abs() < 1e-12);
        assert!((rouge_l("A  b\n", "a B") - 1.0).abs() < 1e-12);
    }

    #[test]
    fn subsequence_agrees_with_trying_all_subsets() {
        let left = words("a b a c b d a");
        let right = words("b a b d c a");
        let is_subsequence = |part: &[&String]| {
            let mut rest = right.iter();
            part.iter().all(|word| rest.any(|other| other == *word))
        };
        let best = (0..1_u32 << left.len())
            .map(|mask| {
                left.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1).map(|(_, word)| word).collect::<Vec<_>>()
            })
            .filter(|part| is_subsequence(part))
            .map(|part| part.len())
            .max();
        assert_eq!(Some(longest_common_subsequence(&left, &right)), best);
    }
}
