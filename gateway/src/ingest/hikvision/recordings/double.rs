//! A recorder that is strict about the interface: digest authentication for method and path, the request's elements in their order, pages of the list.
use super::*;
use digest_auth::{AuthContext, HttpMethod};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const USER: &str = "records";
pub const PASSWORD: &str = "right-horse";
const CHINA: i64 = 8 * 3_600_000;

#[derive(Default)]
struct Inside {
    /// Means local time by `Z`.
    local: bool,
    now: AtomicI64,
    searches: AtomicUsize,
    /// By track.
    files: Mutex<BTreeMap<u32, Vec<Span>>>,
    refuses: Mutex<Option<&'static str>>,
}

pub struct Recorder {
    pub url: String,
    inside: Arc<Inside>,
}

impl Recorder {
    pub async fn start(local: bool) -> Recorder {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inside = Arc::new(Inside { local, now: AtomicI64::new(1_795_485_600_000), ..Inside::default() });
        let serving = Arc::clone(&inside);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let inside = Arc::clone(&serving);
                tokio::spawn(async move { inside.serve(socket).await });
            }
        });
        Recorder { url, inside }
    }
    pub fn now(&self) -> i64 {
        self.inside.now.load(Ordering::Relaxed)
    }
    pub fn pass(&self, ms: i64) {
        self.inside.now.fetch_add(ms, Ordering::Relaxed);
    }
    pub fn searches(&self) -> usize {
        self.inside.searches.load(Ordering::Relaxed)
    }
    pub fn record(&self, track: u32, mut files: Vec<Span>) {
        files.sort_unstable();
        self.inside.files.lock().unwrap().insert(track, files);
    }
    pub fn refuse(&self, status: &'static str) {
        *self.inside.refuses.lock().unwrap() = Some(status);
    }
}

impl Inside {
    async fn serve(&self, mut socket: TcpStream) {
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if socket.read(&mut byte).await.unwrap_or(0) == 0 {
                    return;
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            assert!(!head.contains(PASSWORD));
            let length =
                head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap())).unwrap_or(0);
            let mut body = vec![0; length];
            socket.read_exact(&mut body).await.unwrap();
            let mut words = head.split(' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let authorization = head.lines().find_map(|l| l.strip_prefix("authorization: "));
            let (status, more, answer) = match authorization {
                Some(a) if right(a, method, path, &body) => match (*self.refuses.lock().unwrap(), method, path) {
                    (Some(status), _, _) => (status, "", String::new()),
                    (None, "GET", TIME) => ("200 OK", "", self.time()),
                    (None, "POST", SEARCH) => ("200 OK", "", self.search(std::str::from_utf8(&body).unwrap())),
                    _ => ("404 Not Found", "", String::new()),
                },
                _ => ("401 Unauthorized", "WWW-Authenticate: Digest qop=\"auth\", realm=\"NVR\", nonce=\"n0nce\"\r\n", String::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/xml\r\n{more}Content-Length: {}\r\n\r\n", answer.len());
            if socket.write_all((head + &answer).as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn time(&self) -> String {
        let shown = Zone::Local(CHINA).write(self.now.load(Ordering::Relaxed)).unwrap().replace('Z', "+08:00");
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Time xmlns=\"http://www.isapi.org/ver20/XMLSchema\"><timeMode>NTP</timeMode><localTime>{shown}</localTime><timeZone>CST-8:00:00</timeZone></Time>"
        )
    }

    fn search(&self, body: &str) -> String {
        self.searches.fetch_add(1, Ordering::Relaxed);
        let document = Document::parse(body).unwrap();
        let root = document.root_element();
        let names: Vec<&str> = root.children().map(|c| c.tag_name().name()).collect();
        assert_eq!(names, ["searchID", "trackList", "timeSpanList", "maxResults", "searchResultPostion", "metadataList"]);
        let deep = |name: &str| root.descendants().find(|n| n.tag_name().name() == name).and_then(|n| n.text()).unwrap().to_owned();
        assert_eq!(deep("searchID").len(), 36);
        let zone = if self.local { Zone::Local(CHINA) } else { Zone::Utc };
        let (from, to) = (zone.read(&deep("startTime")).unwrap(), zone.read(&deep("endTime")).unwrap());
        let (most, position): (usize, usize) = (deep("maxResults").parse().unwrap(), deep("searchResultPostion").parse().unwrap());
        let track: u32 = deep("trackID").parse().unwrap();
        let files = self.files.lock().unwrap();
        let found: Vec<&Span> = files.get(&track).into_iter().flatten().filter(|f| f.0 < to && f.1 > from).collect();
        let page: Vec<_> = found.iter().skip(position).take(most).collect();
        let status = match () {
            () if page.is_empty() => "NO MATCHES",
            () if position + page.len() < found.len() => "MORE",
            () => "OK",
        };
        let items: String = page
            .iter()
            .map(|f| {
                let (a, b) = (zone.write(f.0).unwrap(), zone.write(f.1).unwrap());
                format!("<searchMatchItem><trackID>{track}</trackID><timeSpan><startTime>{a}</startTime><endTime>{b}</endTime></timeSpan><mediaSegmentDescriptor><contentType>video</contentType></mediaSegmentDescriptor></searchMatchItem>")
            })
            .collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<CMSearchResult version=\"1.0\" xmlns=\"http://www.isapi.org/ver20/XMLSchema\"><searchID>{}</searchID><responseStatus>true</responseStatus><responseStatusStrg>{status}</responseStatusStrg><numOfMatches>{}</numOfMatches><matchList>{items}</matchList></CMSearchResult>",
            deep("searchID"),
            page.len()
        )
    }
}

/// Whether the answer is that of the password, for this method and path.
fn right(authorization: &str, method: &str, path: &str, body: &[u8]) -> bool {
    let field =
        |name: &str| Some(authorization.split_once(&format!("{name}="))?.1.trim_start_matches('"').split(['"', ',']).next()?.to_owned());
    let (Some(cnonce), Some(response), Some(uri)) = (field("cnonce"), field("response"), field("uri")) else { return false };
    assert_eq!(uri, path);
    let mut challenge = digest_auth::parse(r#"Digest qop="auth", realm="NVR", nonce="n0nce""#).unwrap();
    let method = if method == "POST" { HttpMethod::POST } else { HttpMethod::GET };
    let mut context = AuthContext::new_with_method(USER, PASSWORD, path, Some(body), method);
    context.set_custom_cnonce(cnonce);
    challenge.respond(&context).unwrap().response == response
}
