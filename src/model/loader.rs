//! Where a model's weights come from, seen from the model: names, shapes, and `f32` values one tensor at a time.

/// A collection of named tensors that can be read one by one (a safetensors file, shards, or memory).
///
/// Reading one tensor at a time keeps the peak of loading near the size of the model itself.
pub trait TensorSource {
    /// All tensor names, in any order.
    fn names(&self) -> Vec<String>;
    /// Shape of a tensor, or `None` when it is absent.
    fn shape(&self, name: &str) -> Option<Vec<usize>>;
    /// Values of a tensor, row-major, converted to `f32` (from f32, f16 or bf16).
    ///
    /// # Errors
    /// A sentence that names the file and the tensor when it is absent, of an unsupported type, cut off, or not finite.
    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, crate::model::ModelError>;
}
