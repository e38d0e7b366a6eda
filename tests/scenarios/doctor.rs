//! `tuoan doctor` against real servers: silent about what is right, exact about what is wrong.
use tuoan_tests::harness::gateway::{Gateway, Setup, configure};
use tuoan_tests::harness::platform::Platform;
use tuoan_tests::harness::{free_port, tuoan};

#[test]
fn a_right_set_up_is_well_before_the_start_and_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let platform = Platform::start(dir.path(), None);
    let setup = Setup { platform: Some((platform.url(), platform.token.clone())), ..Setup::default() };
    configure(dir.path(), &setup);
    let file = dir.path().join("tuoan.toml");
    let before = tuoan(&["doctor", "--config", file.to_str().unwrap()]);
    assert_eq!(before.code, Some(0), "{before:?}");
    assert!(!before.out.contains("BAD"), "{}", before.out);
    assert!(!dir.path().join("data").exists(), "the doctor looks and changes nothing");

    let _gateway = Gateway::start(dir.path(), &setup);
    let during = tuoan(&["doctor", "--config", file.to_str().unwrap()]);
    assert_eq!(during.code, Some(0), "{during:?}");
    assert!(during.out.contains("a gateway is running"), "{}", during.out);
}

#[test]
fn servers_that_do_not_answer_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (broker, platform) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{platform}");
    configure(dir.path(), &Setup { outside_broker: Some(broker), platform: Some((url.clone(), "t".into())), ..Setup::default() });
    let o = tuoan(&["doctor", "--config", dir.path().join("tuoan.toml").to_str().unwrap()]);
    assert_eq!(o.code, Some(1), "{o:?}");
    let bad: Vec<&str> = o.out.lines().filter(|l| l.starts_with("BAD")).collect();
    assert!(bad.len() == 2, "{}", o.out);
    assert!(bad.iter().any(|l| l.contains(&format!("127.0.0.1:{broker}"))) && bad.iter().any(|l| l.contains(&url)), "{}", o.out);
}

#[test]
fn every_mistake_is_named_with_its_line_at_once() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path(), &Setup::default());
    let file = dir.path().join("tuoan.toml");
    let wrong = "\
data = \"data\"
site = \"site.toml\"
rules = [\"no-such-pack.toml\"]
colour = \"red\"
[web]
listen = \"everywhere\"
[broker]
listen = \"127.0.0.1:0\"
[[broker.user]]
name = \"a\"
password_sha256 = \"short\"
[platform]
url = \"ftp://district\"
token_file = \"no-such-token\"
[store]
wear_mode = \"yes\"
[[mapping]]
name = \"kit\"
topic = \"kit/{device}\"
device = \"{device}\"
readings = [{ pointer = \"/t\", quantity = \"temperature\", unit = \"parsec\" }]
";
    std::fs::write(&file, wrong).unwrap();
    let o = tuoan(&["doctor", "--config", file.to_str().unwrap()]);
    assert_eq!(o.code, Some(1), "{o:?}");
    let line = |n: usize| format!("tuoan.toml:{n}:");
    for (place, says) in [
        (String::new(), "no-such-pack.toml"),
        (line(4), "colour"),
        (line(6), "web.listen"),
        (line(11), "password_sha256"),
        (line(13), "platform.url"),
        (line(14), "no-such-token"),
        (line(16), "store.wear_mode"),
        (line(17), "parsec"),
    ] {
        let named = o.out.lines().any(|l| l.starts_with("BAD") && l.contains(&place) && l.contains(says));
        assert!(named, "no finding names {says} at {place}\n{}", o.out);
    }
    // The daemon refuses the same file with the same list, and starts nothing.
    let run = tuoan(&["run", "--config", file.to_str().unwrap()]);
    assert!(run.code == Some(1) && run.err.contains("problem(s)") && !dir.path().join("data").exists(), "{run:?}");
}
