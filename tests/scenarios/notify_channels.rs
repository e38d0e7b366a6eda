//! `tuoan notify test` through the real program: a real mail server with STARTTLS and AUTH, group robots that check signatures and count messages,
//! a stock Mosquitto. What goes wrong is named, and no secret is shown.
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tuoan_tests::harness::gateway::{Setup, configure};
use tuoan_tests::harness::process::Process;
use tuoan_tests::harness::servers::Mosquitto;
use tuoan_tests::harness::{Outcome, free_port, python, tuoan, wait_for};

const PASSWORD: &str = "mail-password-0123";
const TOKEN: &str = "0123456789abcdef0123";
const SECRET: &str = "SEC0123456789feedbeef";

fn server(dir: &Path, name: &str, arguments: &[&str]) -> (u16, Process) {
    let port = free_port();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers").join(name);
    let mut command = Command::new(python());
    command.arg(script).arg(port.to_string()).args(arguments);
    let process = Process::start(name, &mut command, &dir.join(format!("{name}.log")));
    wait_for(name, Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)).ok());
    (port, process)
}

fn notify(dir: &Path, arguments: &[&str]) -> Outcome {
    let file = dir.join("tuoan.toml");
    let mut all = vec!["notify", "test"];
    all.extend_from_slice(arguments);
    all.extend_from_slice(&["--config", file.to_str().unwrap()]);
    let outcome = tuoan(&all);
    for secret in [PASSWORD, TOKEN, SECRET] {
        assert!(!outcome.out.contains(secret) && !outcome.err.contains(secret), "a secret is shown: {outcome:?}");
    }
    outcome
}

/// A certificate of 127.0.0.1, signed by itself.
fn certificate(dir: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (dir.join("mail.pem"), dir.join("mail.key"));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
        ])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()
        .expect("openssl");
    assert!(made.success());
    (certificate, key)
}

#[test]
fn mail_goes_over_tls_with_a_login_and_refusals_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate(dir.path());
    let inbox = dir.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let arguments = [certificate.to_str().unwrap(), key.to_str().unwrap(), "alarm", PASSWORD, inbox.to_str().unwrap()];
    let (port, _server) = server(dir.path(), "smtp.py", &arguments);
    std::fs::write(dir.path().join("right"), PASSWORD).unwrap();
    std::fs::write(dir.path().join("wrong"), "another-password").unwrap();
    let mail = |name: &str, password: &str, ca: &str| {
        format!(
            "[[channel]]\nname = \"{name}\"\nkind = \"email\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"alarm\"\npassword_file = \"{password}\"\n\
             from = \"alarm@nursery.example\"\n{ca}\n[channel.to]\nli = \"li@nursery.example\"\nwang = \"nobody@nursery.example\"\n"
        )
    };
    let ca = "ca = \"mail.pem\"";
    let more = [mail("mail", "right", ca), mail("locked", "wrong", ca), mail("stranger", "right", "")].concat();
    configure(dir.path(), &Setup { more, ..Setup::default() });

    let one = notify(dir.path(), &["mail", "--person", "li"]);
    assert!(one.code == Some(0) && one.out.contains("has taken the test message") && one.out.contains("queued as 1"), "{one:?}");
    let text = std::fs::read_to_string(inbox.join("1.eml")).unwrap();
    for part in ["To-Envelope: li@nursery.example", "Auto-Submitted: auto-generated", "Message-ID: <test-", "X-Tuoan-Id: test-"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let all = notify(dir.path(), &["mail"]);
    assert!(all.code == Some(1) && all.out.contains("not for wang") && all.out.contains("550"), "{all:?}");
    let locked = notify(dir.path(), &["locked"]);
    assert!(locked.code == Some(1) && locked.out.contains("password_file"), "{locked:?}");
    let stranger = notify(dir.path(), &["stranger"]);
    assert!(stranger.code == Some(1) && stranger.out.contains("ca"), "{stranger:?}");
    assert_eq!(std::fs::read_dir(&inbox).unwrap().count(), 2, "nothing was sent without a certificate that is trusted");
}

