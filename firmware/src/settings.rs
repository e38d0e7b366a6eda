//! How the node measures: set from afar, validated as a whole, kept in the flash. What is taken holds from the next start, which follows at once.
use crate::flash::StoreError;
use crate::flash::keep::{Keep, Key, LONGEST};
use crate::sampler::{Plan, Rule};
use core::fmt::Write;
use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;
use tuoan_protocol::{DeviceSettings, Fixed, QuantityRule, Wire};

/// Metres above the sea.
pub const ALTITUDE_MAX_M: u16 = 5_000;
/// Seconds between two looks.
pub const LOOK_S: core::ops::RangeInclusive<u32> = 1..=3_600;
/// Seconds between two reports.
pub const REPORT_S: core::ops::RangeInclusive<u32> = 10..=3_600;
pub const OVERSAMPLE: core::ops::RangeInclusive<u8> = 1..=64;

/// The field that is wrong, as `rules.co2.report_s`.
pub type Wrong = String<48>;

/// Whether all of it can be done.
///
/// # Errors
/// The first field that is wrong.
pub fn check(settings: &DeviceSettings) -> Result<(), Wrong> {
    if settings.altitude_m.is_some_and(|m| m > ALTITUDE_MAX_M) {
        return Err(wrong("altitude_m", "", ""));
    }
    for (i, rule) in settings.rules.iter().enumerate() {
        let field = |name: &str| wrong("rules.", rule.quantity.name(), name);
        if settings.rules.iter().take(i).any(|other| other.quantity == rule.quantity) {
            return Err(field(""));
        }
        let outside = [
            (".look_s", rule.look_s.is_some_and(|s| !LOOK_S.contains(&s))),
            (".report_s", rule.report_s.is_some_and(|s| !REPORT_S.contains(&s))),
            (".oversample", rule.oversample.is_some_and(|n| !OVERSAMPLE.contains(&n))),
            (".report_s", !reports_hold(rule)),
            (".step", rule.step.is_some_and(|v| v <= Fixed(0) || rule.quantity.is_state())),
            (".low", rule.low.is_some() && rule.quantity.is_state()),
            (".high", rule.high.is_some() && rule.quantity.is_state()),
            (".low", rule.low.zip(rule.high).is_some_and(|(low, high)| low >= high)),
        ];
        if let Some((name, _)) = outside.iter().find(|(_, bad)| *bad) {
            return Err(field(name));
        }
    }
    Ok(())
}

/// A report must have a value of its own: as many looks as make one lie between two reports.
fn reports_hold(rule: &QuantityRule) -> bool {
    let (Some(look), Some(report)) = (rule.look_s, rule.report_s) else { return true };
    look.saturating_mul(u32::from(rule.oversample.unwrap_or(1))) <= report
}

fn wrong(a: &str, b: &str, c: &str) -> Wrong {
    let mut text = Wrong::new();
    // What does not fit is left out: the front tells most.
    let _ = [a, b, c].iter().flat_map(|t| t.chars()).try_for_each(|ch| text.write_char(ch));
    text
}

/// Checks and keeps them; false when they are those that hold already.
///
/// # Errors
/// The field that is wrong; `rules` when they are too many for the flash, `flash` when it failed. What held before holds on.
pub async fn take<F: NorFlash>(keep: &mut Keep<F>, settings: &DeviceSettings) -> Result<bool, Wrong> {
    check(settings)?;
    let mut bytes = [0; LONGEST];
    let n = settings.to_cbor(&mut bytes).map_err(|_| wrong("rules", "", ""))?;
    let bytes = bytes.get(..n).unwrap_or_default();
    let flash = |e: StoreError| wrong(if e == StoreError::TooLong { "rules" } else { "flash" }, "", "");
    if keep.get(Key::Settings).await.map_err(flash)? == Some(bytes) {
        return Ok(false);
    }
    keep.put(Key::Settings, bytes).await.map_err(flash)?;
    Ok(true)
}

/// What is kept; `None`: the defaults hold.
///
/// # Errors
/// The flash failed.
pub async fn load<F: NorFlash>(keep: &mut Keep<F>) -> Result<Option<DeviceSettings>, StoreError> {
    let settings = keep.get(Key::Settings).await?.and_then(|bytes| DeviceSettings::from_cbor(bytes).ok());
    Ok(settings.filter(|s| check(s).is_ok()))
}

