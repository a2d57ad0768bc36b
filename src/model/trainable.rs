//! The base weights as parameters (pre-training) and as Hugging Face tensors (saving).

use super::adapter::Group;
use super::llama::{Linear, Llama};
use burn::tensor::Tensor;

/// Does something to every weight of a model, in a fixed order.
pub trait WeightVisitor {
    fn vector(&mut self, weight: &mut Tensor<1>);
    fn matrix(&mut self, weight: &mut Tensor<2>);
}

/// A weight on its way to a file: Hugging Face name, shape, and the tensor flattened in that shape's order.
pub struct NamedWeight {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Tensor<1>,
}

impl Llama {
    /// Shows every weight to the visitor.
    pub fn visit(&mut self, visitor: &mut dyn WeightVisitor) {
        let linear = |linear: &mut Linear, visitor: &mut dyn WeightVisitor| {
            visitor.matrix(&mut linear.weight);
            if let Some(bias) = &mut linear.bias {
                visitor.vector(bias);
            }
        };
        for chunk in &mut self.embed_tokens {
            visitor.matrix(chunk);
        }
        for layer in &mut self.layers {
            visitor.vector(&mut layer.input_layernorm);
            linear(&mut layer.qkv, visitor);
            if let Some((q, k)) = &mut layer.query_key_norm {
                visitor.vector(q);
                visitor.vector(k);
            }
            linear(&mut layer.o, visitor);
            visitor.vector(&mut layer.post_attention_layernorm);
            linear(&mut layer.gate_up, visitor);
            linear(&mut layer.down, visitor);
        }
        visitor.vector(&mut self.norm);
        for chunk in self.lm_head.iter_mut().flatten() {
            visitor.matrix(chunk);
        }
    }

    /// All weights under their Hugging Face names, in the shapes of the files.
    #[must_use]
    pub fn export(&self) -> Vec<NamedWeight> {
        let mut weights = Vec::new();
        let rows = |chunks: &[Tensor<2>]| {
            Tensor::cat(chunks.iter().map(|chunk| chunk.clone().without_autodiff()).collect(), 0)
        };
        push_matrix(&mut weights, "model.embed_tokens.weight".into(), rows(&self.embed_tokens));
        for (index, layer) in self.layers.iter().enumerate() {
            let prefix = format!("model.layers.{index}");
            push_vector(&mut weights, format!("{prefix}.input_layernorm.weight"), &layer.input_layernorm);
            if let Some((q, k)) = &layer.query_key_norm {
                push_vector(&mut weights, format!("{prefix}.self_attn.q_norm.weight"), q);
                push_vector(&mut weights, format!("{prefix}.self_attn.k_norm.weight"), k);
            }
            push_vector(
                &mut weights,
                format!("{prefix}.post_attention_layernorm.weight"),
                &layer.post_attention_layernorm,
            );
            let linears = [
                (Group::QueryKeyValue, &layer.qkv),
                (Group::Output, &layer.o),
                (Group::GateUp, &layer.gate_up),
                (Group::Down, &layer.down),
            ];
            for (group, linear) in linears {
                let mut offset = 0;
                for &projection in group.members() {
                    let [out, input] = self.config.projection_shape(projection);
                    let name = format!("{prefix}.{}.{}", projection.parent(), projection.name());
                    let columns = linear.weight.clone().without_autodiff().slice([0..input, offset..offset + out]);
                    push_matrix(&mut weights, format!("{name}.weight"), columns.swap_dims(0, 1));
                    if let Some(bias) = linear.bias.as_ref().filter(|_| self.config.has_bias(projection)) {
                        push_vector(&mut weights, format!("{name}.bias"), &bias.clone().slice([offset..offset + out]));
                    }
                    offset += out;
                }
            }
        }
        push_vector(&mut weights, "model.norm.weight".into(), &self.norm);
        if let Some(head) = &self.lm_head {
            push_matrix(&mut weights, "lm_head.weight".into(), rows(head));
        }
        weights
    }
}

fn push_vector(weights: &mut Vec<NamedWeight>, name: String, tensor: &Tensor<1>) {
    weights.push(NamedWeight { name, shape: tensor.dims().to_vec(), values: tensor.clone().without_autodiff() });
}

fn push_matrix(weights: &mut Vec<NamedWeight>, name: String, tensor: Tensor<2>) {
    let [rows, columns] = tensor.dims();
    weights.push(NamedWeight { name, shape: vec![rows, columns], values: tensor.reshape([rows * columns]) });
}
