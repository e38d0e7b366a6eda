# Alarm quality: page, command and weekly report.

quality = Alarm quality
quality-link = Figures and suggestions
quality-days = Last { $n } days
quality-report = Last week's report
quality-recorded = There is a record from { $time } on only; means are over the recorded time.
quality-lead = { $n ->
    [0] No alarm in this period.
    [one] One alarm in this period, { $urgent } of them an emergency or serious.
   *[other] { $n } alarms in this period, { $urgent } of them emergencies or serious.
}
quality-none = No alarm
quality-alarms = { $n ->
    [one] one alarm
   *[other] { $n } alarms
}
quality-incomplete = There were too many alarms to follow each: in truth there were more.
quality-clock = At { $n } of the alarms the gateway's clock was not right; their times are only a hint.

quality-key-alarms = Alarms
quality-key-floods = Alarm floods
quality-key-false = False share
quality-key-late = Answered too late
quality-key-chattering = Chattering alarms
quality-key-stale = Stale alarms
quality-rates = { $day } a day, { $hour } an hour
quality-peak = at most { $n } within 10 min
quality-flood-share = { $share } of the time
quality-judged = { $n } of { $all } judged, { $rest } not
quality-no-incident = no new incident in this period
quality-asked = of { $n } answers that were due
quality-chattering-note = places that alarm again and again
quality-stale-note = incidents active for more than 24 hours
quality-before-more = ↑ before: { $before }
quality-before-less = ↓ before: { $before }
quality-before-same = before: { $before }

quality-actors = Improve these first
quality-actors-share = These make up { $share } of all alarms.
quality-actors-none = There is nothing to improve.
quality-actor-alarms = { $n ->
    [one] one alarm
   *[other] { $n } alarms
}, { $share } of all
quality-actor-chatter = chattered { $n ->
    [one] once
   *[other] { $n } times
}{ $held ->
    [0] {""}
   *[other] {" "}({ $held } more were not told)
}
quality-actor-stale = { $n } for more than 24 h
quality-actor-unjudged = none judged yet
quality-actor-false = { $false } of { $n } judged were false
quality-suggested = Suggestion
quality-step-hold = Hold time from { $from } to { $to }
quality-step-hold-new = Hold time to { $to }
quality-step-bound = { $quantity } “{ $name }” from { $from } to { $to } { $unit }
quality-care-place = Look at the sensor: is it near steam, dust, sun or a draught, is it fixed well? Then test it once.
quality-care-link = Look at its connection: power and signal, too far from its hub, too many walls between.
quality-care-battery = Change the battery.
quality-care-value = Check its readings: clean it, hold it beside another one, and replace it if it still differs.
quality-care-test = Do the test that its manual describes.
quality-cause = These alarms are mostly true: remove what brings them about, do not loosen the rule.
quality-nothing = Too seldom to do anything about it.
quality-unknown = There is no suggestion at present.
quality-trial-pending = Being tried on this site's own records …
quality-trial-done = On { $days } days of this site's records this rule would alarm { $before } → { $after } times a week.
quality-trial-short = There are only { $days } days of records: too few to try it.
quality-trial-time = It could not be tried in the time allowed; try it on the rule's page.
quality-trial-failed = It could not be tried: { $why }
quality-trial-doubt = The records are shorter than a week: these figures are uncertain.
quality-try = Try this change
quality-see-rule = See the rule

quality-by-day = Alarms by day
quality-by-hour = By hour of the day
quality-urgent = foot: emergency and serious
quality-chart-most = most on { $name }: { $n }

quality-times = Time to respond and to handle
quality-times-help = From the alarm until somebody takes note, and until it is handled or over.
quality-times-none = Nothing had to be answered.
quality-severity = Severity
quality-acknowledge = Taking note
quality-handle = Handling
quality-median = Half within
quality-p90 = 90% within
quality-kept = On time
quality-target = Target
quality-target-none = no target
quality-late = Answered too late
quality-late-none = All were on time.
quality-late-note = somebody took note only after { $took } (target { $target })
quality-late-note-never = nobody took note for { $took } (target { $target })
quality-late-handle = handled only after { $took } (target { $target })
quality-late-handle-never = not handled for { $took } (target { $target })

quality-false = False alarms by rule
quality-false-help = Of the incidents that have been judged only. Say “real” or “false” on an incident's page to make this sharper.
quality-rule = Rule
quality-incidents = Incidents
quality-column-judged = Judged
quality-column-false = False
quality-floods = Alarm floods
quality-flood = { $n } alarms, at most { $peak } within 10 min
quality-stale = Stale alarms
quality-stale-since = since { $time }, for { $span }
quality-stale-still = since { $time }, and still active

quality-apart = Not counted as alarms
quality-apart-drills = Drills
quality-apart-tests = Tests of commissioning
quality-apart-canaries = Self-tests
quality-apart-shelved = Shelved
quality-apart-suppressed = Under maintenance
quality-apart-out-of-service = Out of service
quality-apart-unannounced = Not told while shelved, under maintenance or out of service
quality-apart-held-back = Not told again while chattering
quality-apart-gathered = Joined the same incident
quality-apart-merged = Merged incidents

quality-definitions = How these figures are made
quality-def-alarm = Alarm: whatever calls people anew: a new condition, one that comes back, one that is raised. Not what is shelved, under maintenance or out of service; no drill and no self-test.
quality-def-flood = Flood: more than 10 alarms within 10 minutes, until fewer than 5 (ISA-18.2-2016, IEC 62682, EEMUA 191).
quality-def-chatter = Chattering: 3 alarms at one place within a minute (ISA-18.2), or 5 within half an hour.
quality-def-stale = Stale: active for more than 24 hours (ISA-18.2, EEMUA 191).
quality-def-targets = Targets: emergency 60 s to take note, 10 min to handle; serious 5 min, 60 min; general 4 h, 24 h; advisory none. They are ours: the standards only ask that each priority have one.
quality-def-false = False share: of the incidents that were judged, those that were false; what is not judged does not count.

quality-week = week { $n } ({ $from } to { $to })
quality-weekly = Weekly alarm report
quality-weekly-title = { $site }: weekly alarm report, { $week }
quality-key = Key figures
quality-week-this = This week
quality-week-before = Week before
quality-week-earlier = Week before
quality-week-later = Week after
quality-back = Back to alarm quality
quality-line-note = { $name }: { $value } ({ $note })
quality-at-place = { $place } · { $title }
quality-stop = .
quality-answer = Noted or handled
quality-figure = Figure
