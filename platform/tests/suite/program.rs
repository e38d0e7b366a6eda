//! The program itself: its commands, its signals and its messages.
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn program(dir: &Path) -> Command {
    let mut c = Command::new(env!("CARGO_BIN_EXE_tuoan-platform"));
    c.current_dir(dir).env_remove("RUST_LOG").stdin(Stdio::null());
    c
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_site_is_added_and_its_token_works_until_sigterm() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.toml"), "listen = \"127.0.0.1:0\"\ndata = \"d\"\n").unwrap();
    let added = program(dir.path()).args(["site", "add", "xingyuan", "星园", "--config", "p.toml"]).output().unwrap();
    assert!(added.status.success(), "{}", text(&added));
    let token = String::from_utf8(added.stdout).unwrap().trim().to_owned();
    assert_eq!(token.len(), 64);
    let stored = std::fs::read(dir.path().join("d/platform.sqlite")).unwrap();
    assert!(!stored.windows(64).any(|w| w == token.as_bytes()), "only the hash is stored");

    let mut running =
        program(dir.path()).args(["run", "--config", "p.toml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let url = lines.next().unwrap().unwrap().strip_prefix("listening on ").unwrap().to_owned();
    assert!(lines.next().unwrap().unwrap().contains("one-time code"));
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let status = runtime.block_on(async {
        let get = reqwest::Client::new().get(format!("{url}/v1/sites")).bearer_auth(&token);
        get.send().await.unwrap().status()
    });
    assert_eq!(status, 200);
    assert!(Command::new("kill").args(["-TERM", &running.id().to_string()]).status().unwrap().success());
    assert!(running.wait().unwrap().success(), "SIGTERM ends it in order");
    let mut log = String::new();
    running.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(!log.contains(&token), "no token in the log");

    let doctor = program(dir.path()).args(["doctor", "--config", "p.toml"]).output().unwrap();
    assert!(doctor.status.success() && text(&doctor).contains("xingyuan"), "{}", text(&doctor));
}

#[test]
fn mistakes_are_named_with_their_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let run = |config: &str| {
        std::fs::write(dir.path().join("p.toml"), config).unwrap();
        let out = program(dir.path()).args(["doctor", "--config", "p.toml"]).output().unwrap();
        assert!(!out.status.success(), "{config}");
        text(&out)
    };
    let out = run("[[site]]\nid = \"a b\"\nname = \"\"\ntoken = \"secret-short\"\n");
    assert!(out.contains("not allowed") && out.contains("no name") && out.contains("too short"), "all together: {out}");
    assert!(!out.contains("secret-short"), "no secret in a message: {out}");
    assert!(run("listn = \"x\"").contains("listn"));
    assert!(run("database = \"mysql://x\"").contains("postgres://"));
    assert!(run("database = \"postgres://tuoan:hidden-word@127.0.0.1:1/x\"").contains("cannot open the database"));
    let out = program(dir.path()).args(["run", "--config", "absent.toml"]).output().unwrap();
    assert!(text(&out).contains("absent.toml"));
    let out = program(dir.path()).args(["site", "add", "a/b", "x"]).output().unwrap();
    assert!(!out.status.success() && text(&out).contains("not allowed"), "{}", text(&out));
}
