//! The program and its models: the built-in one on each backend, and what happens when something is wrong with it.
#![allow(clippy::unwrap_used)]
use std::path::{Path, PathBuf};
use std::process::Command;

fn tuoan(arguments: &[&str]) -> (bool, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_tuoan")).args(arguments).env("NO_COLOR", "1").output().unwrap();
    (out.status.success(), String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned())
}

/// ONNX Runtime's library; `test.sh` names the one that comes with its package for Python.
fn library() -> Option<PathBuf> {
    let library = std::env::var_os("TESTS_ONNXRUNTIME").map(PathBuf::from);
    if library.is_none() {
        eprintln!("skipped: TESTS_ONNXRUNTIME does not name ONNX Runtime's shared library");
    }
    library
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_built_in_model_gives_what_its_training_said_on_tract() {
    let (ok, says) = tuoan(&["model", "check", "--onnxruntime", "embedded"]);
    assert!(ok && says.contains("on tract") && says.contains("answers compared"), "{says}");
}

#[test]
fn and_on_onnx_runtime() {
    let Some(library) = library() else { return };
    let (ok, says) = tuoan(&["model", "check", "--onnxruntime", text(&library)]);
    assert!(ok && says.contains("on ONNX Runtime 1.") && says.contains("answers compared"), "{says}");
    // Hostile files give errors there, too.
    let dir = tempfile::tempdir().unwrap();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/room-climate");
    for name in ["model.onnx", "model.toml", "golden.json"] {
        std::fs::copy(built_in.join(name), dir.path().join(name)).unwrap();
    }
    let check = |dir: &Path| tuoan(&["model", "check", text(dir), "--onnxruntime", text(&library)]);
    assert!(check(dir.path()).0);
    let whole = std::fs::read(dir.path().join("model.onnx")).unwrap();
    std::fs::write(dir.path().join("model.onnx"), &whole[..whole.len() / 2]).unwrap();
    let (ok, says) = check(dir.path());
    assert!(!ok && says.contains("damaged or was exchanged"), "{says}");
}

#[test]
fn a_library_that_is_none_is_named_and_tract_takes_over() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = dir.path().join("libonnxruntime.so");
    std::fs::write(&nothing, "no library").unwrap();
    let (ok, says) = tuoan(&["model", "check", "--onnxruntime", text(&nothing)]);
    assert!(!ok && says.contains("not used: ") && says.contains(text(&nothing)) && says.contains("on tract"), "{says}");
}

#[test]
fn doctor_says_what_is_wrong_with_a_model_and_that_the_gateway_runs_without() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data/site.toml");
    std::fs::copy(demo, dir.path().join("site.toml")).unwrap();
    let config = dir.path().join("t.toml");
    let doctor = |model: &str| {
        let text_of = format!(
            "data = \"data\"\nsite = \"site.toml\"\n[web]\nlisten = \"127.0.0.1:0\"\n[broker]\nlisten = \"127.0.0.1:0\"\n[clock]\ntrust = \"always\"\n[runtime]\nonnxruntime = \"embedded\"\n{model}"
        );
        std::fs::write(&config, text_of).unwrap();
        tuoan(&["doctor", "--config", text(&config)]).1
    };
    assert!(doctor("").contains("rooms are estimated by room-climate/1"), "{}", doctor(""));
    let says = doctor("room_climate = \"nowhere\"\n");
    assert!(says.contains("BAD   model") && says.contains("nowhere"), "{says}");
    // A model that brings the parser down with its process (an output that no node gives) does not bring the gateway down.
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/room-climate");
    let mut bytes = std::fs::read(built_in.join("model.onnx")).unwrap();
    let at = bytes.windows(10).rposition(|w| w == b"by_channel").unwrap();
    bytes[at] = b'x';
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    std::fs::create_dir(dir.path().join("m")).unwrap();
    std::fs::write(dir.path().join("m/model.onnx"), &bytes).unwrap();
    std::fs::write(dir.path().join("m/model.toml"), format!("contract = \"room-climate/1\"\nsha256 = \"{hash}\"\nfeatures = 29\n"))
        .unwrap();
    std::fs::copy(built_in.join("golden.json"), dir.path().join("m/golden.json")).unwrap();
    let says = doctor("room_climate = \"m\"\n");
    assert!(says.contains("BAD   model") && says.contains("a process of its own and failed"), "{says}");
    // The built-in one from a folder is taken.
    for name in ["model.onnx", "model.toml"] {
        std::fs::copy(built_in.join(name), dir.path().join("m").join(name)).unwrap();
    }
    assert!(doctor("room_climate = \"m\"\n").contains("ok    model"), "{}", doctor("room_climate = \"m\"\n"));
    assert!(doctor("room_climate = \"off\"\n").contains("rooms are not estimated"));
}
