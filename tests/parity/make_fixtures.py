"""Makes tests/fixtures: tiny models, adapters and the numbers that transformers, peft and torch give for them.

    python tests/parity/make_fixtures.py    # writes tests/fixtures in about a minute; its README.md says what is in the files

Needs torch, transformers, peft, safetensors, numpy, and rouge_score for one cross-check. CPU, one thread, seeds fixed, nothing is
downloaded. The Rust tests only read the files and need no Python. Every number from transformers and peft is checked here against
a second, independent forward pass in float64 (`Plain`), row by row without padding; the I-LoRA objective comes from that one alone.
"""
import os
import sys

if os.environ.get("PYTHONHASHSEED") != "0":  # PEFT writes target_modules in the order of a set
    os.environ.update(PYTHONHASHSEED="0", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    os.execv(sys.executable, [sys.executable, *sys.argv])
sys.dont_write_bytecode = True

import copy
import json
import math
import shutil
import warnings
from pathlib import Path

import numpy as np
import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

from metric_fixtures import matrix_metrics, text_metrics
from plain_model import Plain

ROOT = Path(__file__).resolve().parents[1] / "fixtures"
SPECIAL = 3  # ids 0 pad, 1 bos, 2 eos never appear inside a row
LENGTHS = [21, 12, 5]
ANSWERS = [6, 4, 1]  # tokens of each row that are the answer, at its end
LEARNING_RATE, BETAS, EPSILON, WEIGHT_DECAY = 1e-2, (0.9, 0.999), 1e-8, 0.01
ALL_SEVEN = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
warnings.filterwarnings("ignore")  # peft asks for the base model's config on the Hub; there is none

# Configurations spelled as on the Hub today (transformers 4: rope_theta, rope_scaling, torch_dtype). The models marked
# `resave` are written by this transformers (5: rope_parameters, dtype); a reader has to know both spellings.
COMMON = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0, hidden_act="silu", initializer_range=0.02, attention_dropout=0.0, use_cache=True)
MODELS = {
    "tiny-llama3": dict(
        seed=11, resave=False, adapter=["q_proj", "v_proj"],
        config=dict(architectures=["LlamaForCausalLM"], model_type="llama", vocab_size=101, hidden_size=40, intermediate_size=56,
                    num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=12, rms_norm_eps=1e-5,
                    max_position_embeddings=256, rope_theta=10000.0, tie_word_embeddings=False, attention_bias=False, mlp_bias=False,
                    rope_scaling=dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                      original_max_position_embeddings=64), torch_dtype="float32")),
    "tiny-qwen2": dict(
        seed=22, resave=False, adapter=ALL_SEVEN,
        config=dict(architectures=["Qwen2ForCausalLM"], model_type="qwen2", vocab_size=120, hidden_size=32, intermediate_size=44,
                    num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6, max_position_embeddings=512,
                    rope_theta=1000000.0, tie_word_embeddings=True, use_sliding_window=False, sliding_window=131072,
                    max_window_layers=28, torch_dtype="float32")),
    "tiny-qwen3": dict(
        seed=33, resave=True, adapter=None,
        config=dict(architectures=["Qwen3ForCausalLM"], model_type="qwen3", vocab_size=97, hidden_size=36, intermediate_size=40,
                    num_hidden_layers=3, num_attention_heads=3, num_key_value_heads=1, head_dim=16, rms_norm_eps=1e-6,
                    max_position_embeddings=512, rope_theta=1000000.0, rope_scaling=None, tie_word_embeddings=True,
                    attention_bias=False, use_sliding_window=False, sliding_window=None, max_window_layers=3, torch_dtype="float32")),
    "tiny-mistral": dict(
        seed=44, resave=True, adapter=None, shards=2,
        config=dict(architectures=["MistralForCausalLM"], model_type="mistral", vocab_size=128, hidden_size=48, intermediate_size=56,
                    num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, rms_norm_eps=1e-5, max_position_embeddings=512,
                    rope_theta=10000.0, tie_word_embeddings=False, sliding_window=None, torch_dtype="bfloat16")),
}


def generator(seed):
    return torch.Generator().manual_seed(seed)


