//! A hub on this machine: hands out what a test tells it to, and remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// First byte of `Range: bytes=5-`.
    fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Bytes of the body after which the connection is closed.
    pub cut_after: Option<usize>,
    /// Bytes of the body after which nothing more comes, while the connection stays open.
    pub hang_after: Option<usize>,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file with its tag; answers a `Range` as it should be.
    pub fn file(request: &Seen, body: &[u8], etag: &str) -> Self {
        let reply = Self { status: 200, body: body.to_vec(), ..Self::default() }.header("ETag", etag);
        match request.from() {
            None => reply,
            Some(from) if from >= body.len() => Self::status(416),
            Some(from) => Self { status: 206, body: body[from..].to_vec(), ..reply }
                .header("Content-Range", &format!("bytes {from}-{}/{}", body.len() - 1, body.len())),
        }
    }
}

type Handler = dyn FnMut(&Seen) -> Reply + Send;

/// Listens until it is dropped.
pub struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(handler: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (requests, stop) = (Arc::clone(&seen), Arc::clone(&over));
        let handler: Arc<Mutex<Handler>> = Arc::new(Mutex::new(handler));
        let thread = Builder::new()
            .name("test hub".into())
            .spawn(move || {
                for connection in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let (handler, requests, stop) = (Arc::clone(&handler), Arc::clone(&requests), Arc::clone(&stop));
                    // a client that went away is no fault of the server
                    let serve =
                        move || connection.and_then(|connection| serve(connection, &handler, &requests, &stop)).ok();
                    Builder::new().spawn(serve).unwrap();
                }
            })
            .unwrap();
        Self { address, seen, over, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests for files of this name.
    pub fn asked_for(&self, name: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path.ends_with(&format!("/{name}"))).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn serve(
    connection: TcpStream,
    handler: &Mutex<Handler>,
    requests: &Mutex<Vec<Seen>>,
    over: &AtomicBool,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(()) };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let request = Seen { path, headers };
    requests.lock().unwrap().push(request.clone());
    let reply = (handler.lock().unwrap())(&request);
    let mut stream = connection;
    let mut head =
        format!("HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    let end = reply.cut_after.or(reply.hang_after).unwrap_or(reply.body.len()).min(reply.body.len());
    stream.write_all(&reply.body[..end])?;
    stream.flush()?;
    if reply.hang_after.is_some() {
        // until the client goes or the test ends
        stream.set_read_timeout(Some(Duration::from_millis(20)))?;
        while !over.load(Ordering::SeqCst) && !matches!(stream.read(&mut [0]), Ok(0)) {}
    }
    stream.shutdown(Shutdown::Both)
}
