//! Whole downloads from a server on this machine, and all that can go wrong on the way.

mod pieces;
mod server;

use super::*;
use server::{Reply, Seen, Server};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};

/// No waiting between attempts.
const QUICK: Patience =
    Patience { retries: 3, pause_secs: 0.0, stall_secs: 20.0, tick_secs: 0.01, report_secs: 0.0, piece_bytes: None };

/// Here it can be waited for.
fn fetch_with(
    request: &HubRequest,
    patience: &Patience,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Result<PathBuf, HubError> {
    platform::block_on(super::fetch_with(request, patience, progress)).unwrap()
}

fn weights() -> Vec<u8> {
    (0..300_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn sum(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

fn name_of(request: &Seen) -> &str {
    request.path.rsplit('/').next().unwrap_or_default()
}

/// The small files that every model has; 404 for all else.
fn small_files(request: &Seen) -> Reply {
    match name_of(request) {
        "config.json" => Reply::file(request, b"{\"model_type\":\"llama\"}", "\"c\""),
        "tokenizer.json" => Reply::file(request, b"{\"version\":\"1.0\"}", "\"t\""),
        _ => Reply::status(404),
    }
}

/// A server that only hands out files: weights as `weights` answers, the small files beside them.
fn files_only(mut weights: impl FnMut(&Seen) -> Reply + Send + 'static) -> Server {
    Server::start(move |request| if name_of(request) == WEIGHTS { weights(request) } else { small_files(request) })
}

/// What the hub's listing says of these files; the sums are those of large files.
fn listing(commit: &str, files: &[(&str, usize, Option<String>)]) -> Reply {
    let siblings: Vec<_> = files
        .iter()
        .map(|(name, size, sum)| match sum {
            None => serde_json::json!({ "rfilename": name, "size": size }),
            Some(sum) => serde_json::json!({ "rfilename": name, "size": size, "lfs": { "sha256": sum, "size": size } }),
        })
        .collect();
    let body = serde_json::json!({ "sha": commit, "siblings": siblings }).to_string().into_bytes();
    Reply { status: 200, body, ..Reply::default() }
}

struct Fetch {
    _scratch: crate::platform::scratch::ScratchFolder,
    request: HubRequest,
}

impl Fetch {
    fn of(server: &Server) -> Self {
        let scratch = crate::platform::scratch::folder().unwrap();
        let request = HubRequest {
            address: "owner/name".into(),
            revision: None,
            endpoint: server.url(),
            token: None,
            into: scratch.path().join("models"),
        };
        Self { _scratch: scratch, request }
    }

    fn run(&self) -> Result<PathBuf, HubError> {
        fetch_with(&self.request, &QUICK, &mut |_| true)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.request.folder().unwrap().join(name)
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.request.folder().unwrap()) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_whole_model_is_fetched_from_the_commit_that_the_hub_names_and_not_twice() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let server = Server::start(move |request| match name_of(request) {
        "main?blobs=true" => listing(
            commit,
            &[
                ("README.md", 9, None),
                ("config.json", 22, None),
                ("generation_config.json", 2, None),
                ("model.safetensors", 300_000, Some(sum(&weights()))),
                ("tokenizer.json", 17, None),
            ],
        ),
        "generation_config.json" => Reply::file(request, b"{}", "\"g\""),
        WEIGHTS => Reply::file(request, &weights(), "\"w\""),
        _ => small_files(request),
    });
    let fetch = Fetch::of(&server);
    let mut told = Vec::new();
    let folder = fetch_with(&fetch.request, &QUICK, &mut |progress| {
        told.push(progress);
        true
    })
    .unwrap();
    assert_eq!(folder, fetch.request.folder().unwrap());
    assert_eq!(fs::read(folder.join(WEIGHTS)).unwrap(), weights());
    assert_eq!(
        fetch.names(),
        [".download.json", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
    );
    let paths: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths[0], "/api/models/owner/name/revision/main?blobs=true");
    assert_eq!(paths[1], format!("/owner/name/resolve/{commit}/config.json"));
    let last = told.last().unwrap();
    assert_eq!((last.done_bytes, last.total_bytes), (300_041, Some(300_041)));
    let known: Vec<u64> = told.iter().filter(|seen| seen.total_bytes.is_some()).map(|seen| seen.done_bytes).collect();
    assert!(known.is_sorted() && known.len() > 5, "{known:?}");

    fetch.run().unwrap();
    let again = server.seen().len() - paths.len();
    assert_eq!(again, 1, "the second time, only the list is asked for");
    fs::write(folder.join(WEIGHTS), b"cut off").unwrap();
    fetch.run().unwrap();
    assert_eq!(fs::read(folder.join(WEIGHTS)).unwrap(), weights(), "a file of another size is fetched anew");
}

#[test]
fn what_was_cut_off_is_gone_on_with_where_it_ended() {
    let mut first = true;
    let server = files_only(move |request| {
        let cut_after = std::mem::take(&mut first).then_some(100_000);
        Reply { cut_after, ..Reply::file(request, &weights(), "\"w\"") }
    });
    let fetch = Fetch::of(&server);
    fetch.run().unwrap();
    assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), weights());
    let ranges: Vec<_> = server.asked_for(WEIGHTS).iter().map(|seen| seen.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-".to_owned())]);
}

#[test]
fn the_attempt_after_a_restart_of_the_program_goes_on_as_well_and_the_sum_is_over_all() {
    let content = weights();
    for right in [true, false] {
        let linked = if right { sum(&content) } else { sum(b"other") };
        let mut left = 4;
        let server = files_only(move |request| {
            let cut_after = (left > 0).then_some(50_000);
            left -= 1;
            Reply { cut_after, ..Reply::file(request, &weights(), "\"w\"") }
                .header("X-Linked-Etag", &format!("\"{linked}\""))
        });
        let fetch = Fetch::of(&server);
        let error = fetch.run().unwrap_err();
        assert!(matches!(error, HubError::Broken { attempts: 4, .. }), "{error}");
        assert!(error.to_string().contains("goes on from what is there"), "{error}");
        assert_eq!(fs::metadata(fetch.path("model.safetensors.part")).unwrap().len(), 200_000);
        let result = fetch.run();
        assert_eq!(server.asked_for(WEIGHTS).last().unwrap().header("range"), Some("bytes=200000-"));
        if right {
            result.unwrap();
            assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), content);
        } else {
            assert!(matches!(result.unwrap_err(), HubError::Checksum { .. }));
        }
        assert!(!fetch.names().iter().any(|name| name.contains(".part")), "{:?}", fetch.names());
    }
}

#[test]
fn another_tag_means_another_file_so_it_begins_anew() {
    let old: Vec<u8> = weights().into_iter().rev().collect();
    let mut first = true;
    let server = files_only(move |request| {
        if std::mem::take(&mut first) {
            Reply { cut_after: Some(100_000), ..Reply::file(request, &old, "\"old\"") }
        } else {
            Reply::file(request, &weights(), "\"new\"")
        }
    });
    let fetch = Fetch::of(&server);
    fetch.run().unwrap();
    assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), weights());
    let ranges: Vec<bool> = server.asked_for(WEIGHTS).iter().map(|seen| seen.header("range").is_some()).collect();
    assert_eq!(ranges, [false, true, false]);
}