def check(what, left, right, limit):
    """Two computations of one thing must agree; the largest difference is printed at the end."""
    left, right = (torch.as_tensor(side, dtype=torch.float64) for side in (left, right))
    difference = float((left - right).abs().max())
    assert difference <= limit, f"{what}: {difference} > {limit}"
    AGREEMENT.append((what, difference))


AGREEMENT = []


# ---------------------------------------------------------------- batches
def make_batch(seed, vocabulary, lengths, answers):
    """Rows of random tokens; the last `answers[i]` tokens of row i are the answer. Names as in `data::Batch`."""
    source = generator(seed)
    rows = [torch.randint(SPECIAL, vocabulary, (n,), generator=source).tolist() for n in lengths]
    width = max(lengths)
    batch = dict(rows=rows, batch=len(rows), seq=width, lengths=lengths, tokens=[], target_positions=[], target_ids=[], target_rows=[])
    for index, (row, answer) in enumerate(zip(rows, answers)):
        batch["tokens"] += row + [0] * (width - len(row))
        for t in range(len(row) - answer - 1, len(row) - 1):
            batch["target_positions"].append(index * width + t)
            batch["target_ids"].append(row[t + 1])
            batch["target_rows"].append(index)
    return batch


def as_json(batch):
    return {key: batch[key] for key in ("batch", "seq", "tokens", "lengths", "target_positions", "target_ids", "target_rows")}


def tensors_of(batch):
    """What transformers wants: ids, attention mask, labels with -100 where there is no loss."""
    shape = (batch["batch"], batch["seq"])
    labels = torch.full((shape[0] * shape[1],), -100)
    labels[torch.tensor(batch["target_positions"]) + 1] = torch.tensor(batch["target_ids"])
    mask = torch.zeros(shape, dtype=torch.long)
    for index, length in enumerate(batch["lengths"]):
        mask[index, :length] = 1
    return dict(input_ids=torch.tensor(batch["tokens"]).view(shape), attention_mask=mask, labels=labels.view(shape))


def real(batch, values):
    """[B, T, ...] -> [P, ...]: the real positions, rows one after the other."""
    return torch.cat([values[i, :n] for i, n in enumerate(batch["lengths"])])


def target_losses(batch, logits):
    """Negative log-likelihood of each target from logits over the real positions [P, V]."""
    start = np.concatenate([[0], np.cumsum(batch["lengths"])])
    places = torch.tensor([start[row] + position % batch["seq"] for row, position in zip(batch["target_rows"], batch["target_positions"])])
    chosen = logits[places]
    return chosen.logsumexp(-1) - chosen.gather(-1, torch.tensor(batch["target_ids"])[:, None])[:, 0]


# ---------------------------------------------------------------- files
def array(values):
    """Shape and flat row-major values with seven significant digits."""
    return dict(shape=list(values.shape), data=[float(f"{v:.7g}") for v in values.detach().flatten().tolist()])


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")


def write_safetensors(path, tensors):
    save_file({name: value.detach().float().contiguous() for name, value in tensors.items()}, path, metadata={"format": "pt"})


# ---------------------------------------------------------------- models
def make_model(name, spec):
    """Writes the folder with random weights; matrices ~ 0.95/sqrt(fan-in), norm weights and biases random, all of them felt."""
    folder = ROOT / name
    config = transformers.AutoConfig.for_model(**copy.deepcopy(spec["config"]), **COMMON)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    source = generator(spec["seed"])
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=source)
            if "norm" in key:
                parameter.copy_(1 + 0.25 * noise)
            elif key.endswith("bias"):
                parameter.copy_(0.4 * noise)
            else:
                parameter.copy_(0.95 / math.sqrt(parameter.shape[-1]) * noise)
    if spec["config"]["torch_dtype"] == "bfloat16":
        model = model.bfloat16()
    size = sum(p.numel() * p.element_size() for p in model.parameters())
    model.save_pretrained(folder, max_shard_size=int(size * 0.6) if "shards" in spec else "1GB")
    if not spec["resave"]:
        (folder / "config.json").write_text(json.dumps({**spec["config"], **COMMON}, indent=2) + "\n")
    (folder / "generation_config.json").unlink()  # its end token would stop nothing here; readers get the ids from config.json
    shards = sorted(folder.glob("*.safetensors"))
    assert len(shards) == spec.get("shards", 1), shards


