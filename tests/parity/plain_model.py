"""The second opinion of make_fixtures.py: a plain float64 forward pass of the Llama family, with LoRA, written from the papers."""
import math

import torch

PEFT_PREFIX = "base_model.model."


class Plain:
    """Llama, Qwen2, Qwen3, Mistral for ONE unpadded row, written from the papers, float64, weights by HF name."""

    def __init__(self, config, weights):
        self.config, self.weights = config, {name: value.double() for name, value in weights.items()}
        rope = config.get("rope_parameters") or {}
        theta = rope.get("rope_theta", config.get("rope_theta"))
        scaling = config.get("rope_scaling") or rope
        self.head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
        frequency = theta ** (-torch.arange(0, self.head_dim, 2, dtype=torch.float64) / self.head_dim)
        if scaling.get("rope_type") == "llama3":
            wavelength = 2 * math.pi / frequency
            old, low, high = scaling["original_max_position_embeddings"], scaling["low_freq_factor"], scaling["high_freq_factor"]
            keep = ((old / wavelength - low) / (high - low)).clamp(0, 1)  # 1: short waves stay, 0: long waves are stretched
            frequency = frequency * (keep + (1 - keep) / scaling["factor"])
        self.frequency = frequency

    def norm(self, x, name):
        return x / (x.square().mean(-1, keepdim=True) + self.config["rms_norm_eps"]).sqrt() * self.weights[name]

    def linear(self, x, name, adapter):
        out = x @ self.weights[name + ".weight"].T
        if name + ".bias" in self.weights:
            out = out + self.weights[name + ".bias"]
        if adapter and PEFT_PREFIX + name + ".lora_A.weight" in adapter["factors"]:
            a, b = (adapter["factors"][f"{PEFT_PREFIX}{name}.lora_{part}.weight"] for part in "AB")
            out = out + adapter["scale"] * (x @ a.T @ b.T)
        return out

    def rotate(self, x):
        angle = torch.outer(torch.arange(x.shape[1], dtype=torch.float64), self.frequency)
        first, second = x.chunk(2, -1)
        return torch.cat([first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin()], -1)

    def __call__(self, tokens, adapter=None):
        """Returns (hidden states: L+1 of [T, H], the last after the final norm; logits [T, V])."""
        config, heads, groups = self.config, self.config["num_attention_heads"], self.config["num_key_value_heads"]
        x = self.weights["model.embed_tokens.weight"][torch.tensor(tokens)]
        length, hidden = len(tokens), [x]
        future = torch.full((length, length), -math.inf, dtype=torch.float64).triu(1)
        for index in range(config["num_hidden_layers"]):
            name = f"model.layers.{index}."
            normed = self.norm(x, name + "input_layernorm.weight")
            query, key, value = (self.linear(normed, f"{name}self_attn.{p}_proj", adapter).view(length, -1, self.head_dim).transpose(0, 1)
                                 for p in "qkv")
            if name + "self_attn.q_norm.weight" in self.weights:
                query, key = self.norm(query, name + "self_attn.q_norm.weight"), self.norm(key, name + "self_attn.k_norm.weight")
            query, key = self.rotate(query), self.rotate(key)
            key, value = (part.repeat_interleave(heads // groups, 0) for part in (key, value))
            attention = (query @ key.transpose(1, 2) / math.sqrt(self.head_dim) + future).softmax(-1)
            mixed = (attention @ value).transpose(0, 1).reshape(length, -1)
            x = x + self.linear(mixed, name + "self_attn.o_proj", adapter)
            normed = self.norm(x, name + "post_attention_layernorm.weight")
            gate, up = (self.linear(normed, f"{name}mlp.{p}_proj", adapter) for p in ("gate", "up"))
            x = x + self.linear(gate * torch.sigmoid(gate) * up, name + "mlp.down_proj", adapter)
            hidden.append(x)
        hidden[-1] = self.norm(x, "model.norm.weight")
        head = self.weights.get("lm_head.weight", self.weights["model.embed_tokens.weight"])
        return hidden, hidden[-1] @ head.T

    def rows(self, batch, adapter=None):
        """All real positions of a batch: (hidden states, L+1 of [P, H]; logits [P, V]), rows one after the other."""
        results = [self(row, adapter) for row in batch["rows"]]
        return [torch.cat(layer) for layer in zip(*(hidden for hidden, _ in results))], torch.cat([logits for _, logits in results])
