"""Makes tests/fixtures/peft_paths.json: what PEFT's weighted adapters give between two adapters, merged into the weights.

    python tests/parity/peft_paths.py     # seconds; needs torch, transformers, peft, numpy (versions are in the file)

PEFT's `add_weighted_adapter` adds up adapters i with weights w_i and scales s_i (lora_alpha / r):

    linear  (sum_i sqrt(w_i s_i) B_i) (sum_i sqrt(w_i s_i) A_i)    roots, so w and 1 - w is no straight line in the factors
    cat     sum_i w_i s_i B_i A_i                                  of rank sum r_i: the straight line of the updates
    svd     the best approximation of that sum of a given rank

With equal scales our line at t, s ((1-t) B_a + t B_b) ((1-t) A_a + t A_b), is therefore PEFT's linear with the weights (1-t)^2 and t^2.
Each point is merged into the weights (`merge_and_unload`) and evaluated by transformers: negative log-likelihoods of the targets.
The updates are held against dense sums made here, so that the file says what PEFT computes and not only what it says it does.

Also linear CKA (spec 7.7) between the two adapters of transformers' hidden states before each answer, by HSIC with an explicit
centring matrix in float64.
"""
import os
import sys

if os.environ.get("PYTHONHASHSEED") != "0":
    os.environ.update(PYTHONHASHSEED="0", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    os.execv(sys.executable, [sys.executable, *sys.argv])
sys.dont_write_bytecode = True

import json
import warnings
from pathlib import Path

import numpy as np
import peft
import torch
import transformers

ROOT = Path(__file__).resolve().parents[1] / "fixtures"
MODEL, FIRST, SECOND = ROOT / "tiny-llama3", "adapter", "adapter_slow"
SEED, ROWS, VOCABULARY = 20240229, 12, 101
TS = [0.0, 0.25, 0.5, 1.0]

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
warnings.filterwarnings("ignore")


def draw_batch():
    """Rows of 6 to 17 tokens, the last 1 to 4 of each being the answer; right-padded with 0."""
    rng = np.random.default_rng(SEED)
    lengths = [int(n) for n in rng.integers(6, 18, ROWS)]
    answers = [int(n) for n in rng.integers(1, 5, ROWS)]
    seq = max(lengths)
    tokens = np.zeros((ROWS, seq), int)
    positions, ids, rows = [], [], []
    for row, (length, answer) in enumerate(zip(lengths, answers)):
        tokens[row, :length] = rng.integers(3, VOCABULARY, length)
        for place in range(length - answer, length):
            positions.append(row * seq + place - 1)
            ids.append(int(tokens[row, place]))
            rows.append(row)
    return dict(batch=ROWS, seq=seq, tokens=tokens.flatten().tolist(), lengths=lengths,
                target_positions=positions, target_ids=ids, target_rows=rows)


BATCH = draw_batch()


def adapted():
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(model, MODEL / FIRST, adapter_name="first")
    model.load_adapter(MODEL / SECOND, adapter_name="second")
    return model.eval()


def inputs():
    tokens = torch.tensor(BATCH["tokens"]).reshape(ROWS, BATCH["seq"])
    mask = torch.arange(BATCH["seq"])[None, :] < torch.tensor(BATCH["lengths"])[:, None]
    return dict(input_ids=tokens, attention_mask=mask.long())


def nll(model):
    with torch.no_grad():
        logits = model(**inputs()).logits.double().reshape(ROWS * BATCH["seq"], -1)
    chosen = torch.log_softmax(logits[BATCH["target_positions"]], -1)
    return (-chosen.gather(1, torch.tensor(BATCH["target_ids"])[:, None])[:, 0]).tolist()


def layers(model):
    return [module for module in model.modules() if isinstance(module, peft.tuners.lora.LoraLayer)]


def weighted(weights, kind, dense, **settings):
    """Target losses of the merged weighted adapter, after holding its updates against `dense(a, b)` of (A, B, scale) pairs."""
    model = adapted()
    # "cat" and "svd" of weight 0 are fine; "linear" too
    model.add_weighted_adapter(["first", "second"], weights, "mix", combination_type=kind, **settings)
    for layer in layers(model):
        parts = [(layer.lora_A[name].weight.double(), layer.lora_B[name].weight.double(), layer.scaling[name]) for name in ("first", "second")]
        difference = (layer.get_delta_weight("mix").double() - dense(*parts)).abs().max().item()
        assert difference < 1e-6, f"PEFT's {kind} of {weights} is {difference:.2g} away from the formula"
    model.set_adapter("mix")
    return nll(model.merge_and_unload())


def straight_in_factors(t):
    return lambda a, b: a[2] * ((1 - t) * a[1] + t * b[1]) @ ((1 - t) * a[0] + t * b[0])


def straight_in_updates(t):
    return lambda a, b: (1 - t) * a[2] * a[1] @ a[0] + t * b[2] * b[1] @ b[0]


def truncated(t, rank):
    def dense(a, b):
        u, s, vh = torch.linalg.svd(straight_in_updates(t)(a, b), full_matrices=False)
        return (u[:, :rank] * s[:rank]) @ vh[:rank]
    return dense


def linear_cka():
    """Of the embedding output and every block's (the last one normalised), at the position before each row's answer."""
    first_target = [min(p for p, r in zip(BATCH["target_positions"], BATCH["target_rows"]) if r == row) for row in range(ROWS)]
    states = []
    model = adapted()
    for name in ("first", "second"):
        model.set_adapter(name)
        with torch.no_grad():
            hidden = model(**inputs(), output_hidden_states=True).hidden_states
        states.append([h.reshape(ROWS * BATCH["seq"], -1)[first_target].double().numpy() for h in hidden])
    centre = np.eye(ROWS) - 1 / ROWS
    hsic = lambda k, l: np.trace(k @ centre @ l @ centre)
    values = []
    for x, y in zip(*states):
        k, l = x @ x.T, y @ y.T
        values.append(hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l)))
    return dict(positions=first_target, values=values)


rank = 4
line = {str(t): weighted([(1 - t) ** 2, t**2], "linear", straight_in_factors(t)) for t in TS}
roots = 0.25
fixture = dict(
    made_by="tests/parity/peft_paths.py", seed=SEED,
    versions=dict(torch=torch.__version__.split("+")[0], transformers=transformers.__version__, peft=peft.__version__, numpy=np.__version__),
    model=MODEL.name, first=FIRST, second=SECOND, batch=BATCH,
    linear_of_squares=line,
    linear_as_it_stands=dict(t=roots, nll=weighted([1 - roots, roots], "linear", lambda a, b: a[2] * (np.sqrt(1 - roots) * a[1] + np.sqrt(roots) * b[1])
                                                   @ (np.sqrt(1 - roots) * a[0] + np.sqrt(roots) * b[0]))),
    cat={str(t): weighted([1 - t, t], "cat", straight_in_updates(t)) for t in TS},
    svd=dict(t=0.5, rank=rank, nll=weighted([0.5, 0.5], "svd", truncated(0.5, rank), svd_rank=rank)),
    cka=linear_cka(),
)


def rounded(value):
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


text = json.dumps(rounded(fixture), indent=None, separators=(",", ":"))
(ROOT / "peft_paths.json").write_text(text.replace('},"', '},\n"') + "\n")
print({t: sum(v) / len(v) for t, v in line.items()}, fixture["cka"]["values"])