def load(name):
    """The folder as any user would load it, computed in float32."""
    return transformers.AutoModelForCausalLM.from_pretrained(ROOT / name, dtype=torch.float32, attn_implementation="eager").eval()


def load_plain(name):
    weights = {}
    for shard in (ROOT / name).glob("*.safetensors"):
        weights |= load_file(shard)
    return Plain(json.loads((ROOT / name / "config.json").read_text()), weights)


@torch.no_grad()
def greedy(model, vocabulary, seed):
    """A prompt whose 12 greedy tokens hold no special id, vary, and leave no doubt about the largest logit."""
    for attempt in range(500):
        prompt = torch.randint(SPECIAL, vocabulary, (6,), generator=generator(seed + attempt)).tolist()
        tokens, gaps = list(prompt), []
        for _ in range(12):
            best = model(torch.tensor([tokens])).logits[0, -1].topk(2)
            gaps.append(float(best.values[0] - best.values[1]))
            tokens.append(int(best.indices[0]))
        made = tokens[len(prompt):]
        if min(gaps) > 0.02 and min(made) >= SPECIAL and len(set(made)) >= 8:
            cached = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, 6, dtype=torch.long), do_sample=False,
                                    max_new_tokens=12, eos_token_id=None, pad_token_id=0)
            assert cached[0].tolist() == tokens, "generate() with its cache disagrees"
            return dict(prompt=prompt, tokens=made, smallest_gap=min(gaps))
    raise AssertionError("no prompt found")


@torch.no_grad()
def expect_model(name, spec):
    """Logits, hidden states, losses and greedy text of the plain model."""
    model, plain = load(name), load_plain(name)
    vocabulary = spec["config"]["vocab_size"]
    batch = make_batch(spec["seed"] + 1000, vocabulary, LENGTHS, ANSWERS)
    out = model(**tensors_of(batch), output_hidden_states=True)
    logits, hidden = real(batch, out.logits), [real(batch, layer) for layer in out.hidden_states]
    plain_hidden, plain_logits = plain.rows(batch)
    assert len(hidden) == len(plain_hidden) == spec["config"]["num_hidden_layers"] + 1
    check(f"{name}: logits, transformers f32 - own f64", logits, plain_logits, 2e-5)
    for layer, (left, right) in enumerate(zip(hidden, plain_hidden)):
        check(f"{name}: hidden state {layer}", left, right, 2e-5)
    losses = target_losses(batch, logits)
    check(f"{name}: mean NLL against the library's own loss", losses.mean(), out.loss, 1e-6)
    expected = dict(batch=as_json(batch), logits=array(logits), final_hidden=array(hidden[-1]), target_nll=array(losses),
                    mean_nll=float(losses.mean()), greedy=greedy(model, vocabulary, spec["seed"] + 2000))
    if name == "tiny-llama3":  # row 1: embeddings, after layer 0, after the last layer AND the final norm (as HF reports it)
        start, length = LENGTHS[0], LENGTHS[1]
        expected["all_hidden"] = dict(row=1, hidden_states=array(torch.stack([h[start:start + length] for h in hidden])))
    assert_everything_is_felt(name, batch, plain, plain_logits)
    return model, plain, batch, expected


def assert_everything_is_felt(name, batch, plain, logits):
    """Taking a feature away must move the logits by more than any sensible tolerance, or the fixture would prove nothing."""
    def without(change):
        other = Plain.__new__(Plain)
        other.__dict__ = dict(plain.__dict__, weights=dict(plain.weights))
        change(other)
        moved = float((other.rows(batch)[1] - logits).abs().max())
        assert moved > 0.05, f"{name}: a feature moves the logits by {moved} only"

    def ones(part):
        return lambda other: other.weights.update({k: torch.ones_like(v) for k, v in other.weights.items() if part in k})
    without(ones("layernorm"))
    without(ones("model.norm"))
    without(lambda other: other.__dict__.update(frequency=other.frequency * 0.5))
    if name == "tiny-llama3":
        plainest = 10000.0 ** (-torch.arange(0, 12, 2, dtype=torch.float64) / 12)
        ratio = plain.frequency / plainest
        assert ratio[0] == 1 and 0.3 < ratio[1] < 0.9 and ratio[2] == 0.25, f"the three regimes of llama3 scaling: {ratio}"
        without(lambda other: other.__dict__.update(frequency=plainest))
    if name == "tiny-qwen2":
        for part in "qkv":  # a constant on the keys alone would cancel in the softmax, were it not for RoPE
            without(lambda other, part=part: [other.weights.pop(k) for k in list(other.weights) if k.endswith(f"{part}_proj.bias")])
    if name == "tiny-qwen3":
        without(ones("q_norm"))
        without(ones("k_norm"))


