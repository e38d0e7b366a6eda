//! Signed updates and settings from afar, as a person orders them: `tuoan firmware`, the real gateway and its broker, and nodes that run the firmware's own
//! library over a simulated flash with the boot loader's own decisions.
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tuoan::engine::Body;
use tuoan::engine::input::DeviceInfo;
use tuoan::store::Reader;
use tuoan_node_sim::board::Firmware;
use tuoan_node_sim::fleet::{Accounts, Options, run_tcp};
use tuoan_node_sim::script::Script;
use tuoan_protocol::SiteId;
use tuoan_tests::harness::gateway::{Gateway, PASSWORD, Setup};
use tuoan_tests::harness::{Outcome, tuoan, wait_for};

const DAY: &str = r#"
start = "12:00:00"
[[kind]]
name = "air"
share = 2
look_s = 1
period_s = 2
[kind.measure.temperature]
points = [["00:00", 22.0]]
noise = 0.5
[[kind]]
name = "gate"
share = 1
period_s = 10
[[kind.contact]]
is = "door"
on = [["23:00", "23:01"]]
[[kind]]
name = "sick"
share = 1
period_s = 10
[kind.measure.temperature]
points = [["00:00", 22.0]]
[[fault]]
what = "missing"
kind = "sick"
at = "00:00"
"#;

const SITE: &str = r#"
id = "site-1"
name = "测试托育园"
district = "下城区"
street = "石桥街道"
institution = "private"
supervisor = "health"
staff_hours = "00:00-24:00"
[[zones]]
id = "hall"
name = "活动室"
kind = "activity"
[[zones]]
id = "exit"
name = "大门"
kind = "exit"
[[devices]]
id = "air-1"
zone = "hall"
role = "climate"
[[devices]]
id = "air-2"
zone = "hall"
role = "climate"
[[devices]]
id = "sick-1"
zone = "hall"
role = "climate"
[[devices]]
id = "gate-1"
zone = "exit"
role = "door"
"#;

/// Who builds firmware, and publishes it.
struct Desk {
    dir: PathBuf,
    data: PathBuf,
}

impl Desk {
    fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }
    /// A new key file; its public half.
    fn key(&self, name: &str) -> [u8; 32] {
        let made = tuoan(&["firmware", "key", &self.path(name)]);
        assert_eq!(made.code, Some(0), "{made:?}");
        let hex = made.out.trim().to_owned();
        let bytes: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
        bytes.try_into().unwrap()
    }
    /// A signed file. `word`: what its program does wrong.
    fn image(&self, board: &str, version: &str, word: &str) -> String {
        self.image_by("release.key", board, "1-2", version, word)
    }
    fn image_by(&self, key: &str, board: &str, hardware: &str, version: &str, word: &str) -> String {
        let ballast: String = (0..900).map(|i| format!("{i:04} {version}\n")).collect();
        let (image, file) = (self.path("image.bin"), self.path(&format!("{board}-{version}-{key}-{hardware}.tfw")));
        std::fs::write(&image, format!("{word}\n{ballast}")).unwrap();
        let key = self.path(key);
        let args =
            ["firmware", "sign", &image, "--key", &key, "--board", board, "--hardware", hardware, "--version", version, "--out", &file];
        let signed = tuoan(&args);
        assert_eq!(signed.code, Some(0), "{signed:?}");
        file
    }
    fn publish(&self, file: &str, to: &[&str]) -> Outcome {
        let data = self.data.display().to_string();
        tuoan(&[&["firmware", "publish", file, "--data", &data, "--by", "王工"], to].concat())
    }
    /// `device version` of each node.
    fn status(&self) -> Vec<String> {
        let said = tuoan(&["firmware", "status", "--data", &self.data.display().to_string()]);
        let nodes = said.out.lines().filter_map(|l| {
            let columns: Vec<&str> = l.split('\t').collect();
            (columns.len() == 4 && columns[0] != "sick-1").then(|| format!("{} {}", columns[0], columns[3]))
        });
        let mut nodes: Vec<String> = nodes.collect();
        nodes.sort();
        nodes
    }
    fn settings(&self, device: &str, text: &str) -> Outcome {
        let file = self.path("settings.json");
        std::fs::write(&file, text).unwrap();
        tuoan(&["firmware", "settings", &file, "--data", &self.data.display().to_string(), "--device", device, "--by", "王工"])
    }
}