/// A sensor's plan with what the settings say of its quantities, which are those that `base` has a rule for.
pub fn plan(settings: &DeviceSettings, base: &Plan) -> Plan {
    let mut plan = base.clone();
    let ms = |s: u32| s.saturating_mul(1000);
    for (i, rule) in settings.rules.iter().filter(|r| base.rules.iter().any(|b| b.quantity == r.quantity)).enumerate() {
        // One sensor is looked at for all its quantities: the one that asks most counts.
        let sooner = |now: u32, s: Option<u32>| s.map_or(now, |s| if i == 0 { ms(s) } else { now.min(ms(s)) });
        (plan.look_ms, plan.report_ms) = (sooner(plan.look_ms, rule.look_s), sooner(plan.report_ms, rule.report_s));
        plan.oversample = rule.oversample.map_or(plan.oversample, |n| if i == 0 { n } else { n.max(plan.oversample) });
        for own in plan.rules.iter_mut().filter(|own| own.quantity == rule.quantity) {
            let Rule { step, low, high, .. } = own;
            (*step, *low, *high) = (rule.step.or(*step), rule.low.or(*low), rule.high.or(*high));
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flash::sim::{Chip, PAGE, TEARS, run};
    use tuoan_protocol::{DeviceId, Quantity, SiteId};

    fn rule(quantity: Quantity) -> QuantityRule {
        QuantityRule { quantity, look_s: None, report_s: None, oversample: None, step: None, low: None, high: None }
    }
    fn settings(rules: &[QuantityRule]) -> DeviceSettings {
        DeviceSettings {
            site: SiteId::new("s").unwrap(),
            device: DeviceId::new("d").unwrap(),
            id: 1,
            altitude_m: Some(120),
            self_calibration: None,
            local_alarm: None,
            rules: heapless::Vec::from_slice(rules).unwrap(),
        }
    }
    fn refused(change: impl FnOnce(&mut QuantityRule)) -> std::string::String {
        let mut one = rule(Quantity::Co2);
        change(&mut one);
        check(&settings(&[one])).map_or_else(|w| w.as_str().to_owned(), |()| "taken".to_owned())
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        assert_eq!(refused(|_| {}), "taken");
        assert_eq!(refused(|r| r.look_s = Some(0)), "rules.co2.look_s");
        assert_eq!(refused(|r| r.report_s = Some(9)), "rules.co2.report_s");
        assert_eq!(refused(|r| r.oversample = Some(65)), "rules.co2.oversample");
        assert_eq!(refused(|r| (r.look_s, r.report_s, r.oversample) = (Some(30), Some(60), Some(3))), "rules.co2.report_s");
        assert_eq!(refused(|r| r.step = Some(Fixed(0))), "rules.co2.step");
        assert_eq!(refused(|r| (r.low, r.high) = (Some(Fixed(5)), Some(Fixed(5)))), "rules.co2.low");
        assert_eq!(refused(|r| (r.quantity, r.high) = (Quantity::Smoke, Some(Fixed(1)))), "rules.smoke.high");
        assert_eq!(check(&settings(&[rule(Quantity::Co2), rule(Quantity::Co2)])).unwrap_err(), "rules.co2");
        let high = DeviceSettings { altitude_m: Some(5001), ..settings(&[]) };
        assert_eq!(check(&high).unwrap_err(), "altitude_m");
    }

    #[test]
    fn the_whole_is_kept_or_what_was_before_at_any_cut() {
        let chip = Chip::new(2 * PAGE);
        let open = |chip: &Chip| run(Keep::open(chip.part(0, 2 * PAGE)));
        let (old, new) = (settings(&[rule(Quantity::Co2)]), DeviceSettings { id: 2, ..settings(&[]) });
        assert_eq!(run(take(&mut open(&chip).unwrap(), &old)), Ok(true));
        assert_eq!(run(take(&mut open(&chip).unwrap(), &old)), Ok(false), "said again, confirmed again, not written again");
        let bad = DeviceSettings { altitude_m: Some(u16::MAX), id: 3, ..settings(&[]) };
        assert!(run(take(&mut open(&chip).unwrap(), &bad)).is_err());
        for tear in TEARS {
            for cut in 0..100 {
                let torn = chip.copy();
                torn.cut_after(cut, tear);
                let _ = run(take(&mut open(&torn).unwrap(), &new));
                torn.restore();
                let kept = run(load(&mut open(&torn).unwrap())).unwrap();
                assert!(kept.as_ref() == Some(&old) || kept.as_ref() == Some(&new), "{tear:?}, cut {cut}");
            }
        }
    }

    #[test]
    fn a_plan_takes_what_is_said_of_its_quantities() {
        let own = |quantity| Rule { quantity, step: Some(Fixed(5)), low: None, high: None };
        let base = Plan { rules: [own(Quantity::Co2), own(Quantity::Humidity)].into_iter().collect(), ..Plan::default() };
        let mut co2 = rule(Quantity::Co2);
        (co2.look_s, co2.report_s, co2.high) = (Some(30), Some(120), Some(Fixed(1500)));
        let mut humidity = rule(Quantity::Humidity);
        humidity.report_s = Some(90);
        let mut smoke = rule(Quantity::Smoke);
        smoke.look_s = Some(1);
        let plan = plan(&settings(&[smoke, co2, humidity]), &base);
        assert_eq!((plan.look_ms, plan.report_ms, plan.oversample), (30_000, 90_000, 1));
        assert_eq!((plan.rules[0].step, plan.rules[0].high), (Some(Fixed(5)), Some(Fixed(1500))));
        assert_eq!(plan.rules[1], base.rules[1]);
    }
}
