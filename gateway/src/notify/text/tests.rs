use super::*;
use crate::notify::message::tests::{AT, alert};
use crate::notify::message::{Change, Links};
use tuoan_protocol::{Basis, Severity};

const MAX: usize = 16_000;

#[test]
fn an_alert_in_chinese() {
    let m = alert();
    assert_eq!(title(&m, Lang::Zh), "【严重】二氧化碳过高 · 活动室");
    assert_eq!(
        long(&m, Lang::Zh, MAX),
        "【严重】二氧化碳过高 · 活动室\n\
         地点：星原托育 活动室\n\
         依据：已确认\n\
         读数：CO2 2105 ppm\n\
         开始：2026-03-02 10:04（第 4 次）\n\
         请做：立即开窗通风。孩子先到隔壁房间。\n\
         通知：当班保育员\n\
         我看到了：http://10.0.0.5:8080/s/1\n\
         我来处理：http://10.0.0.5:8080/t/1\n\
         查看详情：http://10.0.0.5:8080/i/1\n\
         编号：CDEFGH，10:06:15 发出"
    );
    assert_eq!(short(&m, Lang::Zh, 70), "【严重】活动室二氧化碳过高（已确认），10:04起。立即开窗通风。孩子先到隔壁房间。编号CDEFGH");
    assert_eq!(speech(&m, Lang::Zh), "严重警情。星原托育，活动室，二氧化碳过高，已确认。10点04分开始。立即开窗通风。孩子先到隔壁房间。");
}

#[test]
fn an_alert_in_english() {
    let m = alert();
    assert_eq!(
        long(&m, Lang::En, MAX),
        "[Serious] Too much carbon dioxide · 活动室\n\
         Where: 星原托育 活动室\n\
         Basis: Confirmed\n\
         Reading: CO2 2105 ppm\n\
         Since: 2026-03-02 10:04 (activation 4)\n\
         Do: Open the windows now. Take the children next door.\n\
         Told: the carer on duty\n\
         I have seen it: http://10.0.0.5:8080/s/1\n\
         I take it: http://10.0.0.5:8080/t/1\n\
         Details: http://10.0.0.5:8080/i/1\n\
         Number: CDEFGH, sent 10:06:15"
    );
    assert_eq!(
        short(&m, Lang::En, 160),
        "[Serious] 活动室: Too much carbon dioxide (Confirmed), since 10:04. Open the windows now. Take the children next door. \
         http://10.0.0.5:8080/i/1 No. CDEFGH"
    );
    assert_eq!(
        speech(&m, Lang::En),
        "Serious. 星原托育, 活动室: Too much carbon dioxide, Confirmed. Since 10:04. Open the windows now. Take the children next door."
    );
}

#[test]
fn a_test_of_commissioning_is_marked_and_says_what_to_do_if_it_is_none() {
    let m = Message { test: true, severity: Severity::Emergency, ..alert() };
    for lang in Lang::ALL {
        assert_ne!(marks(&m, lang), marks(&alert(), lang));
    }
    assert!(marks(&m, Lang::Zh).starts_with("【调试】"));
    assert!(speech(&m, Lang::En).starts_with("This is a test of a device") && speech(&m, Lang::En).contains("act. Emergency"));
}

#[test]
fn a_repeated_drill_of_a_guess_says_so_everywhere() {
    let m = Message { drill: true, repeat: true, basis: Basis::Inferred, severity: Severity::Emergency, ..alert() };
    assert_eq!(title(&m, Lang::Zh), "【演练】（重复）【紧急】二氧化碳过高 · 活动室");
    assert_eq!(title(&m, Lang::En), "[DRILL] (repeat) [Emergency] Too much carbon dioxide · 活动室");
    for text in [long(&m, Lang::Zh, MAX), short(&m, Lang::Zh, 70), markdown(&m, Lang::Zh, MAX, "\n"), html(&m, Lang::Zh)] {
        assert!(text.contains("【演练】") && text.contains("推测") && text.contains("CDEFGH"), "{text}");
    }
    assert!(speech(&m, Lang::Zh).starts_with("这是演练。紧急警情。"));
    assert!(speech(&m, Lang::En).starts_with("This is a drill. Emergency. "));
}

