use super::*;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A folder with `in` and `out`.
fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in"), dir.path().join("out"));
    fs::create_dir(&input).unwrap();
    (dir, input, output)
}

fn problem(text: &str) -> String {
    let (_dir, input, output) = folders();
    write(&input, "a.csv", text);
    let e = run(&input, &output).unwrap_err().to_string();
    assert!(!output.join("a.csv").exists() && !output.join("a.csv.partial").exists(), "no half result");
    e
}

#[test]
fn paths_rows_and_values_are_kept() {
    let (_dir, input, output) = folders();
    write(&input, "x/y/a.csv", "\u{feff}timestamp,value\r\n2014-04-01 00:00:00,20.0\r\n\r\n2014-04-01 00:05:00,+2.50e1\r\n");
    write(&input, "b.CSV", "value,room,timestamp\n1,A,2014-04-01T00:00:00Z\n,A,2014-04-01T00:05:00Z\nNaN,A,2014-04-01T00:10Z\n");
    write(&input, "notes.txt", "no series");
    assert_eq!(run(&input, &output).unwrap(), Summary { series: 2, samples: 5, alarms: 0 });
    let read = |p: &str| fs::read_to_string(output.join(p)).unwrap();
    assert_eq!(read("x/y/a.csv"), "timestamp,value,anomaly_score\n2014-04-01 00:00:00,20.0,0\n2014-04-01 00:05:00,+2.50e1,0\n");
    assert_eq!(
        read("b.CSV"),
        "timestamp,value,anomaly_score\n2014-04-01T00:00:00Z,1,0\n2014-04-01T00:05:00Z,,0\n2014-04-01T00:10Z,NaN,0\n"
    );
    assert!(!output.join("notes.txt").exists());
}

#[test]
fn the_score_of_a_row_depends_on_the_rows_before_it_only() {
    let row = |i: u64| {
        format!(
            "2014-04-{:02} {:02}:{:02}:00,{}\n",
            1 + i / 288,
            i / 12 % 24,
            i % 12 * 5,
            (i * i % 97) as f64 / 10.0 + if i == 1900 { 500.0 } else { 0.0 }
        )
    };
    let text: String = std::iter::once("timestamp,value\n".to_owned()).chain((0..2500).map(row)).collect();
    let scored = |text: &str| {
        let mut out = Vec::new();
        score(text.as_bytes(), &mut out, Path::new("in"), Path::new("out")).unwrap();
        String::from_utf8(out).unwrap()
    };
    let whole = scored(&text);
    let half: String = text.lines().take(1200).map(|l| format!("{l}\n")).collect();
    assert!(whole.starts_with(&scored(&half)));
    let alarm: f64 = whole.lines().nth(1901).unwrap().rsplit(',').next().unwrap().parse().unwrap();
    assert!(alarm > 0.9, "{alarm}");
}

#[test]
fn errors_name_file_and_line() {
    assert!(problem("timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,warm\n").contains("a.csv, line 3: \"warm\" is no number"));
    assert!(problem("timestamp,value\nyesterday,1\n").contains("a.csv, line 2: \"yesterday\" is no time"));
    assert!(problem("time,temp\n1,2\n").contains("line 1: the first line must name the columns"));
    assert!(problem("timestamp,value\n2014-04-01 00:00:00\n").contains("line 2: 1 columns"));
    assert!(problem("").contains("line 1: the file is empty"));
    assert!(problem(&format!("timestamp,value\n{}\n", "x".repeat(5000))).contains("line 2: longer"));
    let (_dir, input, output) = folders();
    assert!(run(&input, &output).unwrap_err().to_string().contains("no CSV file"));
    assert!(matches!(run(&input, &input), Err(Error::SameFolder { .. })));
    assert!(run(&input.join("nowhere"), &output).unwrap_err().to_string().contains("nowhere"));
}

#[test]
fn a_faulty_file_does_not_keep_the_others_from_their_result() {
    let (_dir, input, output) = folders();
    write(&input, "bad.csv", "timestamp,value\n2014-04-01 00:00:00,warm\n");
    write(&input, "good.csv", "timestamp,value\n2014-04-01 00:00:00,1\n");
    assert!(matches!(run(&input, &output), Err(Error::Files(f)) if f.len() == 1));
    assert!(output.join("good.csv").exists() && !output.join("bad.csv").exists());
}

#[cfg(unix)]
#[test]
fn links_neither_loop_nor_lead_out() {
    use std::os::unix::fs::symlink;
    let (dir, input, output) = folders();
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    write(&elsewhere, "victim.csv", "untouched");
    write(&input, "sub/a.csv", "timestamp,value\n2014-04-01 00:00:00,1\n");
    write(&input, "a.csv", "timestamp,value\n2014-04-01 00:00:00,1\n");
    symlink(&input, input.join("loop")).unwrap();
    symlink("nowhere.csv", input.join("dangling.csv")).unwrap();
    fs::create_dir_all(&output).unwrap();
    symlink(&elsewhere, output.join("sub")).unwrap();
    symlink(elsewhere.join("victim.csv"), output.join("a.csv")).unwrap();
    let e = run(&input, &output).unwrap_err();
    assert!(matches!(&e, Error::Files(f) if matches!(f[..], [Error::Outside { .. }])), "{e}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(elsewhere.join("victim.csv")).unwrap(), "untouched");
    assert!(fs::read_to_string(output.join("a.csv")).unwrap().starts_with("timestamp,value,anomaly_score"));
}

#[test]
fn results_below_the_input_are_not_read_again() {
    let (_dir, input, _) = folders();
    write(&input, "a.csv", "timestamp,value\n2014-04-01 00:00:00,1\n");
    let output = input.join("scored");
    for _ in 0..2 {
        assert_eq!(run(&input, &output).unwrap().series, 1);
    }
}

#[test]
fn forms_of_time() {
    for (text, ms) in [
        ("1970-01-01 00:00:00", 0),
        ("1970-01-01T00:00:01.5Z", 1_500),
        ("2014-04-01 00:00:00", 1_396_310_400_000),
        ("2014-04-01T08:00:00+08:00", 1_396_310_400_000),
        ("2014-03-31T19:00:00.000000-0500", 1_396_310_400_000),
        ("2014-04-01 00:00", 1_396_310_400_000),
        ("2014-04-01t00:00:00z", 1_396_310_400_000),
        ("0000-03-01 00:00:00", -62_162_035_200_000),
    ] {
        assert_eq!(timestamp(text), Some(ms), "{text}");
    }
    for text in [
        "",
        "2014-04-01",
        "2014-13-01 00:00:00",
        "2014-02-30 00:00:00",
        "2014-04-01 25:00:00",
        "2014-04-01 00:61:00",
        "x",
        "2014-04-01 00:00:0é",
        "2014-04-01 00:00:00+é1",
    ] {
        assert_eq!(timestamp(text), None, "{text}");
    }
}
