# Drills.
drill-begun = The drill has begun
drill-report-written = The report is in
drill-title = Report of an emergency drill
drill-what = What was staged
drill-where = Where
drill-by = Led by
drill-when = Begun
drill-time = Time
drill-after = After
drill-step = Step
drill-who = Person / channel
drill-detected = Detected by the system
drill-accepted = Confirmed by the platform
drill-told = Told
drill-seen = Seen
drill-sign = Signature of who led it
drill-sign-date = Date
