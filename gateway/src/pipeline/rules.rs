//! Overrides of rules, and set-ups of cameras, that are set while the gateway runs. They stand in the log, as part of the configuration: there is no
//! other place that could disagree with it.
use crate::engine::input::SetCamera;
use crate::engine::rules::{self, Override, overrides};
use crate::engine::{Configuration, State};
use tuoan_protocol::RuleId;
use tuoan_vision::setup::Camera;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum OverrideChange {
    /// Takes the place of one of the same rule.
    Set(Box<Override>),
    /// Only what was set while the gateway ran can be ended so.
    End(RuleId),
}

/// The configuration after the change.
///
/// # Errors
/// Why it may not be, in words that say how to mend it.
pub fn changed(state: &State, change: OverrideChange) -> Result<Configuration, String> {
    let c = state.configuration().ok_or("the gateway has no configuration yet")?;
    let mut set = c.set.clone();
    let (before, rule) = (
        set.len(),
        match &change {
            OverrideChange::Set(o) => o.rule.clone(),
            OverrideChange::End(rule) => rule.clone(),
        },
    );
    set.retain(|o| o.rule != rule);
    match change {
        OverrideChange::Set(o) => set.push(*o),
        OverrideChange::End(_) if set.len() == before => {
            return Err("no override of this rule was set here; one of the site file ends there".to_owned());
        }
        OverrideChange::End(_) => {}
    }
    let next = Configuration { set: Vec::new(), ..c.clone() };
    // What was set before has taken the place of the file's; those of the file come back at the next start.
    let mut site = next.site;
    site.overrides.retain(|o| !c.set.contains(o));
    let next = Configuration::new(next.log, site, next.rules).with_set(set).with_cameras(c.cameras.clone());
    let all = rules::compile(&next.rules)?;
    let problems = overrides::problems(&next.site.overrides, &all);
    if problems.is_empty() { Ok(next) } else { Err(problems.join("\n")) }
}

/// The configuration with a camera set up so.
///
/// # Errors
/// What does not go with the site, in words that say how to mend it.
pub fn with_camera(state: &State, camera: Camera) -> Result<Configuration, String> {
    let c = state.configuration().ok_or("the gateway has no configuration yet")?;
    let mut cameras = c.cameras.clone();
    let before = cameras.iter().position(|s| s.camera.device == camera.device).map(|n| cameras.remove(n));
    // What the file says is what stood there before anything was drawn.
    let instead_of = match before {
        Some(set) => set.instead_of,
        None => c.site.cameras.iter().find(|o| o.device == camera.device).cloned(),
    };
    cameras.push(SetCamera { camera, instead_of });
    let next = c.clone().with_cameras(cameras);
    let problems = next.site.problems();
    if problems.is_empty() { Ok(next) } else { Err(problems.join("\n")) }
}

/// A start's configuration, with the cameras that were set up on their pages before; one of which the file says something else since then is the
/// file's.
fn keep_cameras(before: &Configuration, new: Configuration) -> Configuration {
    let in_file = |device: &str| new.site.cameras.iter().find(|c| c.device == device);
    let kept = before.cameras.iter().filter(|set| {
        let same = in_file(&set.camera.device) == set.instead_of.as_ref();
        let fits = new.clone().with_cameras(vec![(*set).clone()]).site.problems().is_empty();
        if !same || !fits {
            tracing::warn!("camera {}: what was drawn on its page is dropped, the site file holds", set.camera.device);
        }
        same && fits
    });
    let kept: Vec<SetCamera> = kept.cloned().collect();
    if kept.is_empty() { new } else { new.with_cameras(kept) }
}