/// The device's births in the log, in order.
fn births(data: &Path, device: &str) -> Vec<DeviceInfo> {
    let reader = Reader::open(data).expect("the gateway's database");
    let entries = reader.entries_after(0, 100_000).expect("entries");
    let of = |body: &Body| match body {
        Body::Inventory(list) => list.iter().find(|i| i.device.as_ref().is_some_and(|d| d.as_str() == device)).cloned(),
        _ => None,
    };
    entries.iter().filter_map(|e| of(&e.body)).collect()
}

/// The lines said of one node, without the percentages.
fn stages<'a>(said: &'a Outcome, device: &str) -> Vec<&'a str> {
    let of = |line: &'a str| line.strip_prefix(device)?.strip_prefix('\t');
    said.out.lines().filter_map(of).filter(|stage| !stage.ends_with('%')).collect()
}

/// Shown once by the box's console; here it is the label's.
const CODE: &str = "ABCD-EFGH";

/// The director, in a browser.
struct Person {
    base: String,
    cookie: String,
    csrf: String,
}

impl Person {
    fn claim(web: u16) -> Person {
        let mut it = Person { base: format!("http://127.0.0.1:{web}"), cookie: String::new(), csrf: String::new() };
        it.csrf = token(&it.get("/claim"));
        let form = format!("code={CODE}&name=director&password=a-long-password&again=a-long-password");
        let (status, text) = it.post("/claim", &form);
        assert_eq!(status, 303, "{text}");
        it.csrf = token(&it.get("/setup/devices"));
        it
    }
    fn ask(&mut self, request: reqwest::RequestBuilder) -> (u16, String) {
        let request = request.header("cookie", &self.cookie);
        tuoan_tests::harness::runtime().block_on(async {
            let answer = request.send().await.expect("an answer");
            for set in answer.headers().get_all("set-cookie") {
                let pair = set.to_str().unwrap().split(';').next().unwrap();
                let name = pair.split('=').next().unwrap();
                let others = self.cookie.split("; ").filter(|c| !c.is_empty() && !c.starts_with(name)).collect::<Vec<_>>();
                self.cookie = [others, vec![pair]].concat().join("; ");
            }
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }
    fn client() -> reqwest::Client {
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
    }
    fn get(&mut self, path: &str) -> String {
        let request = Person::client().get(format!("{}{path}", self.base));
        self.ask(request).1
    }
    fn post(&mut self, path: &str, form: &str) -> (u16, String) {
        let body = format!("csrf={}&{form}", self.csrf);
        let request = Person::client().post(format!("{}{path}", self.base));
        self.ask(request.header("content-type", "application/x-www-form-urlencoded").body(body))
    }
    fn upload(&mut self, csrf: &str, file: &str) -> (u16, String) {
        let request = Person::client().post(format!("{}/setup/firmware/file", self.base));
        self.ask(request.header("x-csrf-token", csrf).body(std::fs::read(file).unwrap()))
    }
}

fn token(page: &str) -> String {
    page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// Changes a signed file after it was signed.
fn altered(file: &str, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = std::fs::read(file).unwrap();
    change(&mut bytes);
    let to = Path::new(file).with_file_name(name).display().to_string();
    std::fs::write(&to, bytes).unwrap();
    to
}

#[test]
fn nodes_take_what_is_signed_go_back_from_what_is_bad_and_keep_settings() {
    let dir = tempfile::tempdir().unwrap();
    let environment = vec![("TUOAN_CLAIM_CODE".to_owned(), CODE.to_owned())];
    let mut gateway = Gateway::start(dir.path(), &Setup { site: SITE.into(), environment, ..Setup::default() });
    let desk = Desk { dir: dir.path().to_owned(), data: gateway.dir.join("data") };
    let keys = vec![desk.key("release.key")];
    desk.key("other.key");
    let factory = ["air", "gate"].map(|board| std::fs::read(desk.image(board, "1.0.0", "")).unwrap());

    let utc_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let options = Options {
        pin: None,
        site: SiteId::new("site-1").unwrap(),
        nodes: 4,
        accounts: Accounts::One { user: "bench".into(), password: PASSWORD.into() },
        script: Script::parse(DAY).unwrap(),
        speed: 1.0,
        seed: 7,
        work: Duration::from_secs(600),
        drain: Duration::from_secs(20),
        ramp: Duration::ZERO,
        poll_ms: 20,
        utc_ms,
        firmware: Firmware { factory: factory.to_vec(), keys, trial_ms: 1_500 },
    };
    let (stop, stopped) = watch::channel(false);
    let broker = ([127, 0, 0, 1], gateway.mqtt).into();
    let fleet = std::thread::spawn(move || run_tcp(&options, broker, stopped).unwrap());
    let wait_status = |wanted: [&str; 3]| {
        wait_for(&format!("{wanted:?}"), Duration::from_secs(30), || (desk.status() == wanted).then_some(()));
    };
    wait_status(["air-1 1.0.0", "air-2 1.0.0", "gate-1 1.0.0"]);

    // Taken, on trial, confirmed; one after the other, and only those of the room and of the board.
    let good = desk.image("air", "1.1.0", "");
    let said = desk.publish(&good, &["--room", "hall"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for device in ["air-1", "air-2"] {
        let stages = stages(&said, device);
        assert!(stages.ends_with(&["restarts", "runs it"]) || stages.ends_with(&["runs it"]), "{said:?}");
    }
    let first_ended = said.out.find("air-1\truns it").unwrap();
    let second_began = said.out.find("air-2\tasked").or_else(|| said.out.find("air-2\t0 %")).unwrap_or(said.out.len());
    assert!(first_ended < second_began, "one after the other: {said:?}");
    wait_status(["air-1 1.1.0", "air-2 1.1.0", "gate-1 1.0.0"]);

    // What a node must not take, it refuses with its word, and goes on with what it runs.
    let next = desk.image("air", "1.2.0", "");
    let cases = [
        (altered(&next, "unsigned.tfw", |b| b[72..136].fill(0)), "unsigned"),
        // The header raises the version; the image is untouched, so that only the signature tells.
        (altered(&good, "raised.tfw", |b| b[30] = 9), "bad_signature"),
        (desk.image_by("other.key", "air", "1-2", "1.2.0", ""), "bad_signature"),
        (desk.image("air", "1.0.9", ""), "not_newer"),
        (desk.image("gate", "1.2.0", ""), "other_board"),
        (desk.image_by("release.key", "air", "2-9", "1.2.0", ""), "other_hardware"),
    ];
    for (file, word) in &cases {
        let said = desk.publish(file, &["--device", "air-1"]);
        assert_eq!(stages(&said, "air-1").last(), Some(&format!("refused: {word}").as_str()), "{file}: {said:?}");
        // Who runs something newer has what was wanted.
        assert_eq!(said.code, Some(i32::from(*word != "not_newer")), "{said:?}");
    }
    // What is damaged does not get as far as a node.
    let damaged = altered(&next, "damaged.tfw", |b| *b.last_mut().unwrap() ^= 1);
    let said = desk.publish(&damaged, &["--device", "air-1"]);
    assert!(said.code == Some(1) && said.err.contains("altered"), "{said:?}");
    let cut = altered(&next, "cut.tfw", |b| b.truncate(1000));
    assert!(desk.publish(&cut, &["--device", "air-1"]).err.contains("cut"));
    assert_eq!(desk.status(), ["air-1 1.1.0", "air-2 1.1.0", "gate-1 1.0.0"]);

    // Signed, newer, and bad: it never finds its gateway. The node goes back by itself, and the next one is left alone.
    let bad = desk.image("air", "1.3.0", "mute");
    let said = desk.publish(&bad, &["--all"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(stages(&said, "air-1").last(), Some(&"rolled back to what ran before"), "{said:?}");
    assert_eq!(stages(&said, "air-2").last(), Some(&"left as it is"), "{said:?}");
    wait_status(["air-1 1.1.0", "air-2 1.1.0", "gate-1 1.0.0"]);
    // And one that hangs: the watchdog brings it back each time, until its starts are used up.
    let said = desk.publish(&desk.image("gate", "1.3.1", "hangs"), &["--device", "gate-1"]);
    assert_eq!(stages(&said, "gate-1").last(), Some(&"rolled back to what ran before"), "{said:?}");
    // What comes after it is taken as before.
    let said = desk.publish(&desk.image("air", "1.4.0", ""), &["--all"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    wait_status(["air-1 1.4.0", "air-2 1.4.0", "gate-1 1.0.0"]);

    // Settings: refused as a whole by the field that is wrong, or taken, and in force after the restart that follows.
    let said = desk.settings("air-1", r#"{ "altitude_m": 120, "rules": [ { "quantity": "temperature", "report_s": 5 } ] }"#);
    assert!(said.code == Some(1) && said.err.contains("rules.temperature.report_s"), "{said:?}");
    let period = || births(&desk.data, "air-1").last().and_then(|i| i.period_s);
    assert_eq!(period(), Some(2), "nothing of it was taken");
    let said = desk.settings("air-1", r#"{ "altitude_m": 120, "rules": [ { "quantity": "temperature", "report_s": 10 } ] }"#);
    assert_eq!(said.code, Some(0), "{said:?}");
    wait_for("the birth that promises the new period", Duration::from_secs(30), || (period() == Some(10)).then_some(()));
    assert_eq!(desk.status()[0], "air-1 1.4.0");

    // The same by the pages: a signed file is added, sent, and followed; what is none is refused in words.
    let mut director = Person::claim(gateway.web);
    let csrf = director.csrf.clone();
    let newest = desk.image("air", "1.5.0", "");
    assert_eq!(director.upload("", &newest).0, 403);
    let (status, text) = director.upload(&csrf, &damaged);
    assert!(status == 422 && text.contains("altered"), "{status} {text}");
    assert_eq!(director.upload(&csrf, &newest).0, 204);
    let page = director.get("/setup/firmware");
    let option = page.split("<option value=\"").find(|o| o.contains(">air 1.5.0")).unwrap_or_else(|| panic!("{page}"));
    let image = option.split('"').next().unwrap_or_default().to_owned();
    assert!(image.len() == 16 && page.contains("gate-1"), "{page}");
    let (status, text) = director.post("/setup/firmware/send", &format!("image={image}&to=room:exit"));
    assert!(status == 422 && text.contains("no node of board"), "{status} {text}");
    let (status, text) = director.post("/setup/firmware/send", &format!("image={image}&to=device:air-2"));
    assert_eq!(status, 303, "{text}");
    wait_status(["air-1 1.4.0", "air-2 1.5.0", "gate-1 1.0.0"]);
    wait_for("the page to say so", Duration::from_secs(20), || {
        director.get("/setup/firmware/live").contains("正在运行新版本").then_some(())
    });
    assert!(director.get("/setup/firmware").contains("director"), "who asked for it");

    // A node that is asked looks at its sensors; what fails is named by its sensor.
    for (device, says) in [("air-1", "自检：1 个传感器应答正常"), ("sick-1", "sht4x: 没有应答")] {
        let (status, text) = director.post("/setup/proofs/test", &format!("id={device}"));
        assert_eq!(status, 303, "{text}");
        wait_for(says, Duration::from_secs(30), || director.get("/setup/proofs/live").contains(says).then_some(()));
    }
    assert_eq!(director.post("/setup/proofs/test", "id=nobody").0, 404);
    // What the nodes say of themselves at birth; and the start that nobody wanted is counted.
    let page = director.get("/setup/devices");
    for says in ["air · 1.4.0 · simulated", "卡死（看门狗）", "意外重启 1 次"] {
        assert!(page.contains(says), "{says}: {page}");
    }
    assert!(gateway.metric("tuoan_node_resets_total") >= 1.0);

    // The settings hold through a restart of the gateway, and nothing that was measured meanwhile is lost.
    gateway.kill();
    gateway.restart();
    wait_status(["air-1 1.4.0", "air-2 1.5.0", "gate-1 1.0.0"]);
    assert_eq!(period(), Some(10));
    stop.send(true).unwrap();
    let (report, nodes) = fleet.join().unwrap();
    assert_eq!((report.lost, report.waiting, report.given_up, report.malformed), (0, 0, 0, 0), "{report:?}");
    let starts = |device: &str| nodes.iter().find(|n| n.device == device).map(|n| n.starts.len());
    assert!(starts("air-2") >= Some(3), "{nodes:?}");
}
