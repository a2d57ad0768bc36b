//! A copy of the model with an adapter's update added to its weights, as tools do that evaluate one model after another.
//!
//! Training and the landscape never need it: there an adapter is an argument of the pass. It is what they are held against, in
//! results (`tests/parity`) and in time (`thalweg bench --landscape`). To write a merged model to disk see `io::merge`.

use super::adapter::{AdapterVars, Group};
use super::llama::Llama;

impl Llama {
    /// `W + (lora_alpha / r) B A` for every adapted projection of one adapter; what it leaves alone is shared with the base.
    ///
    /// `None` when `vars` holds several adapters: they make several models.
    #[must_use]
    pub fn merged(&self, vars: &AdapterVars) -> Option<Self> {
        if vars.adapters() != 1 {
            return None;
        }
        let mut merged = self.clone();
        for (index, layer) in merged.layers.iter_mut().enumerate() {
            let linears = [
                (Group::QueryKeyValue, &mut layer.qkv),
                (Group::Output, &mut layer.o),
                (Group::GateUp, &mut layer.gate_up),
                (Group::Down, &mut layer.down),
            ];
            for (group, linear) in linears {
                let Some(factors) = vars.group(index, group) else { continue };
                let ([_, rank, inner], [_, out, _]) = (factors.a.dims(), factors.b.dims());
                // the scale is in `b` already
                let a = factors.a.clone().reshape([rank, inner]).swap_dims(0, 1);
                let b = factors.b.clone().reshape([out, rank]).swap_dims(0, 1);
                linear.weight = linear.weight.clone() + a.matmul(b);
            }
        }
        Some(merged)
    }
}