# ---------------------------------------------------------------- adapters
def attach(name, targets, seed, batch=None):
    """A fresh PEFT model of the folder with every A and B random, all far from zero.

    With a batch: of 60 draws the one whose smallest gradient element is largest. AdamW's first step is the gradient's sign,
    so an element near zero would turn rounding noise into a whole step and no tolerance would fit.
    """
    config = peft.LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets, bias="none", task_type="CAUSAL_LM")
    model = peft.get_peft_model(load(name), config).eval()
    model.peft_config["default"].base_model_name_or_path = name
    factors = [p for _, p in lora_parameters(model)]

    def draw(attempt):
        source = generator(seed + attempt)
        with torch.no_grad():
            for factor in factors:
                factor.copy_(0.15 * torch.randn(factor.shape, generator=source))

    def smallest_gradient(attempt):
        draw(attempt)
        gradients = torch.autograd.grad(model(**tensors_of(batch)).loss, factors)
        return min(float(g.abs().min()) for g in gradients)

    draw(max(range(60), key=smallest_gradient) if batch else 0)
    return model


def save_adapter(model, folder):
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # an empty model card


def load_adapter(folder):
    """The adapter file in float64, for `Plain`, as leaves that can take gradients."""
    config = json.loads((folder / "adapter_config.json").read_text())
    factors = {k: v.double().requires_grad_() for k, v in load_file(folder / "adapter_model.safetensors").items()}
    return dict(scale=config["lora_alpha"] / config["r"], factors=factors)


def lora_parameters(model):
    """(PEFT's file key, parameter) of every factor: the name without the adapter's own name in it."""
    return [(key.replace(".default.", "."), p) for key, p in model.named_parameters() if p.requires_grad]


def adamw64(plain, batch, adapter, steps):
    """The same three AdamW steps (Loshchilov & Hutter, decoupled decay) in float64: losses and parameters."""
    factors = adapter["factors"]
    moments = {k: (torch.zeros_like(v), torch.zeros_like(v)) for k, v in factors.items()}
    losses = []
    for step in range(1, steps + 1):
        loss = target_losses(batch, plain.rows(batch, adapter)[1]).mean()
        losses.append(float(loss.detach()))
        gradients = torch.autograd.grad(loss, list(factors.values()))
        with torch.no_grad():
            for (key, value), gradient in zip(factors.items(), gradients):
                first, second = moments[key]
                first.mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
                second.mul_(BETAS[1]).add_(gradient.square(), alpha=1 - BETAS[1])
                value.mul_(1 - LEARNING_RATE * WEIGHT_DECAY)
                value.sub_(LEARNING_RATE * (first / (1 - BETAS[0] ** step)) / ((second / (1 - BETAS[1] ** step)).sqrt() + EPSILON))
    return losses, factors


