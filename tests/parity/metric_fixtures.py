"""Text metrics and accuracy-matrix metrics for tests/fixtures, written from their definitions (used by make_fixtures.py).

Words are `text.lower().split()`: Unicode lower case, split at Unicode white space, punctuation kept. The odd ends:
ROUGE-L is 0 when either side has no word; edit similarity of two empty strings is 1; in SARI 0/0 is 1 (as in Hugging Face
`evaluate`, whose sentence-level definition this is; Xu et al. 2016, "Optimizing Statistical Machine Translation for Text
Simplification", one reference, n = 1..4).
"""
from collections import Counter
from functools import lru_cache

import numpy as np

# (what it tests, source, prediction, reference); sources are for SARI only
PAIRS = [
    ("identical to the reference", "Most lakes here are usually frozen .", "Most lakes here are often frozen .", "Most lakes here are often frozen ."),
    ("copy of the source", "Most lakes here are usually frozen .", "Most lakes here are usually frozen .", "Most lakes here are often frozen ."),
    ("partly right", "Most lakes here are usually frozen .", "Most lakes you can skate on .", "Most lakes here are mostly ice ."),
    ("everything identical", "The cat sat on the mat", "The cat sat on the mat", "The cat sat on the mat"),
    ("empty prediction", "The physician examined the patient carefully", "", "The doctor looked at the patient"),
    ("one word each, wrong", "stance towards growth", "neutral", "hawkish"),
    ("upper case and spacing", "The Committee decided to raise rates", "  THE committee\traised\n rates ", "the Committee raised rates"),
    ("repeated words", "the dog and the cat and the dog ran", "the the dog ran and ran", "the dog and the cat ran"),
    ("order matters", "a b c d e f", "f e d c b a", "a b c d e f"),
    ("accents, umlauts, sigma", "Die Straße führt über die Brücke zum ΟΔΟΣ", "die STRASSE führt zur Brücke ΟΔΟΣ", "Die Straße führt zur brücke οδος"),
    ("Chinese and emoji", "央行 今天 宣布 加息 🙂", "央行 宣布 加息 🎉", "央行 加息 了 🙂"),
    ("no-break and wide spaces, combining mark", "cafe\u0301 ou the\u0301 noir", "cafe\u0301\u00a0noir", "caf\u00e9\u3000noir the\u0301"),
    ("much too long", "rates rise", "rates rise and rise and rise again until the end of the year and after it", "rates rise"),
    ("blank prediction", "Short text here", " \n", "Brief text"),
]


def words(text):
    return text.lower().split()


def rouge_l(prediction, reference):
    """F1 over the longest common subsequence of words, by memoised recursion (not the usual table)."""
    left, right = words(prediction), words(reference)

    @lru_cache(None)
    def common(i, j):
        if i == len(left) or j == len(right):
            return 0
        if left[i] == right[j]:
            return 1 + common(i + 1, j + 1)
        return max(common(i + 1, j), common(i, j + 1))

    length = common(0, 0)
    return 2 * length / (len(left) + len(right)) if length else 0.0  # 2PR/(P+R) with P = length/|left|, R = length/|right|


def edit_similarity(prediction, reference):
    """1 - Levenshtein distance / longer length, over Unicode scalar values."""
    @lru_cache(None)
    def distance(i, j):
        if min(i, j) == 0:
            return max(i, j)
        return min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, distance(i - 1, j - 1) + (prediction[i - 1] != reference[j - 1]))

    longest = max(len(prediction), len(reference))
    return 1 - distance(len(prediction), len(reference)) / longest if longest else 1.0


def ratio(part, whole):
    return part / whole if whole else 1.0


