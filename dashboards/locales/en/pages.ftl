# What the pages say.

list-comma = {", "}
brand = Tuoan
language-name = English
skip = Skip to the content
menu = Settings
theme = Light and dark
theme-auto = As the device
theme-light = Light
theme-dark = Dark
logout = Log out
home = Home
back = Back to the home page
retry = Load again

age-s = { $s } s ago
age-m = { $m } min ago
age-h = { $h } h ago
age-d = { $d } d ago
span-s = { $s } s
span-ms = { $m } min { $s } s
span-hm = { $h } h { $m } min
span-dh = { $d } d { $h } h
since = since { $time }, for
lost-since = Silent · since { $time }
late = late
never-heard = never heard
last-heard = last heard

whole-safe-text = Nothing is waiting, and every zone is seen.
whole-incidents-text = { $n ->
    [one] { $n } thing needs someone.
   *[other] { $n } things need someone.
}
whole-blind-text = { $n ->
    [one] { $n } place is not fully seen: { $names }.
   *[other] { $n } places are not fully seen: { $names }.
}
whole-unknown-text = Nothing has been received yet.
whole-disk-text = The storage has failed: new data is not being saved.
offline = Connection lost · cannot see
offline-text = This page shows { $time }, not now. Connecting again.
new-emergency = New emergency

incidents = Needs someone
incidents-none = Nothing needs anyone at the moment.
acknowledge = I will see to it
acknowledge-as = as “{ $name }”
acknowledged = Someone is on it
acknowledged-by = { $name } is on it
returned-waiting = Back to normal; waiting for someone to confirm.
returned = Back to normal
details = What happened
activations = { $n } times
your-name = Your name
your-name-help = Asked once; it is shown in the record.
continue = Continue
change-name = Someone else
what-to-do = What to do

zones = Zones
zones-none = No zone has been set up yet.
zone-no-device = No device: cannot see
not-watched = Exit not watched
not-watched-help = No sensor here can see an adult; openings are only recorded.
cannot-see = Cannot see
partly-seen = Partly not seen
battery-low = Battery { $n }%
zone-more = More
zone-devices = Devices
upkeep-period = every { $span }
upkeep-battery = Battery { $n }%
upkeep-days = about { $n } days left
clock-behind = Clock { $span } behind, ± { $band }
clock-ahead = Clock { $span } ahead, ± { $band }
upkeep-duplicate = { $n } repeated
upkeep-late = { $n } late
upkeep-implausible = { $n } impossible
upkeep-via = heard through { $device }
affected = { $n } devices cannot be heard because of it
swept = Room swept
swept-help = I have looked everywhere; no child is here.
swept-confirm = Confirm: room swept
concern = Report a concern
concern-help = For when a child may have been harmed. The district is told at once; the director cannot close it alone.
concern-note = What you saw (may be left empty)
concern-confirm = Confirm the report

unplaced = Devices without a place
unplaced-help = These are connected but stand in no room yet, so they are not judged.
machine-stopped = The gateway has stopped inside; restart it.
machine = Gateway
clock = Clock
clock-ok = right
clock-untrusted = in doubt; treated as care hours
disk = Storage
disk-ok = well
disk-fault = not saving · since { $time }
queue = Sending
queue-none = No receiver has been set up.
queue-empty = all delivered
queue-waiting = { $n } waiting
queue-hours = room for { $hours } h
queue-failing = cannot be reached
queue-set-aside = { $n } set aside
quarantine = Messages not understood
quarantine-count = { $n ->
    [one] { $n } message
   *[other] { $n } messages
}
quarantine-none = No message is waiting to be understood.
quarantine-help = Nothing is lost: mend the settings, then run tuoan quarantine replay.
quarantine-reasons = Reasons
column-time = Time
column-topic = Topic
column-reason = Reason
column-payload = Payload
column-size = Size
column-count = Messages

