//! Names and shapes of all tensors of a model, in the order in which the forward pass meets them.

use super::ModelConfig;
use crate::model::lora::Projection;

/// Every tensor of the model as (Hugging Face name, shape): what a reader must find and a writer must write.
///
/// Weights are `[out, in]`. A tied head has no tensor of its own.
#[must_use]
pub fn expected_tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let hidden = config.hidden_size;
    let mut tensors = vec![("model.embed_tokens.weight".to_owned(), vec![config.vocab_size, hidden])];
    for layer in 0..config.num_hidden_layers {
        let prefix = format!("model.layers.{layer}");
        tensors.push((format!("{prefix}.input_layernorm.weight"), vec![hidden]));
        for projection in Projection::ALL {
            if projection == Projection::GateProj {
                tensors.push((format!("{prefix}.post_attention_layernorm.weight"), vec![hidden]));
            }
            let module = format!("{prefix}.{}.{}", projection.parent(), projection.name());
            let shape = config.projection_shape(projection);
            tensors.push((format!("{module}.weight"), shape.to_vec()));
            if config.has_bias(projection) {
                tensors.push((format!("{module}.bias"), vec![shape[0]]));
            }
            if config.qk_norm && projection == Projection::VProj {
                for norm in ["q_norm", "k_norm"] {
                    tensors.push((format!("{prefix}.self_attn.{norm}.weight"), vec![config.head_dim]));
                }
            }
        }
    }
    tensors.push(("model.norm.weight".to_owned(), vec![hidden]));
    if !config.tie_word_embeddings {
        tensors.push(("lm_head.weight".to_owned(), vec![config.vocab_size, hidden]));
    }
    tensors
}
