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
fn broker_and_client_exclude_each_other() {
    let dir = folder(&[
        ("site.toml", SITE),
        ("t.toml", "data = \"d\"\nsite = \"site.toml\"\n[broker]\nlisten = \"127.0.0.1:0\"\n[client]\nurl = \"mqtt://127.0.0.1:1\"\n"),
    ]);
    let Problems(list) = load(&dir.path().join("t.toml"), None).unwrap_err();
    assert_eq!(list.len(), 1);
    assert!(list[0].text.contains("exclude each other"));
}
