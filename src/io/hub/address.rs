//! From what people write to where a model is: `owner/name`, the address of its page, or another host.

use super::HubError;

/// Hosts that stand for whatever endpoint is set.
const HUB_HOSTS: [&str; 4] = ["huggingface.co", "www.huggingface.co", "hf.co", "www.hf.co"];

/// A model on a hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Scheme, host and perhaps a path, without a slash at the end.
    pub endpoint: String,
    /// `owner/name`.
    pub name: String,
    /// Branch, tag or commit.
    pub revision: String,
    /// It is the endpoint that was set, so it may see the token.
    pub trusted: bool,
}

impl Place {
    /// Reads an address; `revision` wins over one that it names.
    pub fn parse(address: &str, revision: Option<&str>, endpoint: &str) -> Result<Self, HubError> {
        let written = address.trim();
        let refuse = |what: &str| HubError::Address { address: written.to_owned(), what: what.to_owned() };
        let endpoint = endpoint.trim().trim_end_matches('/');
        if !(endpoint.starts_with("https://") || endpoint.starts_with("http://")) {
            return Err(HubError::Address {
                address: endpoint.to_owned(),
                what: "is no address of a hub (HF_ENDPOINT must begin with https://)".to_owned(),
            });
        }
        let plain = written.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let (place, path) = split_host(plain, endpoint);
        let mut parts = path.split('/');
        let (Some(owner), Some(name)) = (parts.next(), parts.next()) else {
            return Err(refuse("is not the name of a model"));
        };
        if matches!(owner, "datasets" | "spaces" | "collections" | "papers") && parts.clone().next().is_some() {
            return Err(refuse(&format!("is under {owner}, so it is not a model")));
        }
        let (name, tag) = name.split_once('@').map_or((name, None), |(name, tag)| (name, Some(tag)));
        if ![owner, name].into_iter().all(is_name) {
            return Err(refuse("is not the name of a model"));
        }
        let named = match parts.next() {
            None => tag.map(str::to_owned),
            Some("tree") => Some(parts.collect::<Vec<_>>().join("/")),
            // the page of one file: the revision is one part of the path, or an encoded one
            Some("blob" | "resolve") => parts.next().map(str::to_owned),
            Some(_) => return Err(refuse("leads to something else than the model's page")),
        };
        let revision = revision.map(str::to_owned).or(named).unwrap_or_else(|| "main".to_owned());
        let revision = revision.replace("%2F", "/").replace("%2f", "/");
        if !is_revision(&revision) {
            return Err(refuse(&format!("names the revision `{revision}`, which cannot be one")));
        }
        let trusted = place == endpoint;
        Ok(Self { endpoint: place, name: format!("{owner}/{name}"), revision, trusted })
    }

    /// Name of the folder on this machine; each revision has its own, and so has each host but the usual one.
    pub fn folder_name(&self) -> String {
        let mut name = self.name.replace('/', "--");
        if !self.trusted {
            let host = self.endpoint.split_once("://").map_or(self.endpoint.as_str(), |(_, host)| host);
            name = format!(
                "{}--{name}",
                host.replace(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.'), "-")
            );
        }
        if self.revision == "main" { name } else { format!("{name}@{}", self.revision.replace('/', "-")) }
    }

    /// What [`Self::folder_name`] was made of, as people write it; `None` for a model of another host, which its name does not
    /// tell. (A branch with a slash is not found again; its folder names another, which the hub does not have.)
    pub fn of_folder(folder: &str) -> Option<String> {
        let (owner, name) = folder.split_once("--").filter(|(_, name)| !name.contains("--"))?;
        let (plain, revision) = name.split_once('@').map_or((name, None), |(name, revision)| (name, Some(revision)));
        let known = is_name(owner) && is_name(plain) && revision.is_none_or(is_revision);
        known.then(|| format!("{owner}/{name}"))
    }

    /// Where the hub tells what files there are.
    pub fn listing_url(&self) -> String {
        format!("{}/api/models/{}/revision/{}?blobs=true", self.endpoint, self.name, self.revision.replace('/', "%2F"))
    }

    /// Where a file is, at a commit or another revision.
    pub fn file_url(&self, revision: &str, file: &str) -> String {
        format!("{}/{}/resolve/{}/{file}", self.endpoint, self.name, revision.replace('/', "%2F"))
    }

    /// Endpoint and model, to recognise what an earlier attempt fetched.
    pub fn source(&self) -> String {
        format!("{}/{}", self.endpoint, self.name)
    }
}

/// Endpoint of the address, and the path below it.
fn split_host<'a>(address: &'a str, endpoint: &str) -> (String, &'a str) {
    if let Some(path) = address.strip_prefix(endpoint).and_then(|rest| rest.strip_prefix('/')) {
        return (endpoint.to_owned(), path);
    }
    let scheme = ["https://", "http://"].into_iter().find(|scheme| address.starts_with(scheme));
    let rest = address.get(scheme.map_or(0, str::len)..).unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match scheme {
        _ if HUB_HOSTS.contains(&host) => (endpoint.to_owned(), path),
        Some(scheme) => (format!("{scheme}{host}"), path),
        None => (endpoint.to_owned(), address),
    }
}