incident = What happened
incident-readings = Readings around it
incident-timeline = Timeline
incident-deliveries = Deliveries
incident-rule = The rule
chart-range = lowest { $low }, highest { $high }
chart-nothing = no data in this time
chart-limit = limit { $value }
chart-gap = not seen
chart-band = the incident
found-on-connect = It was already so on connecting; it may have begun earlier.
clock-doubt = The clock was in doubt then; take the time as a guide only.
by-whom = { $name }
device = Device
delivery-accepted = delivered
delivery-waiting = waiting
delivery-set-aside = set aside
delivery-none = Not sent to any receiver yet.
receipt = receipt { $id }
event-number = event { $n }
rule-clause = Clause
rule-source = Source
rule-name = Rule
rule-pack = Rule pack
rule-hash = Rules' hash
rule-engine = Engine version
rule-verified = Clause verified
rule-unverified = Clause not verified yet: do not cite
institution = Institution
supervisor = Supervising body
incident-number = Incident
site = Institution
printed = printed { $time }
print = Print

claim-title = Claim this box
claim-intro = First use: please set a password.
claim-code = One-time code
claim-code-help = On the label of the box, or on its screen when it starts.
claim-password = New password
claim-password-help = At least 8 characters; keep it safe.
claim-password-again = The password once more
claim-submit = Set the password and enter
claim-done-elsewhere = A password has already been set; please log in.
login-title = Log in
login-password = Password
login-submit = Log in
login-forgot = Forgotten? Ask the installer to reset it on the gateway.
error-code-wrong = That is not the code; please compare it with the label.
error-password-short = A password has at least 8 characters.
error-password-long = A password has at most 200 characters.
error-password-differs = The two passwords differ.
error-password-wrong = That is not the password; please try again.
error-locked = Too many attempts; try again in { $m } minutes.
error-link-used = This link has been used or has expired; log in with the password.
error-form-old = The page was open for too long; please try again.
error-origin = The request came from another website and was refused.
error-not-found = There is no such page
error-not-found-help = The link may be wrong, or what it showed has been archived.
error-server = That did not work
error-server-help = Please try again later; if it stays so, ask the installer.
error-save = The password could not be saved: check the gateway's storage and try again.
error-name = Please give your name, so that everybody knows who is on it.
error-busy = Very busy just now; please try again in a few seconds.
error-refused = Not recorded
cancel-panic = Cancel the alarm
cancel-reason = Why it is cancelled (required)
cancel-confirm = Confirm
error-reason = An alarm is cancelled only with a reason; go back and give it.
error-refused-over = Someone is on it already, or it is over.
error-refused-here = This cannot be done for this zone; ask the installer.
done-cancelled = The alarm is cancelled; the reason is recorded.
error-read = The records cannot be read just now; please try again later.
done-acknowledged = Thank you, it is recorded.
done-swept = The sweep is recorded.
done-concern = Reported; the district is being told.

platform-title = District platform
platform-incidents = Across the institutions
platform-none = Nothing needs anyone at any institution.
platform-sites = Institutions
platform-sites-none = No institution is connected yet.
platform-claim = I will follow it
platform-claimed-by = { $name } is following it
platform-acknowledge = Noted
platform-whole-blind-text = { $n ->
    [one] { $n } institution's data cannot be fully trusted: { $names }.
   *[other] { $n } institutions' data cannot be fully trusted: { $names }.
}
platform-whole-safe-text = Every institution is heard, and nothing is waiting.
platform-whole-unknown-text = No institution is connected yet.
unrecorded = not stored at the site (storage fault)
told = told
trust-heard = heard
trust-doubtful = incomplete
trust-silent = silent
site-missing = { $n } missing
site-queue = { $n } waiting
site-unhealthy = storage fault
site-clock = clock in doubt
site-open = { $n } open
received = received { $time }
district-claimed = Following
district-acknowledged = Noted
district-released = Let go
done-claimed = You are following it now.
events-site = From the institution, and at the district