#[test]
fn a_server_that_knows_no_ranges_sends_the_whole_again() {
    let mut first = true;
    let server = files_only(move |request| {
        let whole = Seen { headers: std::collections::BTreeMap::new(), ..request.clone() };
        Reply { cut_after: std::mem::take(&mut first).then_some(100_000), ..Reply::file(&whole, &weights(), "\"w\"") }
    });
    let fetch = Fetch::of(&server);
    fetch.run().unwrap();
    assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), weights());
    assert_eq!(server.asked_for(WEIGHTS).len(), 2);
}

#[test]
fn a_wrong_sum_deletes_the_file_and_says_so() {
    let server = Server::start(|request| match name_of(request) {
        "main?blobs=true" => listing(
            "x",
            &[
                ("config.json", 22, None),
                ("tokenizer.json", 17, None),
                (WEIGHTS, 300_000, Some(sum(b"something else"))),
            ],
        ),
        WEIGHTS => Reply::file(request, &weights(), "\"w\""),
        _ => small_files(request),
    });
    let fetch = Fetch::of(&server);
    let message = fetch.run().unwrap_err().to_string();
    assert!(
        message.contains("SHA-256") && message.contains(&sum(&weights())) && message.contains("deleted"),
        "{message}"
    );
    assert_eq!(fetch.names(), [".download.json", "config.json", "tokenizer.json"]);
}

#[test]
fn cancelling_keeps_what_came() {
    let hang = Arc::new(Mutex::new(Some(120_000)));
    let control = Arc::clone(&hang);
    let server = files_only(move |request| Reply {
        hang_after: *control.lock().unwrap(),
        ..Reply::file(request, &weights(), "\"w\"")
    });
    let fetch = Fetch::of(&server);
    // the answer hangs: a cancellation must not wait for it
    let result = fetch_with(&fetch.request, &QUICK, &mut |progress| {
        progress.file != WEIGHTS || progress.done_bytes < 120_000 + 39
    });
    assert_eq!(result, Err(HubError::Cancelled));
    assert_eq!(fs::metadata(fetch.path("model.safetensors.part")).unwrap().len(), 120_000);
    *hang.lock().unwrap() = None;
    fetch.run().unwrap();
    assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), weights());
    assert_eq!(server.asked_for(WEIGHTS).last().unwrap().header("range"), Some("bytes=120000-"));
}