/// What owner and model may be called; also keeps the folder's name plain.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=96).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.') && !name.contains("..")
}

fn is_revision(revision: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    (1..=200).contains(&revision.len())
        && revision.bytes().all(plain)
        && revision.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(".."))
}

/// Scheme and host of an address.
pub(super) fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(start..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(url.len(), |at| start + at);
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "https://huggingface.co";

    fn place(address: &str) -> Place {
        Place::parse(address, None, HUB).unwrap()
    }

    #[test]
    fn all_ways_to_write_a_model_lead_to_it() {
        for address in [
            "HuggingFaceTB/SmolLM2-135M",
            "  HuggingFaceTB/SmolLM2-135M/ ",
            "https://huggingface.co/HuggingFaceTB/SmolLM2-135M",
            "https://huggingface.co/HuggingFaceTB/SmolLM2-135M?library=x#top",
            "huggingface.co/HuggingFaceTB/SmolLM2-135M/tree/main",
            "https://hf.co/HuggingFaceTB/SmolLM2-135M/blob/main/config.json",
        ] {
            let place = place(address);
            assert_eq!(
                (place.name.as_str(), place.revision.as_str()),
                ("HuggingFaceTB/SmolLM2-135M", "main"),
                "{address}"
            );
            assert_eq!((place.endpoint.as_str(), place.trusted), (HUB, true));
        }
        assert_eq!(place("a/b").folder_name(), "a--b");
    }

    #[test]
    fn a_folder_tells_its_model() {
        for address in ["a/b", "HuggingFaceTB/SmolLM2-135M", "own/tiny@v1.0", "own/tiny@0123abc"] {
            assert_eq!(Place::of_folder(&place(address).folder_name()).as_deref(), Some(address));
        }
        let elsewhere = place("http://localhost:8080/own/tiny").folder_name();
        assert_eq!(elsewhere, "localhost-8080--own--tiny");
        for other in [elsewhere.as_str(), "stories260K", "", "--", "a--", "a--b@", "..--b"] {
            assert_eq!(Place::of_folder(other), None, "{other}");
        }
    }

    #[test]
    fn a_revision_is_part_of_the_address_and_of_the_folder() {
        for address in ["https://huggingface.co/a/b/tree/refs%2Fpr%2F1", "a/b/tree/refs/pr/1"] {
            let place = place(address);
            assert_eq!(place.revision, "refs/pr/1");
            assert_eq!(
                place.file_url(&place.revision, "config.json"),
                format!("{HUB}/a/b/resolve/refs%2Fpr%2F1/config.json")
            );
            assert_eq!(place.folder_name(), "a--b@refs-pr-1");
        }
        assert_eq!(place("a/b@v1.0").revision, "v1.0");
        assert_eq!(Place::parse("a/b@v1.0", Some("v2"), HUB).unwrap().revision, "v2");
    }

    #[test]
    fn the_set_endpoint_stands_for_the_hub_and_only_it_is_trusted() {
        let mirror = "https://mirror.example/hub/";
        let place = Place::parse("https://huggingface.co/a/b", None, mirror).unwrap();
        assert_eq!((place.endpoint.as_str(), place.trusted), ("https://mirror.example/hub", true));
        let place = Place::parse("https://mirror.example/hub/a/b", None, mirror).unwrap();
        assert_eq!((place.name.as_str(), place.trusted), ("a/b", true));
        let other = Place::parse("http://127.0.0.1:9/a/b", None, HUB).unwrap();
        assert_eq!((other.endpoint.as_str(), other.trusted), ("http://127.0.0.1:9", false));
        let lookalike = Place::parse("https://huggingface.co.evil.example/a/b", None, HUB).unwrap();
        assert!(!lookalike.trusted);
    }

    #[test]
    fn what_cannot_be_a_model_is_refused_with_what_to_write() {
        for address in [
            "",
            "gpt2",
            "a/..",
            "../b",
            "a/b c",
            "a/b@../x",
            "https://huggingface.co/datasets/a/b",
            "https://huggingface.co/a/b/discussions/3",
            "https://huggingface.co",
            "/etc/passwd",
        ] {
            let message = Place::parse(address, None, HUB).unwrap_err().to_string();
            assert!(message.contains("owner/name"), "{address}: {message}");
        }
        assert!(Place::parse("a/b", None, "mirror").unwrap_err().to_string().contains("HF_ENDPOINT"));
    }

    #[test]
    fn the_origin_of_an_address_ends_at_its_host() {
        assert_eq!(origin("https://a.example:8/x?y"), "https://a.example:8");
        assert_eq!(origin("https://a.example"), "https://a.example");
    }
}
