use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

const SITE: &str = r#"
id = "xingyuan"
name = "星原托育"
district = "下城区"
street = "石桥街道"
institution = "private"
supervisor = "health"
staff_hours = "06:30-19:30"
[[zones]]
id = "hall"
name = "大厅"
kind = "corridor"
"#;

#[test]
fn a_right_file_is_read() {
    let dir = folder(&[
        ("site.toml", SITE),
        ("token", "abc\n"),
        (
            "t.toml",
            "data = \"d\"\nsite = \"site.toml\"\n[broker]\nlisten = \"127.0.0.1:0\"\n[platform]\nurl = \"http://x/\"\ntoken_file = \"token\"\n",
        ),
    ]);
    let c = load(&dir.path().join("t.toml"), None).unwrap();
    assert_eq!(c.data, dir.path().join("d"));
    assert_eq!(c.platform.as_ref().unwrap().token.reveal(), "abc");
    assert_eq!(c.platform.as_ref().unwrap().url, "http://x");
    assert!(!format!("{c:?}").contains("abc"), "no secret in Debug");
}

#[test]
fn all_problems_are_reported_together_with_their_lines() {
    let dir = folder(&[(
        "t.toml",
        "data = \"d\"\nsite = \"nowhere.toml\"\nsurprise = 1\n[web]\nlisten = \"here\"\n[broker]\nlisten = 5\n[[broker.user]]\nname = \"a\"\npassword_sha256 = \"xx\"\n[influx]\nurl = \"ftp://x\"\n[clock]\ntrust = \"no\"\n",
    )]);
    let Problems(list) = load(&dir.path().join("t.toml"), None).unwrap_err();
    let text = list.iter().map(|p| p.to_string()).collect::<Vec<_>>().join("\n");
    for part in [
        "nowhere.toml",
        "t.toml:3: surprise",
        "t.toml:5: web.listen",
        "t.toml:7: broker.listen",
        "t.toml:10: broker.user[0].password_sha256",
        "t.toml:12: influx.url",
        "influx.org: is missing",
        "influx.token: is missing",
        "t.toml:14: clock.trust",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn sessions_of_the_broker_are_bounded() {
    let read = |line: &str| {
        let text = format!("data = \"d\"\nsite = \"site.toml\"\n[broker]\nlisten = \"127.0.0.1:0\"\n{line}\n");
        let dir = folder(&[("site.toml", SITE), ("t.toml", &text)]);
        load(&dir.path().join("t.toml"), None).map(|c| match c.ingest {
            Ingest::Embedded(b) => b.sessions,
            Ingest::Outside(_) => 0,
        })
    };
    assert_eq!((read("").unwrap(), read("sessions = 6000").unwrap()), (DEFAULT_SESSIONS, 6000));
    for bad in ["sessions = 0", "sessions = 1000000", "sessions = -1"] {
        assert!(read(bad).unwrap_err().0.iter().any(|p| p.key == "broker.sessions"), "{bad}");
    }
}

#[test]
fn the_broker_has_tls_of_its_own_unless_told_otherwise() {
    let read = |listen: &str, line: &str| {
        let text = format!("data = \"d\"\nsite = \"site.toml\"\n[broker]\nlisten = \"{listen}:1883\"\n{line}\n");
        let dir = folder(&[("site.toml", SITE), ("t.toml", &text), ("c.pem", ""), ("k.pem", "")]);
        load(&dir.path().join("t.toml"), None).map(|c| match c.ingest {
            Ingest::Embedded(b) => b.tls,
            Ingest::Outside(_) => Tls::Off,
        })
    };
    let own = |at: &str, needed| Tls::Own { listen: at.parse().unwrap(), needed };
    assert_eq!(read("0.0.0.0", "").unwrap(), own("0.0.0.0:8883", false));
    assert_eq!(read("[::]", "").unwrap(), own("[::]:8883", false));
    assert_eq!(read("127.0.0.1", "").unwrap(), Tls::Off, "for nobody");
    assert_eq!(read("0.0.0.0", "tls = false").unwrap(), Tls::Off);
    assert_eq!(read("127.0.0.1", "tls = { listen = \"127.0.0.1:9\" }").unwrap(), own("127.0.0.1:9", true));
    let given = read("0.0.0.0", "tls = { listen = \"0.0.0.0:9\", cert = \"c.pem\", key = \"k.pem\" }").unwrap();
    assert!(matches!(given, Tls::Given { cert, key, .. } if cert.ends_with("c.pem") && key.ends_with("k.pem")));
    for (line, key) in [
        ("tls = true", "broker.tls"),
        ("tls = { listen = \"0.0.0.0:9\", cert = \"c.pem\" }", "broker.tls.key"),
        ("tls = { cert = \"c.pem\", key = \"k.pem\" }", "broker.tls.listen"),
        ("tls = { listen = \"0.0.0.0:9\", cert = \"c.pem\", key = \"none.pem\" }", "broker.tls.key"),
    ] {
        assert!(read("0.0.0.0", line).unwrap_err().0.iter().any(|p| p.key == key), "{line}");
    }
}

#[test]
fn what_is_promised_cannot_be_set_shorter() {
    let read = |more: &str| {
        let text = format!("data = \"d\"\nsite = \"site.toml\"\n[broker]\nlisten = \"127.0.0.1:0\"\n{more}\n");
        let dir = folder(&[("site.toml", SITE), ("t.toml", &text)]);
        load(&dir.path().join("t.toml"), None)
    };
    let store = read("[store]\nkeep_rollups_days = 400").unwrap().store.retention;
    assert_eq!((store.keep_days, store.keep_rollups_days, store.keep_events_days), (90, 400, 1098));
    for (table, line, key) in [
        ("store", "keep_days = 29", "keep_days"),
        ("store", "keep_rollups_days = 89", "keep_rollups_days"),
        ("pictures", "evidence_days = 3651", "evidence_days"),
    ] {
        let problems = read(&format!("[{table}]\n{line}")).unwrap_err();
        assert!(problems.0.iter().any(|p| p.key == format!("{table}.{key}")), "{line}");
    }
    // What an earlier version took is no reason not to start.
    let old = read("[store]\nkeep_days = 60\nkeep_events_days = 400\n[pictures]\nevidence_days = 30\nstills_days = 7").unwrap();
    assert_eq!((old.store.retention.keep_events_days, old.pictures.evidence_days, old.pictures.stills_days), (1095, 90, 90));
    let long = read("[store]\nkeep_days = 2000\nkeep_events_days = 2000").unwrap().store.retention;
    assert_eq!(long.keep_rollups_days, 2000);
}

#[test]
fn broker_and_client_exclude_each_other() {
    let dir = folder(&[
        ("site.toml", SITE),
        ("t.toml", "data = \"d\"\nsite = \"site.toml\"\n[broker]\nlisten = \"127.0.0.1:0\"\n[client]\nurl = \"mqtt://127.0.0.1:1\"\n"),
    ]);
    let Problems(list) = load(&dir.path().join("t.toml"), None).unwrap_err();
    assert_eq!(list.len(), 1);
    assert!(list[0].text.contains("exclude each other"));
}

#[test]
fn event_streams_are_read_with_their_secrets_elsewhere() {
    let head = "data = \"d\"\nsite = \"site.toml\"\n[broker]\nlisten = \"127.0.0.1:0\"\n";
    let good = format!(
        "{head}[[hikvision]]\nname = \"yard\"\nurl = \"https://192.168.1.64/\"\nuser = \"events\"\npassword_file = \"pw\"\nrecordings = [1, 7]\ncertificate_sha256 = \"{}\"\n",
        "ab:".repeat(31) + "cd"
    );
    let dir = folder(&[("site.toml", SITE), ("pw", "hunter2\n"), ("t.toml", &good)]);
    let c = load(&dir.path().join("t.toml"), None).unwrap();
    let [source] = c.hikvision.as_slice() else { panic!("{:?}", c.hikvision) };
    assert_eq!((source.name.as_str(), source.url.as_str(), source.stall.as_secs()), ("yard", "https://192.168.1.64", 60));
    assert_eq!(source.recordings, [1, 7]);
    assert!(source.certificate.is_some_and(|c| c[31] == 0xcd) && source.password.reveal() == "hunter2");
    assert!(!format!("{c:?}").contains("hunter2"), "no secret in Debug");
    let wrong = format!(
        "{head}[[hikvision]]\nname = \"a.b\"\nurl = \"http://admin:x@h\"\nuser = \"u\"\npassword = \"p\"\ncertificate_sha256 = \"12\"\nstall_s = 1\nrecordings = [0]\n"
    );
    let dir = folder(&[("site.toml", SITE), ("t.toml", &wrong)]);
    let Problems(list) = load(&dir.path().join("t.toml"), None).unwrap_err();
    let text = list.iter().map(|p| p.to_string()).collect::<Vec<_>>().join("\n");
    for part in
        ["hikvision[0].name", "hikvision[0].url", "hikvision[0].certificate_sha256", "hikvision[0].stall_s", "hikvision[0].recordings"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}