#[test]
fn what_became_of_it() {
    let of = |change| Message { kind: Kind::Update(change), ..alert() };
    assert_eq!(short(&of(Change::Returned), Lang::Zh, 40), "【已恢复】活动室二氧化碳过高，10:06。编号CDEFGH");
    assert_eq!(title(&of(Change::Taken), Lang::Zh), "【已接手】二氧化碳过高 · 活动室");
    assert_eq!(title(&of(Change::Resolved), Lang::En), "[Resolved] Too much carbon dioxide · 活动室");
    assert!(!long(&of(Change::Returned), Lang::Zh, MAX).contains("请做"));
}

#[test]
fn a_digest_names_each_and_says_how_many_do_not_fit() {
    let lines: Vec<String> = (1..=40).map(|i| format!("【严重】活动室 {i} 二氧化碳过高 #A{i:04}")).collect();
    let m = Message { kind: Kind::Digest, place: String::new(), lines: lines[..2].to_vec(), ..alert() };
    assert_eq!(
        long(&Message { links: Links::default(), ..m.clone() }, Lang::Zh, MAX),
        "【汇总·严重】2 条警情\n地点：星原托育\n· 【严重】活动室 1 二氧化碳过高 #A0001\n· 【严重】活动室 2 二氧化碳过高 #A0002\n编号：CDEFGH，10:06:15 发出"
    );
    // As many as the cap gathers fit into what the smallest receiver takes.
    let most = Message { lines: lines[..crate::notify::cap::DIGEST_MAX].to_vec(), ..m.clone() };
    assert!(!long(&most, Lang::Zh, 2048).contains("另有"));
    let more = long(&Message { lines, ..m }, Lang::Zh, 2048);
    assert!(more.len() <= 2048 && more.contains("条，请打开页面查看。\n") && more.ends_with("发出"), "{more}");
}

#[test]
fn a_test_and_a_report() {
    let m = Message::test("test-00ab12cd".into(), "星原托育", 480, AT, None);
    assert_eq!(
        long(&m, Lang::Zh, MAX),
        "【测试】通知测试\n地点：星原托育\n请做：这是测试消息，不需要任何操作。\n编号：AB12CD，10:06:15 发出"
    );
    assert_eq!(short(&m, Lang::Zh, 70), "【测试】通知测试，10:06。编号AB12CD");
    let report =
        Message {
            kind: Kind::Report, note: Some("第一行\n\n第二行".into()), place: String::new(), links: Links::default(), ..alert()
        };
    assert_eq!(long(&report, Lang::Zh, MAX), "【报告】二氧化碳过高\n地点：星原托育\n第一行\n第二行\n编号：CDEFGH，10:06:15 发出");
}

#[test]
fn no_two_tellings_are_the_same_text() {
    let (one, other) = (alert(), Message { at: AT + 1000, ..alert() });
    assert_ne!(long(&one, Lang::Zh, MAX), long(&other, Lang::Zh, MAX));
    assert_ne!(markdown(&one, Lang::Zh, MAX, "\n"), markdown(&other, Lang::Zh, MAX, "\n"));
}

#[test]
fn a_short_message_keeps_its_number_whatever_is_cut() {
    let mut m = alert();
    m.place = "很长的地名".repeat(20);
    for max in [20, 40, 70] {
        let text = short(&m, Lang::Zh, max);
        assert!(text.chars().count() <= max && text.starts_with("【严重】") && text.ends_with("编号CDEFGH"), "{text}");
    }
    m.place = "活动室".into();
    m.advice.zh = "立即开窗通风，把孩子带到隔壁房间，并且通知保健医生到场查看每一个孩子的情况。随后记录。".into();
    assert!(short(&m, Lang::Zh, 60).contains("…编号CDEFGH"));
    assert_eq!(sentences("先开窗。再带孩子离开。", 8), "先开窗。");
    assert_eq!(sentences("It is 27.5 °C here now", 10), "It is 27.…");
    assert_eq!(sentences("先。再带孩子离开这里", 8), "先。再带孩子离…");
}

#[test]
fn texts_of_others_are_shown_and_not_obeyed() {
    let mut m = alert();
    m.note = Some("x](http://evil) <@all> **b**\r\n# c".into());
    m.title.zh = "\u{202e}<font color=red>".into();
    let text = markdown(&m, Lang::Zh, MAX, "\n");
    for bad in ["](http://evil", "<@", "<font", "\n#", "\u{202e}", "\r"] {
        assert!(!text.contains(bad), "{bad:?} in {text}");
    }
    assert!(!html(&m, Lang::Zh).contains("<font"));
}

#[test]
fn a_day_before_is_said_with_its_date() {
    let m = Message { since: AT - 86_400_000, ..alert() };
    assert!(short(&m, Lang::Zh, 70).contains("03-01 10:06起"));
}