def f1(precision, recall):
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def sari_of_order(n, source, prediction, reference):
    """(keep F1, add F1, delete precision) of the n-grams of one order."""
    s, c, r = (Counter(tuple(ws[i:i + n]) for i in range(len(ws) - n + 1)) for ws in (source, prediction, reference))
    kept = {g: min(s[g], c[g]) for g in s if g in c}
    should_keep = sum(min(s[g], r[g]) for g in s)
    well_kept = {g: min(k, r[g]) for g, k in kept.items()}
    # precision averages over kinds of n-grams, recall over their occurrences
    keep = f1(ratio(sum(well_kept[g] / k for g, k in kept.items()), len(kept)), ratio(sum(well_kept.values()), should_keep))
    deleted = {g: s[g] - c[g] for g in s if s[g] > c[g]}
    delete = ratio(sum(max(0, d - r[g]) / d for g, d in deleted.items()), len(deleted))
    added, should_add = set(c) - set(s), set(r) - set(s)
    right = len(added & should_add)
    return keep, f1(ratio(right, len(added)), ratio(right, len(should_add))), delete


def sari(source, prediction, reference):
    """Mean over the three operations of the mean over n = 1..4, in [0, 1], with (keep, add, delete) beside it."""
    parts = np.array([sari_of_order(n, words(source), words(prediction), words(reference)) for n in range(1, 5)]).mean(0)
    return float(parts.mean()), parts.tolist()


def compare_with_rouge_score(rows):
    """The rouge_score package with our words as its tokens, no stemmer."""
    from rouge_score import rouge_scorer, tokenizers

    class Words(tokenizers.Tokenizer):
        def tokenize(self, text):
            return words(text)

    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False, tokenizer=Words())
    for row in rows:
        theirs = scorer.score(row["reference"], row["prediction"])["rougeL"].fmeasure
        assert abs(theirs - row["rouge_l"]) < 1e-12, (row, theirs)


def text_metrics():
    rows = []
    for note, source, prediction, reference in PAIRS:
        score, (keep, add, delete) = sari(source, prediction, reference)
        rows.append(dict(note=note, source=source, prediction=prediction, reference=reference, rouge_l=rouge_l(prediction, reference),
                         edit_similarity=edit_similarity(prediction, reference), sari=score, sari_keep=keep, sari_add=add, sari_delete=delete))
    both_empty = dict(prediction="", reference="", rouge_l=rouge_l("", ""), edit_similarity=edit_similarity("", ""))
    compare_with_rouge_score([*rows, both_empty])
    return dict(pairs=rows, both_empty=both_empty)


# rows: after training task i; columns: scored on task j; also above the diagonal, as forward transfer needs
MATRICES = [
    dict(zero_shot=[0.31], matrix=[[0.875]]),
    dict(zero_shot=[0.25, 0.5, 0.125],
         matrix=[[0.9, 0.45, 0.2], [0.6, 0.8, 0.1], [0.95, 0.55, 0.7]]),  # task 0 ends above its earlier best: forgetting 0, not negative
    dict(zero_shot=[0.33, 0.30, 0.05, 0.50, 0.0],
         matrix=[[0.81, 0.28, 0.11, 0.47, 0.00], [0.52, 0.66, 0.19, 0.61, 0.02], [0.55, 0.71, 0.40, 0.44, 0.05],
                 [0.30, 0.49, 0.37, 0.58, 0.01], [0.35, 0.52, 0.21, 0.39, 0.93]]),  # task 3 was best (0.61) before it was learnt
]


def matrix_metrics():
    """Spec section 6, 0-based; values that need at least two tasks are null for one."""
    results = []
    for case in MATRICES:
        a, z = np.array(case["matrix"]), np.array(case["zero_shot"])
        tasks, last = len(a), a[-1]
        learnt = a.diagonal()
        several = tasks > 1
        since = np.array([a[j:, j].max() for j in range(tasks)])
        results.append(dict(
            case, tasks=tasks,
            average_accuracy=float(last.mean()),
            average_accuracy_seen_after_each_task=[float(a[i, :i + 1].mean()) for i in range(tasks)],
            plasticity=float(learnt.mean()),
            backward_transfer=float((last - learnt)[:-1].mean()) if several else None,
            forgetting=float((a.max(0) - last)[:-1].mean()) if several else None,
            forgetting_per_task=(a.max(0) - last)[:-1].tolist(),
            forgetting_since_learnt=float((since - last)[:-1].mean()) if several else None,
            forward_transfer=float(np.mean([a[j - 1, j] - z[j] for j in range(1, tasks)])) if several else None))
    return dict(cases=results)
