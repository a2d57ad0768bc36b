//! Where the tensors live: the CPU, or a WebGPU adapter chosen at run time. The only code that asks which device it is.
//!
//! A remote Burn server would be one more [`DeviceChoice`] and one more arm of [`candidates`]; nothing else would change.

use super::EngineError;
use super::caught::caught;
use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, DeviceKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// What the user asked for: `auto`, `cpu`, `webgpu`, `webgpu:1`, or `webgpu:part of a name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// Measure what is there and take the fastest.
    Auto,
    Cpu,
    /// An adapter by its number in the list, by a part of its name, or the first that is not a software renderer.
    WebGpu(Option<String>),
}

impl DeviceChoice {
    /// Reads a setting.
    ///
    /// # Errors
    /// Anything but the forms above.
    pub fn parse(text: &str) -> Result<Self, EngineError> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "webgpu" => Ok(Self::WebGpu(None)),
            other => match other.strip_prefix("webgpu:") {
                Some(which) if !which.is_empty() => Ok(Self::WebGpu(Some(which.to_string()))),
                _ => Err(EngineError::Setting(format!(
                    "device `{other}` is not known: use auto, cpu, webgpu, webgpu:NUMBER or webgpu:NAME (`thalweg devices` lists them)"
                ))),
            },
        }
    }
}

/// A WebGPU adapter that was found.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct AdapterReport {
    /// Number to choose it by.
    pub index: usize,
    pub name: String,
    /// Graphics interface under WebGPU, such as `vulkan`.
    pub backend: String,
    /// `DiscreteGpu`, `IntegratedGpu`, `VirtualGpu`, `Cpu` (a software renderer) or `Other`.
    pub kind: String,
    pub driver: String,
    /// Largest buffer one kernel may bind, in bytes.
    pub max_binding_bytes: u64,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Optional features of use here that it has.
    pub features: Vec<String>,
    /// How many of its kind come before it.
    nth: usize,
}

impl AdapterReport {
    /// A software renderer, always slower than the CPU device.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.kind == "Cpu"
    }

    /// What this adapter is called once it is open.
    pub(super) fn device_name(&self) -> String {
        format!("WebGPU: {} ({})", self.name, self.backend)
    }

    fn device_kind(&self) -> Option<DeviceKind> {
        // A browser has one adapter, and tells no more of it than whether it is a software renderer.
        if self.graphics_api() == WgpuBackend::WebGpu {
            return Some(DeviceKind::DefaultDevice);
        }
        Some(match self.kind.as_str() {
            "DiscreteGpu" => DeviceKind::DiscreteGpu(self.nth),
            "IntegratedGpu" => DeviceKind::IntegratedGpu(self.nth),
            "VirtualGpu" => DeviceKind::VirtualGpu(self.nth),
            "Cpu" => DeviceKind::Cpu,
            _ => return None,
        })
    }

    fn graphics_api(&self) -> WgpuBackend {
        match self.backend.as_str() {
            "vulkan" => WgpuBackend::Vulkan,
            "metal" => WgpuBackend::Metal,
            "dx12" => WgpuBackend::Dx12,
            "webgpu" => WgpuBackend::WebGpu,
            _ => WgpuBackend::Auto,
        }
    }
}

/// 512 tokens of the embedded model take 1.5 MiB at its widest place, 8192 took a third longer for each token (two cores, 2 MiB
/// of cache each).
const CPU_TOKENS: usize = 512;
const GPU_TOKENS: usize = 8192;

/// A device that has been opened.
#[derive(Clone, Debug)]
pub struct OpenDevice {
    pub device: Device,
    /// The setting that means exactly this device: `cpu` or `webgpu:NUMBER`.
    pub setting: String,
    /// For people: `CPU (2 threads)` or the adapter's name.
    pub name: String,
    /// Largest buffer one kernel may bind, in bytes; unlimited on the CPU.
    pub max_binding_bytes: usize,
    /// Passes through the model that it may be given at one time: a GPU takes one after the other, and on the CPU passes of their
    /// own keep the threads busier than the parts of one.
    pub passes_at_once: usize,
    /// Tokens that one pass should hold when much is to be evaluated: a GPU wants many, on the CPU what passes through a block
    /// should stay in the cache.
    pub tokens_at_once: usize,
    /// It compiles a kernel when it is first used, which takes seconds in all.
    pub compiles_kernels: bool,
    /// Why it was taken.
    pub reason: String,
}

impl OpenDevice {
    /// The CPU device.
    #[must_use]
    pub fn cpu(reason: &str) -> Self {
        // Those of the pool, which are fewer than the machine's where several runs share it.
        let threads = rayon::current_num_threads();
        Self {
            device: Device::flex(),
            setting: "cpu".into(),
            name: format!("CPU ({threads} thread{})", if threads == 1 { "" } else { "s" }),
            max_binding_bytes: usize::MAX,
            passes_at_once: threads,
            tokens_at_once: CPU_TOKENS,
            compiles_kernels: false,
            reason: reason.into(),
        }
    }
}

/// All WebGPU adapters of this machine (none without a driver).
pub async fn adapters() -> Vec<AdapterReport> {
    let backends = wgpu::Backends::PRIMARY;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut found: Vec<AdapterReport> = Vec::new();
    for adapter in instance.enumerate_adapters(backends).await {
        let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
        let (kind, backend) = (format!("{:?}", info.device_type), info.backend.to_str().to_string());
        let nth = found.iter().filter(|other| other.kind == kind && other.backend == backend).count();
        let useful = [
            (wgpu::Features::SHADER_F16, "shader-f16"),
            (wgpu::Features::SUBGROUP, "subgroups"),
            (wgpu::Features::TIMESTAMP_QUERY, "timestamp-query"),
        ];
        found.push(AdapterReport {
            index: found.len(),
            name: if info.name.is_empty() { "the browser's".to_string() } else { info.name },
            backend,
            kind,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            features: useful
                .iter()
                .filter(|(flag, _)| features.contains(*flag))
                .map(|(_, n)| (*n).to_string())
                .collect(),
            nth,
        });
    }
    found
}