def expect_adapter(name, spec, plain, batch, expected):
    """PEFT's forward, gradients, three AdamW steps and merge; tensors into adapter_expected.safetensors."""
    folder = ROOT / name
    model = attach(name, spec["adapter"], spec["seed"] + 3000, batch)
    save_adapter(model, folder / "adapter")
    model = peft.PeftModel.from_pretrained(load(name), folder / "adapter", is_trainable=True).eval()  # from the file, as a user would
    inputs, tensors = tensors_of(batch), {}
    optimizer = torch.optim.AdamW([p for _, p in lora_parameters(model)], lr=LEARNING_RATE, betas=BETAS, eps=EPSILON, weight_decay=WEIGHT_DECAY)
    losses = []
    for step in range(3):
        optimizer.zero_grad()
        out = model(**inputs)
        out.loss.backward()
        losses.append(float(out.loss.detach()))
        if step == 0:
            tensors["logits"] = real(batch, out.logits).detach().clone()
            tensors |= {f"gradient/{key}": p.grad.clone() for key, p in lora_parameters(model)}
        optimizer.step()
    tensors |= {f"after_step_3/{key}": p.detach().clone() for key, p in lora_parameters(model)}

    adapter = load_adapter(folder / "adapter")
    logits64 = plain.rows(batch, adapter)[1]
    check(f"{name}: logits with the adapter, peft f32 - own f64", tensors["logits"], logits64.detach(), 2e-5)
    loss64 = target_losses(batch, logits64).mean()
    gradients = dict(zip(adapter["factors"], torch.autograd.grad(loss64, list(adapter["factors"].values()))))
    smallest = min(float(g.abs().max()) for g in gradients.values())
    assert smallest > 1e-3, f"{name}: a gradient tensor is nearly zero ({smallest})"
    for key, gradient in gradients.items():
        check(f"{name}: gradient", tensors[f"gradient/{key}"], gradient, 2e-6)
    losses64, factors = adamw64(plain, batch, adapter, 3)
    check(f"{name}: three losses", losses, losses64, 5e-6)
    for key, value in factors.items():
        check(f"{name}: parameters after three AdamW steps", tensors[f"after_step_3/{key}"], value.detach(), 2e-5)

    merged = peft.PeftModel.from_pretrained(load(name), folder / "adapter").merge_and_unload()
    with torch.no_grad():
        tensors["merged_logits_row_0"] = merged(torch.tensor([batch["rows"][0]])).logits[0]
    check(f"{name}: merged logits against unmerged", tensors["merged_logits_row_0"], tensors["logits"][:LENGTHS[0]], 2e-5)
    one = {"tiny-llama3": "model.layers.0.self_attn.q_proj.weight", "tiny-qwen2": "model.layers.1.mlp.down_proj.weight"}[name]
    tensors[f"merged/{one}"] = dict(merged.named_parameters())[one]
    write_safetensors(folder / "adapter_expected.safetensors", tensors)
    expected["adapter"] = dict(r=4, lora_alpha=8, target_modules=spec["adapter"], loss=losses[0], losses=losses, merged_weight=one,
                               adamw=dict(lr=LEARNING_RATE, betas=list(BETAS), eps=EPSILON, weight_decay=WEIGHT_DECAY, steps=3))


# ---------------------------------------------------------------- the I-LoRA objective
def i_lora(plain):
    """Spec sections 1.3 and 2 in float64: every consistency variant, totals, and gradients into the fast adapter."""
    folder = ROOT / "tiny-llama3"
    save_adapter(attach("tiny-llama3", ["q_proj", "v_proj"], 5000), folder / "adapter_slow")
    vocabulary = plain.config["vocab_size"]
    current = make_batch(5001, vocabulary, [14, 9, 11], [5, 3, 2])
    replay = make_batch(5002, vocabulary, [8, 16], [2, 1])  # another number of targets, so that pooled and mean of means differ
    fast, slow = load_adapter(folder / "adapter"), load_adapter(folder / "adapter_slow")
    with torch.no_grad():
        slow_hidden, slow_logits = plain.rows(replay, slow)
    hidden, logits = plain.rows(replay, fast)
    losses = dict(current=target_losses(current, plain.rows(current, fast)[1]), replay=target_losses(replay, logits))
    features = dict(last_hidden=(hidden[-1], slow_hidden[-1]), all_layers=(torch.stack(hidden), torch.stack(slow_hidden)),
                    logits=(logits, slow_logits))
    consistency = {}
    for layer, (mine, other) in features.items():
        consistency[f"{layer}/symmetric"] = (mine - other).square().mean()
        consistency[f"{layer}/one_sided"] = (torch.maximum(mine, other).detach() - mine).square().mean()  # target = max(fast, slow)
        check(f"one-sided {layer}: max form against relu form", consistency[f"{layer}/one_sided"].detach(),
              torch.relu(other - mine.detach()).square().mean(), 1e-15)
    entropy = dict(mean_of_means=0.5 * losses["current"].mean() + 0.5 * losses["replay"].mean(),
                   pooled=torch.cat([losses["current"], losses["replay"]]).mean())
    totals, tensors = {}, {}
    for kind, value in entropy.items():
        for variant, term in consistency.items():
            total = value + 1.0 * term
            totals[f"{kind}/{variant}"] = float(total.detach())
            if kind == "mean_of_means" or variant == "last_hidden/symmetric":
                gradients = torch.autograd.grad(total, list(fast["factors"].values()), retain_graph=True)
                tensors |= {f"{kind}/{variant}/{key}": g for key, g in zip(fast["factors"], gradients)}
                check_by_differences(plain, current, replay, fast, slow_hidden, slow_logits, kind, variant, gradients)
    write_safetensors(ROOT / "i_lora_gradients.safetensors", tensors)
    write_json(ROOT / "i_lora.json", dict(
        model="tiny-llama3", fast="tiny-llama3/adapter", slow="tiny-llama3/adapter_slow", gamma=1.0, current_weight=0.5,
        current=as_json(current), replay=as_json(replay), ce_current=float(losses["current"].mean().detach()),
        ce_replay=float(losses["replay"].mean().detach()), ce_pooled=float(entropy["pooled"].detach()),
        consistency={k: float(v.detach()) for k, v in consistency.items()},
        averaged_over={k: list(mine.shape) for k, (mine, _) in features.items()}, total=totals))


