//! `docs/hazards.md` is made from the packs and from this list, and is compared with them: a hazard, a rule or a test that is missing is found out.
//!
//! `WRITE_DOCS=1 cargo test -p tuoan --lib hazards_are_documented` writes it anew.
use crate::engine::rules::{self, Catalogue, parse::parse};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

enum By {
    /// The rules of the packs, with their own cases; and these scenarios (file under `engine/tests/`, test).
    Rules(&'static [(&'static str, &'static str)]),
    /// Not the engine: who, and the test (path from the root, test).
    Other(&'static str, &'static str, &'static str),
}
use By::{Other, Rules};

/// Every row of the hazard catalogue.
const CATALOGUE: &[(&str, &str, By)] = &[
    (
        "fire.smoke",
        "烟雾/火灾",
        Rules(&[
            ("incidents", "the_most_urgent_finding_counts_and_changes_are_told"),
            ("hazards", "another_sign_of_fire_confirms_and_is_never_waited_for"),
            ("scenarios", "smoke_sounds_every_siren_until_someone_takes_note"),
        ]),
    ),
    (
        "gas.leak",
        "燃气泄漏",
        Rules(&[
            ("scenarios", "in_a_zone_with_gas_nothing_is_switched_but_the_valve"),
            ("hazards", "a_gas_meter_that_only_counts_shows_its_flow"),
        ]),
    ),
    ("co.high", "一氧化碳", Rules(&[])),
    ("panic.button", "一键报警", Rules(&[("incidents", "the_alarm_button_is_debounced_and_cancelled_with_a_reason")])),
    (
        "exit.child_unattended",
        "婴幼儿单独出门",
        Rules(&[
            ("hazards", "an_exit_is_watched_only_by_a_live_sensor_that_can_see_adults"),
            ("hazards", "a_restart_between_the_opening_and_the_five_seconds_loses_nothing"),
            ("hazards", "the_flood_at_collection_raises_nothing"),
            ("cameras", "a_covered_camera_sees_neither_somebody_nor_nobody"),
        ]),
    ),
    ("door.held_open", "门长时间未关", Rules(&[("scenarios", "a_restart_in_the_middle_of_a_hold_does_not_begin_it_anew")])),
    (
        "door.after_hours",
        "非工作时间开门",
        Rules(&[("scenarios", "an_untrusted_clock_at_night_counts_as_care_hours"), ("scenarios", "a_flapping_contact_is_one_incident")]),
    ),
    ("window.open_upper", "二层及以上窗户开启过大", Rules(&[("scenarios", "a_window_upstairs_is_judged_by_who_is_in_the_room")])),
    (
        "room.unattended",
        "儿童无人看护",
        Rules(&[
            ("cameras", "every_zone_that_a_camera_shows_has_a_device_of_its_own"),
            ("cameras", "a_covered_camera_sees_neither_somebody_nor_nobody"),
            ("cameras", "an_untrusted_clock_counts_as_care_hours"),
        ]),
    ),
    ("ratio.low", "保育人员配比不足", Rules(&[])),
    ("nap.prone", "俯卧/蒙头睡眠", Rules(&[("cameras", "prone_is_judged_where_infants_are")])),
    ("child.fall", "跌倒后未起", Rules(&[("cameras", "what_was_found_stands_until_somebody_looks_again")])),
    ("child.climb", "攀爬危险区域", Rules(&[])),
    ("zone.intrusion", "进入禁入区", Rules(&[])),
    ("stranger.after_hours", "非工作时间有人", Rules(&[])),
    (
        "left.behind",
        "闭园后遗留儿童",
        Rules(&[
            ("scenarios", "a_pir_raises_left_behind_and_never_clears_it"),
            ("scenarios", "a_radar_that_sees_nobody_clears_what_it_raised"),
            ("scenarios", "what_is_only_inferred_never_sounds_the_siren"),
            ("hazards", "the_estimate_may_raise_left_behind_and_never_clears_it"),
        ]),
    ),
    ("water.hot", "热水过热", Rules(&[])),
    ("water.leak", "漏水/积水", Rules(&[])),
    ("air.co2", "二氧化碳超标", Rules(&[("hazards", "severity_rises_and_falls_within_one_incident")])),
    ("air.pm25", "PM2.5超标", Rules(&[])),
    ("air.pm10", "PM10超标", Rules(&[])),
    ("air.hcho", "甲醛超标", Rules(&[])),
    ("air.tvoc", "挥发性有机物超标", Rules(&[])),
    ("climate.temp", "温度越限", Rules(&[])),
    ("climate.rh", "湿度越限", Rules(&[])),
    ("noise.high", "噪声过大/持续哭闹", Rules(&[])),
    ("uv.unsafe", "紫外线灯误开", Rules(&[])),
    ("uv.missing", "消毒未完成", Rules(&[])),
    ("fridge.temp", "留样/食品冰箱温度异常", Rules(&[])),
    ("power.after_close", "闭园未断电", Rules(&[])),
    ("ebike.in_escape", "电动车进楼/堵塞通道", Rules(&[])),
    ("crowding", "人员过密", Rules(&[])),
    (
        "health.fever",
        "晨检发热",
        Rules(&[("hazards", "a_fever_by_hand_carries_no_child_out_of_the_house"), ("hazards", "a_bad_entry_is_refused_with_its_reason")]),
    ),
    ("health.cluster", "聚集性症状", Rules(&[("hazards", "three_alike_are_a_cluster_across_a_restart")])),
    ("exit.blocked", "安全出口锁闭/堵塞", Rules(&[])),
    ("power.lost", "市电中断", Rules(&[])),
    ("recorder.gap", "录像中断", Rules(&[])),
    ("detector.untested", "报警器未测试", Rules(&[])),
    ("concern.report", "疑似伤害/虐待报告", Rules(&[("scenarios", "nor_does_a_report_of_concern")])),
    (
        "camera.blind",
        "摄像头失明",
        Rules(&[
            ("cameras", "kinds_of_blindness_gather_at_their_camera"),
            ("cameras", "what_the_eyes_do_not_repeat_is_not_believed_and_is_no_incident_of_theirs"),
            ("cameras", "an_untrusted_clock_counts_as_care_hours"),
        ]),
    ),
    (
        "coverage.gap",
        "监测中断",
        Rules(&[
            ("coverage", "one_happening_is_one_incident_and_the_gap_raises_it"),
            ("coverage", "the_time_that_the_gateway_was_off_is_blind_and_one_incident_for_the_whole_house"),
        ]),
    ),
    ("sensor.silent", "传感器失联/电量低/数据卡死", Rules(&[("scenarios", "silence_across_our_own_downtime_proves_nothing")])),
    ("gateway.silent", "网关失联", Other("the district's server", "platform/tests/suite/pages.rs", "a_silent_site_is_never_shown_as_safe")),
    ("env.anomaly", "环境异常", Rules(&[])),
    ("chain.broken", "报警链路不通", Rules(&[("life", "the_canary_is_an_event_of_the_log_and_no_incident")])),
    ("chain.late", "平台未确认报警", Rules(&[])),
];

const HEAD: &str = "# Hazards and what finds them

Every row of the hazard catalogue, the rules that decide (in `gateway/rules/`: pack, severity, kind and number of their own test cases, which
`tuoan rules check` runs) and the scenarios beyond those cases (`gateway/src/engine/tests/`). This table is compared with the packs and the tests by
`cargo test -p tuoan --lib hazards_are_documented`, which names what is missing and says how to write it anew.

| hazard | 名称 | decided by | scenarios |
|---|---|---|---|
";

fn table() -> String {
    let mut by_hazard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, text) in rules::builtin() {
        let pack = parse(text).unwrap();
        for (index, (rule, _)) in pack.rules.iter().enumerate() {
            let cases = pack.cases_of(index);
            let kind = format!("{:?}", rule.kind).to_lowercase();
            let line = format!("`{}` ({name}, {}, {kind}, {cases})", rule.id, u8::from(rule.severity));
            by_hazard.entry(rule.hazard.to_string()).or_default().push(line);
        }
    }
    let mut out = HEAD.to_owned();
    for (hazard, name, by) in CATALOGUE {
        let rules = by_hazard.remove(*hazard).unwrap_or_default().join("<br>");
        let (decided, scenarios) = match by {
            Rules(list) => (rules, list.iter().map(|(file, test)| format!("`{file}::{test}`")).collect::<Vec<_>>().join("<br>")),
            Other(who, file, test) => ((*who).to_owned(), format!("`{file}`: `{test}`")),
        };
        writeln!(out, "| {hazard} | {name} | {decided} | {scenarios} |").unwrap();
    }
    assert!(by_hazard.is_empty(), "rules of hazards that are not in the catalogue: {by_hazard:?}");
    out
}

#[test]
fn hazards_are_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let catalogue = Catalogue::builtin();
    for (hazard, _, by) in CATALOGUE {
        let ruled = catalogue.iter().any(|e| e.hazard.as_str() == *hazard);
        let has = |file: &Path, test: &str| std::fs::read_to_string(file).unwrap().contains(&format!("fn {test}("));
        match by {
            Rules(list) => {
                assert!(ruled, "{hazard} has no rule");
                for (file, test) in *list {
                    let path = root.join(format!("gateway/src/engine/tests/{file}.rs"));
                    assert!(has(&path, test), "{hazard}: there is no test {test} in {}", path.display());
                }
            }
            Other(_, file, test) => assert!(has(&root.join(file), test), "{hazard}: there is no test {test} in {file}"),
        }
    }
    let (path, wanted) = (root.join("docs/hazards.md"), table());
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let is = std::fs::read_to_string(&path).unwrap_or_default();
    let missing: Vec<&str> = wanted.lines().filter(|l| !is.lines().any(|i| i == *l)).collect();
    assert!(is == wanted, "docs/hazards.md is not up to date; WRITE_DOCS=1 writes it anew. It lacks:\n{}", missing.join("\n"));
}

/// A rule must be seen to raise, and to leave alone what it should.
#[test]
fn every_rule_is_tested_both_ways() {
    for (name, text) in rules::builtin() {
        let pack = parse(text).unwrap();
        for (index, (rule, _)) in pack.rules.iter().enumerate() {
            let steps = pack.steps_of(index);
            // That the gateway was away is told when it is over.
            let told = |s: &&str| {
                s.contains("expect opened") || rule.roles.contains(&crate::engine::site::Role::Gateway) && s.contains("expect returned")
            };
            assert!(steps.iter().any(told), "{name}: {} is never seen to raise", rule.id);
            let quiet = steps.iter().any(|s| s.ends_with("expect none") || s.ends_with("expect returned"));
            assert!(quiet, "{name}: {} is never seen to be quiet", rule.id);
        }
    }
}
