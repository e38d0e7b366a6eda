//! Why the engine refuses what a person asks, as names of messages: its reasons are for logs, pages speak the person's language.

/// The engine's reasons and the members of `refused-` that say them.
const KNOWN: [(&str, &str); 32] = [
    ("a report of concern is not shelved", "concern_aside"),
    ("there is no such open incident; it may have been closed", "not_open"),
    ("there is no such incident", "not_open"),
    ("a reason is required", "reason"),
    ("a reason is required to cancel an alarm", "reason"),
    ("say for how many minutes, at least 1", "time"),
    (
        "that is too long: an emergency may be set aside for 15 minutes, severity 2 and maintenance for 8 hours, others for 7 days, a device for 30 days",
        "too_long",
    ),
    ("too much is set aside already; end something first", "too_many"),
    ("the incident is acknowledged already", "acknowledged"),
    ("somebody has said already that it is handled", "handled"),
    ("a report of concern is closed by the district, not on site", "district"),
    ("there is no such incident whose cause could still be given", "no_cause"),
    ("a drill is ended, not shelved", "drill"),
    ("it is not shelved", "not_shelved"),
    ("it is shelved already, until the time that was said; end that first", "shelved"),
    ("there is nothing in the comment", "comment"),
    ("say who takes it", "nobody"),
    ("say who you are: every action is recorded with a name", "nobody"),
    ("it is open already", "open"),
    ("it goes on as part of another incident; that one can be reopened", "within"),
    ("the same alarm has a newer incident; use that one", "newer"),
    ("it was closed too long ago to be reopened", "long_ago"),
    ("an incident cannot be part of itself", "itself"),
    ("the more urgent incident takes the other in, not the other way round", "urgent"),
    ("a drill and what really happened stay apart", "apart"),
    ("a report of concern stands by itself", "concern"),
    ("there is no such zone on this site", "zone"),
    ("the zone is not under maintenance", "not_maintained"),
    ("there is no such device", "device"),
    ("the device is in service", "in_service"),
    ("no drill is under way", "no_drill"),
    ("only an active incident that waits for a person can be cancelled", "not_open"),
];

/// The member of `refused-` that says that reason; one that is not known is said in general.
pub fn name(reason: &str) -> &'static str {
    KNOWN.iter().find(|(known, _)| *known == reason).map_or("other", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What no page of this UI asks.
    const ELSEWHERE: [&str; 7] = [
        "the gateway has no site file yet",
        "no rule pack in force takes reports of concern",
        "a reason is required for everything that is done with pictures",
        "a drill is under way already; end it first",
        "a drill lasts an hour at most",
        "there is a real emergency; no drill may begin now",
        "no drill is under way",
    ];

    #[test]
    fn every_reason_of_the_engine_is_said_in_the_persons_language() {
        let source = include_str!("../engine/command.rs");
        let reasons: Vec<&str> = source
            .lines()
            .flat_map(|l| l.split("Err(\"").skip(1).chain(l.split(".ok_or(\"").skip(1)).chain(l.split(": &str = \"").skip(1)))
            .filter_map(|rest| rest.split('"').next())
            .chain(source.lines().map(str::trim).filter(|l| l.starts_with('"')).filter_map(|l| l.split('"').nth(1)))
            .collect();
        assert!(reasons.len() > 25, "{reasons:?}");
        for reason in reasons {
            assert!(name(reason) != "other" || ELSEWHERE.contains(&reason), "{reason}");
        }
        for (_, name) in KNOWN {
            assert!(tuoan_dashboards::words::REFUSALS.contains(&name), "{name}");
        }
    }
}