def check_by_differences(plain, current, replay, fast, slow_hidden, slow_logits, kind, variant, gradients):
    """A central difference along one random direction, so that even autograd is not taken on trust."""
    source, step, values = generator(7), 1e-6, []
    directions = [torch.randn(g.shape, generator=source, dtype=torch.float64) for g in gradients]
    for sign in (1, -1):
        moved = dict(fast, factors={k: (v + sign * step * d).detach() for (k, v), d in zip(fast["factors"].items(), directions)})
        hidden, logits = plain.rows(replay, moved)
        first, second = target_losses(current, plain.rows(current, moved)[1]), target_losses(replay, logits)
        mine, other = dict(last_hidden=(hidden[-1], slow_hidden[-1]), logits=(logits, slow_logits),
                           all_layers=(torch.stack(hidden), torch.stack(slow_hidden)))[variant.split("/")[0]]
        gap = torch.relu(other - mine) if variant.endswith("one_sided") else mine - other
        entropy = torch.cat([first, second]).mean() if kind == "pooled" else (first.mean() + second.mean()) / 2
        values.append(float(entropy + gap.square().mean()))
    slope = sum(float((g * d).sum()) for g, d in zip(gradients, directions))
    check(f"I-LoRA {kind}/{variant}: slope by differences", (values[0] - values[1]) / (2 * step), slope, 1e-6)


# ---------------------------------------------------------------- main
def versions():
    import rouge_score  # noqa: F401
    from importlib.metadata import version
    names = ["torch", "transformers", "peft", "safetensors", "numpy", "rouge_score"]
    return ", ".join(f"{name} {version(name)}" for name in names) + f", Python {sys.version.split()[0]}"


def main():
    for name in MODELS:
        shutil.rmtree(ROOT / name, ignore_errors=True)
    ROOT.mkdir(parents=True, exist_ok=True)
    for name, spec in MODELS.items():
        make_model(name, spec)
        _, plain, batch, expected = expect_model(name, spec)
        if spec["adapter"]:
            expect_adapter(name, spec, plain, batch, expected)
        write_json(ROOT / name / "expected.json", expected)
        if name == "tiny-llama3":
            i_lora(plain)
    write_json(ROOT / "text_metrics.json", text_metrics())
    write_json(ROOT / "matrix_metrics.json", matrix_metrics())
    worst = {}
    for what, difference in AGREEMENT:
        worst[what] = max(worst.get(what, 0.0), difference)
    for what, difference in worst.items():
        print(f"{difference:9.1e}  {what}")
    total = sum(f.stat().st_size for f in ROOT.rglob("*") if f.is_file())
    print(f"versions: {versions()}\n{total} bytes in {ROOT}")
    assert total < 900_000


if __name__ == "__main__":
    main()