#[test]
fn a_connection_that_brings_nothing_counts_as_broken() {
    let server = files_only(|request| Reply { hang_after: Some(1000), ..Reply::file(request, &weights(), "\"w\"") });
    let fetch = Fetch::of(&server);
    let patience = Patience { stall_secs: 0.2, retries: 0, ..QUICK };
    let message = fetch_with(&fetch.request, &patience, &mut |_| true).unwrap_err().to_string();
    assert!(message.contains("nothing came for"), "{message}");
}

#[test]
fn absent_models_and_absent_weights_are_told_apart() {
    let nothing = Server::start(|_| Reply::status(404));
    let fetch = Fetch::of(&nothing);
    assert!(matches!(fetch.run().unwrap_err(), HubError::NoSuchModel { .. }));
    assert!(!fetch.request.folder().unwrap().exists(), "no empty folder is left");

    let unknown = Server::start(|_| Reply::status(401).header("X-Error-Code", "RepoNotFound"));
    assert!(matches!(Fetch::of(&unknown).run().unwrap_err(), HubError::NoSuchModel { .. }));
    let revision = Server::start(|_| Reply::status(404).header("X-Error-Code", "RevisionNotFound"));
    assert!(matches!(Fetch::of(&revision).run().unwrap_err(), HubError::NoSuchRevision { .. }));

    let message = Fetch::of(&files_only(|_| Reply::status(404))).run().unwrap_err().to_string();
    assert!(message.contains("model.safetensors") && message.contains("safe_serialization"), "{message}");
    let listed = Server::start(|_| {
        listing("x", &[("config.json", 22, None), ("tokenizer.json", 17, None), ("pytorch_model.bin", 9, None)])
    });
    let message = Fetch::of(&listed).run().unwrap_err().to_string();
    assert!(message.contains("safetensors only"), "{message}");
    assert_eq!(listed.seen().len(), 1, "nothing is fetched of a model that lacks its weights");
}

#[test]
fn a_gated_model_says_what_to_do_with_and_without_a_token() {
    let server = files_only(|_| Reply::status(403).header("X-Error-Code", "GatedRepo"));
    let mut fetch = Fetch::of(&server);
    let message = fetch.run().unwrap_err().to_string();
    assert!(message.contains("Accept its terms") && message.contains("HF_TOKEN"), "{message}");
    fetch.request.token = Some("secret".into());
    let message = fetch.run().unwrap_err().to_string();
    assert!(message.contains("does not suffice") && !message.contains("secret"), "{message}");
}

#[test]
fn the_token_is_shown_to_the_endpoint_only() {
    let elsewhere = files_only(|request| Reply::file(request, &weights(), "\"w\""));
    let target = elsewhere.url();
    let hub = files_only(move |request| Reply::status(302).header("Location", &format!("{target}{}", request.path)));
    let mut fetch = Fetch::of(&hub);
    fetch.request.token = Some("secret".into());
    fetch.run().unwrap();
    assert!(hub.seen().iter().all(|seen| seen.header("authorization") == Some("Bearer secret")));
    let seen = elsewhere.seen();
    assert!(seen.len() == 1 && seen[0].header("authorization").is_none(), "{seen:?}");

    let mut other = Fetch::of(&hub);
    other.request.token = Some("secret".into());
    other.request.address = format!("{}/owner/name", elsewhere.url());
    other.run().unwrap();
    assert!(elsewhere.seen().len() > 3 && elsewhere.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[test]
fn a_file_that_moved_on_the_same_host_is_asked_for_with_the_token_again() {
    let server = Server::start(|request| match (request.path.contains("/cache/"), request.header("authorization")) {
        (false, _) if request.path.contains("/resolve/") => {
            Reply::status(307).header("Location", &format!("/cache/{}", name_of(request)))
        }
        (true, None) => Reply::status(401),
        (true, Some(_)) if name_of(request) == WEIGHTS => Reply::file(request, &weights(), "\"w\""),
        _ => small_files(request),
    });
    let mut fetch = Fetch::of(&server);
    fetch.request.token = Some("secret".into());
    fetch.run().unwrap();
    assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), weights());
}

#[test]
fn shards_are_fetched_by_the_index() {
    const PARTS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let server = Server::start(|request| match name_of(request) {
        INDEX => {
            let json = serde_json::json!({ "weight_map": { "a": PARTS[0], "b": PARTS[1], "c": PARTS[1] } });
            Reply::file(request, json.to_string().as_bytes(), "\"i\"")
        }
        name if name == PARTS[0] => Reply::file(request, b"first", "\"1\""),
        name if name == PARTS[1] => Reply::file(request, b"second", "\"2\""),
        _ => small_files(request),
    });
    let fetch = Fetch::of(&server);
    let mut last = Progress::default();
    fetch_with(&fetch.request, &QUICK, &mut |progress| {
        last = progress;
        true
    })
    .unwrap();
    assert_eq!(fs::read(fetch.path(PARTS[1])).unwrap(), b"second");
    assert_eq!(fetch.names(), [".download.json", "config.json", PARTS[0], PARTS[1], INDEX, "tokenizer.json"]);
    assert_eq!(last.total_bytes, Some(last.done_bytes));
}

