//! Settings in the address of the page: `#draft=…&panel=…&panel=…`, so that a teacher can send a link that opens with this model, these
//! tasks, this method and this view.

use super::panel::PanelKind;
use crate::engine::config::ExperimentConfig;

/// What a link asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// An experiment as TOML; it is checked as that of an earlier session is.
    pub draft: Option<String>,
    /// To be shown, one after another.
    pub panels: Vec<PanelKind>,
}

/// Reads what stands behind `#`. Parts that nobody knows are left out, so that an older page opens a newer link.
#[must_use]
pub fn read(fragment: &str) -> Asked {
    let mut asked = Asked::default();
    for part in fragment.split('&') {
        match part.split_once('=') {
            Some(("draft", text)) => asked.draft = Some(plain(text)),
            Some(("panel", name)) => {
                let name = plain(name);
                asked.panels.extend(PanelKind::ALL.into_iter().find(|kind| kind.title().eq_ignore_ascii_case(&name)));
            }
            _ => {}
        }
    }
    asked
}

/// What [`read`] reads; `None` where the settings have no such form.
#[must_use]
pub fn write(config: &ExperimentConfig, panels: &[PanelKind]) -> Option<String> {
    let mut link = format!("draft={}", escaped(&config.to_toml().ok()?));
    for panel in panels {
        link += &format!("&panel={}", escaped(panel.title()));
    }
    Some(link)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

/// A `%` that begins no escape stands for itself.
fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = escape.and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_a_link() {
        let config = ExperimentConfig { title: "Größe & 100 %".into(), seed: 17, ..ExperimentConfig::default() };
        let panels = [PanelKind::Training, PanelKind::Buffer];
        let link = write(&config, &panels).unwrap();
        assert!(link.bytes().all(|byte| byte.is_ascii_graphic()), "{link}");
        let asked = read(&link);
        assert_eq!(ExperimentConfig::parse(&asked.draft.unwrap(), "the link").unwrap(), config);
        assert_eq!(asked.panels, panels);
    }

    #[test]
    fn a_link_of_nonsense_is_no_harm() {
        assert_eq!(read(""), Asked::default());
        assert_eq!(read("later=thing&panel=Cellar"), Asked::default());
        assert_eq!(read("draft=50%25%zz%").draft.as_deref(), Some("50%%zz%"));
        assert_eq!(read("panel=replay%20buffer").panels, [PanelKind::Buffer]);
    }
}
