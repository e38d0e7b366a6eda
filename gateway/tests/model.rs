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

/// A folder below `models/` of the repository.
fn built_in(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name)
}

const MODELS: [&str; 4] = ["room-climate/1 ", "person-pose/1 ", "objects/1 ", "faces/1 "];

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_built_in_models_give_what_python_said_on_tract() {
    let (ok, says) = tuoan(&["model", "check", "--onnxruntime", "embedded"]);
    assert!(ok, "{says}");
    for model in MODELS {
        assert!(says.lines().any(|l| l.starts_with(model) && l.contains("on tract") && l.contains("answers compared")), "{model}: {says}");
    }
}

#[test]
fn and_on_onnx_runtime() {
    let Some(library) = library() else { return };
    let (ok, says) = tuoan(&["model", "check", "--onnxruntime", text(&library)]);
    assert!(ok, "{says}");
    for model in MODELS {
        assert!(says.lines().any(|l| l.starts_with(model) && l.contains("on ONNX Runtime 1.")), "{model}: {says}");
    }
    // Hostile files give errors there, too.
    let dir = tempfile::tempdir().unwrap();
    let built_in = built_in("room-climate");
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
    let (ok, says) = tuoan(&["model", "check", text(&built_in("room-climate")), "--onnxruntime", text(&nothing)]);
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
    let built_in = built_in("room-climate");
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

#[test]
fn a_site_s_own_model_of_the_eyes_is_tried_before_it_is_used() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["model.onnx", "model.toml", "golden.json", "golden-0.png"] {
        std::fs::copy(built_in("faces").join(file), dir.path().join(file)).unwrap();
    }
    let check = || tuoan(&["model", "check", text(dir.path()), "--onnxruntime", "embedded"]);
    let (ok, says) = check();
    assert!(ok && says.contains("faces/1") && says.contains("2 pictures seen"), "{says}");
    // Other weights, with a manifest that fits: the answers are not those that the folder promises.
    let mut bytes = std::fs::read(dir.path().join("model.onnx")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0);
    let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    let manifest = std::fs::read_to_string(dir.path().join("model.toml")).unwrap();
    let said = manifest.split('"').nth(3).unwrap().to_owned();
    let golden = std::fs::read_to_string(dir.path().join("golden.json")).unwrap();
    std::fs::write(dir.path().join("model.onnx"), &bytes).unwrap();
    let (ok, says) = check();
    assert!(!ok && says.contains("damaged or was exchanged"), "{says}");
    std::fs::write(dir.path().join("model.toml"), manifest.replace(&said, &hash)).unwrap();
    let (ok, says) = check();
    assert!(!ok && says.contains("golden.json is of the model"), "{says}");
    std::fs::write(dir.path().join("golden.json"), golden.replace(&said, &hash)).unwrap();
    let (ok, says) = check();
    assert!(!ok && says.contains("golden.json says"), "{says}");
    std::fs::write(dir.path().join("model.toml"), "contract = \"gender/1\"\nsha256 = \"\"\n").unwrap();
    let (ok, says) = check();
    assert!(!ok && says.contains("\"gender/1\"") && says.contains("person-pose/1"), "{says}");
}

#[test]
fn the_runtime_is_reported_with_the_time_of_each_model() {
    let report = |more: &[&str]| {
        let arguments = [&["runtime", "--passes", "1", "--json"], more].concat();
        let out = Command::new(env!("CARGO_BIN_EXE_tuoan")).args(arguments).output().unwrap();
        (out.status.success(), serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap())
    };
    let (ok, tract) = report(&["--onnxruntime", "embedded"]);
    assert!(ok && tract["backend"] == "tract" && tract["library"].is_null(), "{tract}");
    assert!(tract["faster"].as_str().unwrap().contains("libonnxruntime.so"), "{tract}");
    let sizes: Vec<_> = tract["models"].as_array().unwrap().iter().map(|m| m["size"].clone()).collect();
    let wanted = serde_json::json!([null, [320, 192], [512, 288], [416, 416], [256, 256]]);
    assert_eq!(serde_json::Value::from(sizes), wanted);
    assert!(tract["models"].as_array().unwrap().iter().all(|m| m["pass_ms"].as_f64().unwrap() > 0.0), "{tract}");
    let Some(library) = library() else { return };
    let (ok, onnx) = report(&["--onnxruntime", text(&library)]);
    assert!(ok && onnx["backend"] == "onnxruntime" && onnx["library"] == text(&library) && onnx["faster"].is_null(), "{onnx}");
    // What is no library is named, and is a failure, since it was asked for.
    let (ok, other) = report(&["--onnxruntime", "/nowhere/libonnxruntime.so"]);
    assert!(!ok && other["backend"] == "tract" && other["passed_over"][0].as_str().unwrap().contains("/nowhere/"), "{other}");
}
