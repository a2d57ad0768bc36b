"""Milliseconds per LoRA training step of PyTorch + peft on the CPU: the yardstick of our own benchmark.

    python tests/parity/bench_pytorch.py --threads 2 --shapes stories260K            # one JSON line per shape on stdout

Rank 8 on q_proj and v_proj, AdamW, loss on all tokens (transformers shifts: length-1 targets a row), random weights in float32,
the same random batch every step; a step is zero_grad, forward, backward, optimizer step. Each shape runs in a process of its own, so
that its peak resident memory is its own. The waiting policy is passive: with spinning threads PyTorch is slower on a shared machine.
"""
import argparse
import json
import os
import subprocess
import sys

SHAPES = {
    "stories260K": dict(hidden_size=64, num_hidden_layers=5, num_attention_heads=8, num_key_value_heads=4, intermediate_size=172,
                        vocab_size=512, seq=128, batch=8, warmup=5, steps=30),
    "SmolLM2-135M": dict(hidden_size=576, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, intermediate_size=1536,
                         vocab_size=49152, seq=128, batch=4, warmup=1, steps=5),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--batch", type=int, help="rows per step instead of the shape's own")
    parser.add_argument("--seq", type=int, help="tokens per row instead of the shape's own")
    parser.add_argument("--steps", type=int, help="measured steps instead of the shape's own")
    parser.add_argument("--warmup", type=int, help="steps before measuring instead of the shape's own")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)  # set on the child that measures
    return parser.parse_args()


def status_bytes(field):
    """A memory figure of this process from Linux: VmRSS now, VmHWM at its highest; None elsewhere."""
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))
    except (OSError, StopIteration):
        return None


def measure(name, shape, threads):
    import statistics
    import time
    import warnings

    warnings.filterwarnings("ignore")  # deprecations inside peft
    import peft
    import torch
    import transformers

    imported = status_bytes("VmRSS")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        **{key: shape[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
                                       "intermediate_size", "vocab_size")},
        max_position_embeddings=max(512, shape["seq"]), tie_word_embeddings=True, use_cache=False)
    base = transformers.LlamaForCausalLM(config)
    model = peft.get_peft_model(base, peft.LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules=["q_proj", "v_proj"],
                                                      task_type="CAUSAL_LM")).train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-3, weight_decay=0.01)
    tokens = torch.randint(3, shape["vocab_size"], (shape["batch"], shape["seq"]))
    loaded = status_bytes("VmRSS")
    times, losses = [], []
    for step in range(shape["warmup"] + shape["steps"]):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimizer.step()
        elapsed = 1000 * (time.perf_counter() - start)
        losses.append(loss.item())
        if step >= shape["warmup"]:
            times.append(elapsed)
    assert losses[-1] < losses[0], f"the loss did not fall: {losses}"
    return dict(framework="pytorch", shape=name, threads=torch.get_num_threads(), batch=shape["batch"], seq=shape["seq"], rank=8,
                targets=shape["batch"] * (shape["seq"] - 1), parameters=sum(p.numel() for p in base.parameters()) - sum(p.numel() for p in trainable),
                trainable=sum(p.numel() for p in trainable), warmup=shape["warmup"], steps=shape["steps"],
                median_ms=round(statistics.median(times), 3), min_ms=round(min(times), 3), max_ms=round(max(times), 3),
                first_loss=round(losses[0], 4), last_loss=round(losses[-1], 4), rss_imported_bytes=imported, rss_loaded_bytes=loaded, peak_rss_bytes=status_bytes("VmHWM"),
                torch=torch.__version__, peft=peft.__version__, transformers=transformers.__version__, cpu=torch.backends.cpu.get_cpu_capability())


def main():
    options = arguments()
    if options.inside:
        shape = dict(SHAPES[options.shapes[0]])
        shape.update({key: getattr(options, key) for key in ("batch", "seq", "steps", "warmup") if getattr(options, key) is not None})
        print(json.dumps(measure(options.shapes[0], shape, options.threads)), flush=True)
        return
    # read by the OpenMP runtime at its start, hence a fresh process
    environment = dict(os.environ, OMP_WAIT_POLICY="PASSIVE", GOMP_SPINCOUNT="0", OMP_NUM_THREADS=str(options.threads), HF_HUB_OFFLINE="1")
    failed = False
    for name in options.shapes:
        command = [sys.executable, __file__, "--inside", "--shapes", name, "--threads", str(options.threads)]
        for key in ("batch", "seq", "steps", "warmup"):
            if getattr(options, key) is not None:
                command += [f"--{key}", str(getattr(options, key))]
        failed |= subprocess.run(command, env=environment, check=False).returncode != 0
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