#[test]
fn robots_take_what_is_signed_and_their_refusals_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    let (port, _robot) = server(dir.path(), "robot.py", &[TOKEN, SECRET]);
    let base = format!("http://127.0.0.1:{port}");
    for (file, text) in [
        ("dingtalk.url", format!("{base}/robot/send?access_token={TOKEN}\n")),
        ("wecom.url", format!("{base}/cgi-bin/webhook/send?key={TOKEN}\n")),
        ("wecom-old.url", format!("{base}/cgi-bin/webhook/send?key=of-a-robot-that-is-gone\n")),
        ("feishu.url", format!("{base}/open-apis/bot/v2/hook/{TOKEN}\n")),
        ("secret", format!("{SECRET}\n")),
        ("other", "SECanother\n".to_owned()),
    ] {
        std::fs::write(dir.path().join(file), text).unwrap();
    }
    let channel = |name: &str, kind: &str, url: &str, more: &str| {
        format!("[[channel]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl_file = \"{url}\"\n{more}\n")
    };
    let signed = "secret_file = \"secret\"";
    let more = [
        channel("ding", "dingtalk", "dingtalk.url", signed),
        channel("ding-wrong", "dingtalk", "dingtalk.url", "secret_file = \"other\""),
        channel("wecom", "wecom", "wecom.url", ""),
        channel("wecom-old", "wecom", "wecom-old.url", ""),
        channel("feishu", "feishu", "feishu.url", signed),
        channel("feishu-wrong", "feishu", "feishu.url", "secret_file = \"other\""),
    ];
    configure(dir.path(), &Setup { more: more.concat(), ..Setup::default() });
    for good in ["ding", "wecom", "feishu"] {
        let o = notify(dir.path(), &[good]);
        assert!(o.code == Some(0) && o.out.contains("has taken"), "{good}: {o:?}");
    }
    for (bad, says) in [("ding-wrong", "310000"), ("wecom-old", "93000"), ("feishu-wrong", "19021")] {
        let o = notify(dir.path(), &[bad]);
        assert!(o.code == Some(1) && o.out.contains(says) && o.out.contains("a person must mend it"), "{bad}: {o:?}");
    }
    for _ in 0..19 {
        assert_eq!(notify(dir.path(), &["wecom"]).code, Some(0));
    }
    let full = notify(dir.path(), &["wecom"]);
    assert!(full.code == Some(1) && full.out.contains("45009") && full.out.contains("wait 60 s"), "{full:?}");
    let nobody = notify(dir.path(), &["pager"]);
    assert!(nobody.code == Some(1) && nobody.err.contains("ding-wrong"), "{nobody:?}");
}

#[test]
fn a_loudspeaker_hears_it_through_an_outside_broker_only() {
    let dir = tempfile::tempdir().unwrap();
    let more = "[[channel]]\nname = \"wall\"\nkind = \"mqtt\"\ntopic = \"announce\"\n".to_owned();
    configure(dir.path(), &Setup { more: more.clone(), ..Setup::default() });
    let embedded = notify(dir.path(), &["wall"]);
    assert!(embedded.code == Some(1) && embedded.err.contains("running"), "{embedded:?}");

    let broker = Mosquitto::start(dir.path(), "");
    configure(dir.path(), &Setup { outside_broker: Some(broker.port), more, ..Setup::default() });
    let heard = dir.path().join("heard.log");
    // What it says of itself must not lie in a buffer.
    let mut listen = Command::new("stdbuf");
    listen.args(["-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", &broker.port.to_string(), "-t", "announce", "-q", "1", "-d"]);
    let _listener = Process::start("mosquitto_sub", &mut listen, &heard);
    let said = || std::fs::read_to_string(&heard).unwrap_or_default();
    wait_for("the subscription", Duration::from_secs(20), || said().contains("SUBACK").then_some(()));
    let o = notify(dir.path(), &["wall"]);
    assert_eq!(o.code, Some(0), "{o:?}");
    wait_for("the message", Duration::from_secs(20), || said().contains("\"speech\":\"这是测试。").then_some(()));
}
