// A Llama small enough for a GPU that is a program: two layers of 32, the embedded model's tokenizer, weights by formula.
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const assets = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "assets", "demo-model");
const [vocab, hidden, wide, layers] = [1024, 32, 64, 2];

/** Writes a folder as of Hugging Face. */
export function tinyModel(folder) {
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(assets, "tokenizer.json"), join(folder, "tokenizer.json"));
  const config = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: vocab,
    hidden_size: hidden,
    intermediate_size: wide,
    num_hidden_layers: layers,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 16,
    hidden_act: "silu",
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    bos_token_id: 0,
    eos_token_id: 1,
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));

  const shapes = [["model.embed_tokens.weight", [vocab, hidden]], ["model.norm.weight", [hidden]]];
  for (let layer = 0; layer < layers; layer += 1) {
    const inside = `model.layers.${layer}`;
    shapes.push([`${inside}.input_layernorm.weight`, [hidden]], [`${inside}.post_attention_layernorm.weight`, [hidden]]);
    for (const [name, rows, columns] of [["q", hidden, hidden], ["k", 16, hidden], ["v", 16, hidden], ["o", hidden, hidden]]) {
      shapes.push([`${inside}.self_attn.${name}_proj.weight`, [rows, columns]]);
    }
    for (const [name, rows, columns] of [["gate", wide, hidden], ["up", wide, hidden], ["down", hidden, wide]]) {
      shapes.push([`${inside}.mlp.${name}_proj.weight`, [rows, columns]]);
    }
  }
  const header = {};
  const values = [];
  let end = 0;
  for (const [index, [name, shape]] of shapes.entries()) {
    const count = shape.reduce((product, size) => product * size, 1);
    // Norms are ones; a projection keeps the size of what goes through it.
    const value = shape.length === 1 ? () => 1 : (place) => Math.sin((place + 1) * 12.9898 + index * 78.233) * Math.sqrt(2 / shape[1]);
    values.push(Float32Array.from({ length: count }, (_, place) => value(place)));
    header[name] = { dtype: "F32", shape, data_offsets: [end, end + 4 * count] };
    end += 4 * count;
  }
  let head = Buffer.from(JSON.stringify(header));
  head = Buffer.concat([head, Buffer.alloc((8 - (head.length % 8)) % 8, " ")]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));
  writeFileSync(join(folder, "model.safetensors"), Buffer.concat([length, head, ...values.map((part) => Buffer.from(part.buffer))]));
}