/// The configuration of a start, with what was set while the gateway ran before. What is over, or does not go with the rules any more, is
/// left out.
pub fn keep_set(state: &State, new: Configuration, now: i64) -> Configuration {
    let Some(before) = state.configuration() else { return new };
    let new = if before.cameras.is_empty() { new } else { keep_cameras(before, new) };
    let day = new.site.local_day(now.saturating_add(state.utc_offset()));
    let mut set: Vec<Override> = before.set.iter().filter(|o| !o.is_over(day)).cloned().collect();
    if let Ok(all) = rules::compile(&new.rules) {
        set.retain(|o| {
            let problems = overrides::problems(std::slice::from_ref(o), &all);
            if !problems.is_empty() {
                tracing::warn!("an override that was set on the page of rules is dropped: {}", problems.join("; "));
            }
            problems.is_empty()
        });
    }
    if set.is_empty() { new } else { new.with_set(set) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{configuration, site, t};
    use crate::engine::{Body, Input, step};

    fn told(c: Configuration) -> State {
        let mut state = State::new();
        let inputs = [Body::Configure(Box::new(c)), Body::Clock { offset_ms: 0, trusted: true }].map(|body| Input { at: t("10:00"), body });
        step(&mut state, &inputs, t("10:00"));
        state
    }
    fn quieter(rule: &str, expires: &str) -> Override {
        let text =
            format!("rule = \"{rule}\"\nreason = \"x\"\nauthor = \"y\"\nfrom = \"2026-11-01\"\nexpires = \"{expires}\"\nhold = \"20s\"");
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn what_is_drawn_on_a_page_holds_until_the_file_says_something_else() {
        let mut by_file = site();
        let placed = by_file.devices[0].clone();
        by_file.devices.push(crate::engine::site::Placement {
            id: "eye".parse().unwrap(),
            role: crate::engine::site::Role::Camera,
            ..placed
        });
        let camera = |rate: u16| Camera { device: "eye".into(), areas: Vec::new(), floor: None, rate };
        by_file.cameras = vec![camera(10)];
        let state = told(configuration(by_file.clone()));

        let drawn = with_camera(&state, camera(20)).unwrap();
        assert_eq!(drawn.site.cameras, [camera(20)]);
        let state = told(drawn.clone());
        let drawn = with_camera(&state, camera(30)).unwrap();
        assert_eq!(drawn.cameras, [SetCamera { camera: camera(30), instead_of: Some(camera(10)) }]);
        let state = told(drawn.clone());
        assert_eq!(keep_set(&state, configuration(by_file.clone()), t("10:00")), drawn, "the same hash: no new configuration at a start");
        // An override does not undo it.
        let set = changed(&state, OverrideChange::Set(Box::new(quieter("noise.high", "2026-11-30")))).unwrap();
        assert_eq!((set.site.cameras[0].rate, set.cameras.len()), (30, 1));
        // The file was edited since.
        by_file.cameras = vec![camera(40)];
        let file = configuration(by_file);
        assert_eq!(keep_set(&state, file.clone(), t("10:00")), file);
        assert!(with_camera(&state, Camera { device: "ghost".into(), ..camera(10) }).unwrap_err().contains("ghost"));
    }

    #[test]
    fn what_is_set_stays_after_a_start_with_the_file_alone_until_it_is_over() {
        let mut by_file = site();
        by_file.overrides = vec![quieter("noise.high", "2026-12-01"), quieter("air.co2.high", "2026-12-01")];
        let file = configuration(by_file.clone());
        let state = told(file.clone());
        let set = |state: &State, rule: &str, expires: &str| changed(state, OverrideChange::Set(Box::new(quieter(rule, expires))));

        let with = set(&state, "noise.high", "2026-11-30").unwrap();
        assert_eq!((with.set.len(), with.site.overrides.len()), (1, 2), "it has taken the place of the file's");
        let state = told(with.clone());
        let kept = keep_set(&state, file.clone(), t("10:00"));
        assert_eq!(kept, with, "the same hash: no new configuration at a start");
        assert_eq!(keep_set(&state, file.clone(), t("10:00") + 40 * 86_400_000), file, "over");
        let other = set(&state, "air.co2.mean", "2026-11-30").unwrap();
        assert_eq!((other.set.len(), other.site.overrides.len()), (2, 3));

        let ended = changed(&state, OverrideChange::End("noise.high".parse().unwrap())).unwrap();
        assert!(ended.set.is_empty());
        let refused = changed(&state, OverrideChange::End("air.co2.high".parse().unwrap())).unwrap_err();
        assert!(refused.contains("site file"), "{refused}");
        assert!(set(&state, "no.such.rule", "2026-11-30").is_err());
        let silenced = Override { enabled: Some(false), ..quieter("fire.smoke.alarm", "2026-11-30") };
        assert!(changed(&state, OverrideChange::Set(Box::new(silenced))).unwrap_err().contains("switched off"));
    }
}