/// Names of adapters that failed in this process: cubecl keeps one client for each, and a lost one stays lost.
static LOST: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes that the device of this name failed: it is not opened again, and `auto` leaves it out.
pub fn lose(name: &str) {
    LOST.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_string());
}

/// Did the device of this name fail in this process?
pub(super) fn is_lost(name: &str) -> bool {
    LOST.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
}

/// Opens an adapter from the list.
///
/// # Errors
/// When the driver refuses the device.
pub async fn open_adapter(adapter: &AdapterReport) -> Result<OpenDevice, EngineError> {
    let kind = adapter.device_kind().ok_or_else(|| {
        EngineError::Device(format!(
            "adapter {} ({}) is of a kind that cannot be opened: choose another",
            adapter.index, adapter.name
        ))
    })?;
    let name = adapter.device_name();
    if is_lost(&name) {
        return Err(EngineError::Device(format!(
            "adapter {} ({}) was lost and cannot be opened again by this process: start the program anew, or use the CPU",
            adapter.index, adapter.name
        )));
    }
    let options = Device::wgpu_options().device_kind(kind).graphics_api(adapter.graphics_api());
    let device = match options.init_async().await {
        Ok(device) => device,
        // A second opening of the same adapter in one process is an error: the first one's device serves.
        Err(error) if error.to_string().contains("already") => Device::wgpu(adapter.device_kind().unwrap_or_default()),
        Err(error) => {
            return Err(EngineError::Device(format!(
                "adapter {} ({}) could not be opened: {error}; use `--device cpu`, or another from `thalweg devices`",
                adapter.index, adapter.name
            )));
        }
    };
    Ok(OpenDevice {
        device,
        setting: format!("webgpu:{}", adapter.index),
        name,
        max_binding_bytes: usize::try_from(adapter.max_binding_bytes).unwrap_or(usize::MAX),
        passes_at_once: 1,
        tokens_at_once: GPU_TOKENS,
        compiles_kernels: true,
        reason: "chosen".into(),
    })
}

/// The adapter a `webgpu` setting means.
///
/// # Errors
/// No adapter at all, or none of this number or name.
pub fn pick<'a>(adapters: &'a [AdapterReport], which: Option<&str>) -> Result<&'a AdapterReport, EngineError> {
    let names = || adapters.iter().map(|a| format!("{} = {}", a.index, a.name)).collect::<Vec<_>>().join(", ");
    if adapters.is_empty() {
        return Err(EngineError::Device(
            "no WebGPU adapter was found: install a graphics driver (Vulkan, Metal or DirectX 12), or use `--device cpu`".into(),
        ));
    }
    let Some(which) = which else {
        return Ok(adapters.iter().find(|a| !a.is_software()).unwrap_or(&adapters[0]));
    };
    let found = match which.parse::<usize>() {
        Ok(index) => adapters.get(index),
        Err(_) => adapters.iter().find(|a| a.name.to_lowercase().contains(&which.to_lowercase())),
    };
    found.ok_or_else(|| EngineError::Device(format!("there is no WebGPU adapter `{which}`; there are: {}", names())))
}

/// Opens the device of a setting. `auto` lists what is there; the caller measures the candidates with its own model
/// (see `engine::choose`), because which one is fastest depends on the sizes.
///
/// # Errors
/// See [`pick`] and [`open_adapter`].
pub async fn candidates(choice: &DeviceChoice) -> Result<Vec<OpenDevice>, EngineError> {
    match choice {
        DeviceChoice::Cpu => Ok(vec![OpenDevice::cpu("chosen")]),
        DeviceChoice::WebGpu(which) => {
            let found = adapters().await;
            Ok(vec![open_adapter(pick(&found, which.as_deref())?).await?])
        }
        DeviceChoice::Auto => {
            let asked = caught(adapters()).await;
            let fell_over = asked.is_err();
            let found = asked.unwrap_or_default();
            let real: Vec<&AdapterReport> = found.iter().filter(|adapter| !adapter.is_software()).collect();
            let reason = match (found.is_empty(), real.is_empty()) {
                _ if fell_over => "the graphics drivers cannot be asked for their devices",
                (true, _) => "no graphics driver was found",
                (false, true) => "only a software renderer was found, and the CPU device is faster than that",
                _ => "measured",
            };
            let mut open = vec![OpenDevice::cpu(reason)];
            for adapter in real {
                // One that cannot be opened is no candidate; the others still are.
                match caught(open_adapter(adapter)).await {
                    Ok(Ok(device)) => open.push(device),
                    Ok(Err(error)) => tracing::warn!("{error}"),
                    Err(cause) => tracing::warn!("{} cannot be opened, its driver failed: {cause}", adapter.name),
                }
            }
            Ok(open)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_settings_are_read_and_wrong_ones_named() {
        assert_eq!(DeviceChoice::parse("webgpu:Radeon").unwrap(), DeviceChoice::WebGpu(Some("Radeon".into())));
        assert_eq!(DeviceChoice::parse("auto").unwrap(), DeviceChoice::Auto);
        let message = DeviceChoice::parse("cuda").unwrap_err().to_string();
        assert!(message.contains("`cuda` is not known") && message.contains("webgpu:NUMBER"), "{message}");
        let message = pick(&[], None).unwrap_err().to_string();
        assert!(message.contains("--device cpu"), "{message}");
    }
}