#[test]
fn an_index_that_names_a_file_outside_the_folder_is_refused() {
    let server = Server::start(|request| match name_of(request) {
        INDEX => Reply::file(request, br#"{"weight_map":{"a":"../../evil.safetensors"}}"#, "\"i\""),
        _ => small_files(request),
    });
    let fetch = Fetch::of(&server);
    let error = fetch.run().unwrap_err();
    assert!(matches!(&error, HubError::UnsafeName { file } if file == "../../evil.safetensors"), "{error}");
    assert!(server.asked_for("evil.safetensors").is_empty());
}

#[test]
fn a_web_page_is_not_taken_for_a_file() {
    let page = b"\n<!DOCTYPE html><html>please log in</html>";
    for kind in ["text/html; charset=utf-8", "application/octet-stream"] {
        let server = files_only(move |request| Reply::file(request, page, "\"p\"").header("Content-Type", kind));
        let fetch = Fetch::of(&server);
        let message = fetch.run().unwrap_err().to_string();
        assert!(message.contains("web page instead of model.safetensors"), "{message}");
        assert_eq!(fetch.names(), [".download.json", "config.json", "tokenizer.json"]);
    }
}

#[test]
fn a_body_larger_than_announced_is_refused() {
    let server = Server::start(|request| match name_of(request) {
        "main?blobs=true" => {
            listing("x", &[("config.json", 22, None), ("tokenizer.json", 17, None), (WEIGHTS, 1000, None)])
        }
        WEIGHTS => Reply::file(request, &weights(), "\"w\""),
        _ => small_files(request),
    });
    let fetch = Fetch::of(&server);
    assert!(matches!(fetch.run().unwrap_err(), HubError::Size { expected: 1000, .. }));
    assert_eq!(fetch.names(), [".download.json", "config.json", "tokenizer.json"]);
}

#[test]
fn a_busy_server_is_asked_again_and_then_told_about() {
    let mut refusals = 2;
    let server = files_only(move |request| {
        refusals -= 1;
        if refusals >= 0 { Reply::status(503) } else { Reply::file(request, &weights(), "\"w\"") }
    });
    Fetch::of(&server).run().unwrap();
    let server = files_only(|_| Reply::status(429));
    let message = Fetch::of(&server).run().unwrap_err().to_string();
    assert!(message.contains("few minutes"), "{message}");
    assert_eq!(server.asked_for(WEIGHTS).len(), 4);
}

fn open_part(fetch: &Fetch, piece_bytes: Option<usize>) -> Result<part::Part, HubError> {
    let mut quiet = |_: Progress| true;
    let (folder, wanted) = (fetch.request.folder().unwrap(), Wanted::named(WEIGHTS));
    let mut meter = Meter::new(0.0, &mut quiet);
    platform::block_on(part::Part::open(&folder, &wanted, piece_bytes, &mut meter)).unwrap()
}

#[test]
fn two_downloads_of_one_model_do_not_write_into_one_file() {
    let server = files_only(|request| Reply { hang_after: Some(1000), ..Reply::file(request, &weights(), "\"w\"") });
    let fetch = Fetch::of(&server);
    let mut second = None;
    let result = fetch_with(&fetch.request, &QUICK, &mut |progress| {
        if progress.file == WEIGHTS && progress.done_bytes > 39 {
            second = open_part(&fetch, None).err();
            return false;
        }
        true
    });
    assert_eq!(result, Err(HubError::Cancelled));
    assert!(matches!(second, Some(HubError::Busy { .. })), "{second:?}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_says_how_to_go_on() {
    let server = files_only(|request| Reply::file(request, &weights(), "\"w\""));
    let fetch = Fetch::of(&server);
    fs::create_dir_all(fetch.request.folder().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", fetch.path("model.safetensors.part")).unwrap();
    let error = fetch.run().unwrap_err();
    assert!(matches!(error, HubError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("Make room"), "{error}");
}

#[test]
fn the_request_of_an_address_takes_the_usual_endpoint() {
    let request = HubRequest::new("a/b", Path::new("models"));
    assert!(request.endpoint.starts_with("http"), "{}", request.endpoint);
    assert_eq!(request.folder().unwrap(), Path::new("models").join("a--b"));
    assert!(HubRequest::new("a", Path::new("models")).folder().is_err());
}
