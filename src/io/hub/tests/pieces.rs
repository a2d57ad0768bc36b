//! Downloads in pieces, as in a browser: what is lost when they break off, and that the pieces are never mixed up.

use super::*;

const PIECE: usize = 40_000;
const IN_PIECES: Patience = Patience { piece_bytes: Some(PIECE), ..QUICK };

fn run(fetch: &Fetch) -> Result<PathBuf, HubError> {
    fetch_with(&fetch.request, &IN_PIECES, &mut |_| true)
}

/// First bytes of the pieces and their lengths, in order.
fn pieces(fetch: &Fetch) -> Vec<(u64, u64)> {
    let mut found: Vec<(u64, u64)> = fetch
        .names()
        .iter()
        .filter_map(|name| name.strip_prefix("model.safetensors.part-")?.parse().ok())
        .map(|first| (first, fs::metadata(fetch.path(&format!("{WEIGHTS}.part-{first}"))).unwrap().len()))
        .collect();
    found.sort_unstable();
    found
}

/// Weights whose answer ends after so many bytes, again and again.
fn cut_server(mut left: usize, linked: String) -> Server {
    files_only(move |request| {
        let cut_after = (left > 0).then_some(50_000);
        left = left.saturating_sub(1);
        Reply { cut_after, ..Reply::file(request, &weights(), "\"w\"") }
            .header("X-Linked-Etag", &format!("\"{linked}\""))
    })
}

/// A download that broke off at byte 200,000.
fn broken_off(linked: String) -> (Server, Fetch) {
    let server = cut_server(4, linked);
    let fetch = Fetch::of(&server);
    let error = run(&fetch).unwrap_err();
    assert!(matches!(error, HubError::Broken { attempts: 4, .. }), "{error}");
    (server, fetch)
}

fn last_range(server: &Server) -> Option<String> {
    server.asked_for(WEIGHTS).last().unwrap().header("range").map(str::to_owned)
}

#[test]
fn pieces_outlive_the_program_and_become_one_file() {
    let (server, fetch) = broken_off(sum(&weights()));
    let there = pieces(&fetch);
    assert!(there.len() >= 5, "one when a piece is full, one when an attempt ends: {there:?}");
    let mut end = 0;
    for (first, len) in &there {
        assert_eq!(*first, end, "a piece is named by its first byte: {there:?}");
        end += len;
    }
    assert_eq!(end, 200_000);
    run(&fetch).unwrap();
    assert_eq!(last_range(&server).as_deref(), Some("bytes=200000-"));
    assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), weights());
    assert_eq!(fetch.names(), [".download.json", "config.json", "model.safetensors", "tokenizer.json"]);
    let asked = server.asked_for(WEIGHTS).len();
    run(&fetch).unwrap();
    assert_eq!(server.asked_for(WEIGHTS).len(), asked + 1, "only the tag is looked at");
    assert_eq!(fetch.names(), [".download.json", "config.json", "model.safetensors", "tokenizer.json"]);
}

#[test]
fn behind_a_piece_that_is_missing_or_cut_off_it_goes_on_before_it() {
    for cut in [false, true] {
        let (server, fetch) = broken_off(sum(&weights()));
        let there = pieces(&fetch);
        let (first, len) = there[2];
        let path = fetch.path(&format!("{WEIGHTS}.part-{first}"));
        if cut {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        run(&fetch).unwrap();
        let expected = if cut { first + len / 2 } else { first };
        assert_eq!(last_range(&server), Some(format!("bytes={expected}-")));
        assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), weights());
        assert!(pieces(&fetch).is_empty());
    }
}

#[test]
fn a_wrong_sum_deletes_all_pieces() {
    let (_server, fetch) = broken_off(sum(b"other"));
    assert!(matches!(run(&fetch).unwrap_err(), HubError::Checksum { .. }));
    assert_eq!(fetch.names(), [".download.json", "config.json", "tokenizer.json"]);
}

#[test]
fn pieces_of_another_content_are_not_gone_on_with() {
    let (_server, fetch) = broken_off(sum(b"other"));
    let server = cut_server(0, sum(&weights()));
    let again = HubRequest { endpoint: server.url(), ..fetch.request.clone() };
    fetch_with(&again, &IN_PIECES, &mut |_| true).unwrap();
    assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), weights());
    assert!(pieces(&fetch).is_empty());
}

#[test]
fn all_pieces_that_are_there_already_are_joined_without_asking_for_more() {
    let linked = sum(&weights());
    let mut first = true;
    let server = Server::start(move |request| match name_of(request) {
        "main?blobs=true" => listing(
            "x",
            &[("config.json", 22, None), ("tokenizer.json", 17, None), (WEIGHTS, 300_000, Some(linked.clone()))],
        ),
        // all bytes come, but the answer does not end
        WEIGHTS if std::mem::take(&mut first) => {
            Reply { hang_after: Some(299_999), ..Reply::file(request, &weights(), "\"w\"") }
        }
        WEIGHTS => Reply::file(request, &weights(), "\"w\""),
        _ => small_files(request),
    });
    let fetch = Fetch::of(&server);
    let cancelled = fetch_with(&fetch.request, &IN_PIECES, &mut |progress| {
        progress.file != WEIGHTS || progress.done_bytes < 299_999 + 39
    });
    assert_eq!(cancelled, Err(HubError::Cancelled));
    fs::write(fetch.path(&format!("{WEIGHTS}.part-299999")), &weights()[299_999..]).unwrap();
    let asked = server.asked_for(WEIGHTS).len();
    run(&fetch).unwrap();
    assert_eq!(server.asked_for(WEIGHTS).len(), asked);
    assert_eq!(fs::read(fetch.path(WEIGHTS)).unwrap(), weights());
}

#[test]
fn what_is_summed_up_again_shows_how_far_it_is_and_can_be_cancelled() {
    let (server, fetch) = broken_off(sum(&weights()));
    let asked = server.asked_for(WEIGHTS).len();
    let mut seen = Vec::new();
    let cancelled = fetch_with(&fetch.request, &IN_PIECES, &mut |progress| {
        if progress.file == WEIGHTS {
            seen.push(progress.done_bytes);
        }
        progress.file != WEIGHTS || progress.done_bytes < 100_000 + 39
    });
    assert_eq!(cancelled, Err(HubError::Cancelled));
    assert!(seen.is_sorted() && seen.len() > 2, "{seen:?}");
    assert_eq!(server.asked_for(WEIGHTS).len(), asked);
    run(&fetch).unwrap();
    assert_eq!(last_range(&server).as_deref(), Some("bytes=200000-"), "it lost nothing");
}

#[test]
fn two_downloads_do_not_write_into_the_same_pieces() {
    let (_server, fetch) = broken_off(sum(&weights()));
    let first = open_part(&fetch, Some(PIECE)).unwrap();
    assert!(matches!(open_part(&fetch, Some(PIECE)), Err(HubError::Busy { .. })));
    drop(first);
    open_part(&fetch, Some(PIECE)).unwrap();
}
