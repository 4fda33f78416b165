### Today, progress and reminders, as the patient reads them.

## Today
greeting-morning = Good morning, { $name }
greeting-afternoon = Good afternoon, { $name }
greeting-evening = Good evening, { $name }
today-title = Today
today-week-label = The last seven days
today-day = { $date }: { $state }
today-day-today = Today, { $date }: { $state }
today-start = Start session
today-again = Do it again later
today-progress = { $done } of { $of } done today
today-once-more = Start session { $n } of { $of }
today-week = Week { $n } of { $of }
today-done = Done for today
today-done-next = Next: { $day }
today-done-last = That was the last one of this program.
today-rest = A rest day
today-rest-next = Nothing is due today. Next: { $day }.
today-rest-none = Nothing is due today, and no more sessions are planned.
today-paused = Paused
today-paused-until = Your program is paused up to and including { $day }. Nothing is due until then.
today-paused-open = Your program is paused for now. Your clinic will let you know when it goes on.
today-paused-reason = Reason: { $reason }
today-upcoming = Starts { $day }
today-upcoming-text = Nothing to do before then. You can already look at the exercises below.
today-finished = Finished on { $day }
today-finished-text = You have completed the weeks that were planned. Thank you for every session you logged.
today-log-yesterday = Log yesterday
today-log-day = Log { $day }
today-late = Did a session and not get round to logging it?
today-late-more = Log an earlier day
today-correct = Look at or correct today’s log
today-exercises = The exercises
today-exercise-done = done
today-exercise-part = done in part
today-exercise-skipped = skipped
today-exercise-open = not done yet
today-none-title = No program yet
today-none = { $therapist } has not given you a program yet. You will get an email when one is ready.
today-none-clinic = Your clinic has not given you a program yet. You will get an email when one is ready.
today-advice = Stop if pain rises well above where you started, or if you feel numbness or weakness, and tell the clinic.
today-no-contact = Stop if pain rises well above where you started, or if you feel numbness or weakness, and tell your physiotherapist.
saved-title = Saved. Thank you.
saved-title-late = Saved for { $day }. Thank you.
saved-all = You did all of it.
saved-part = You did { $done } of { $of } exercises.
saved-none = Nothing done this time, and it helps to know why.
saved-note = { $therapist } can read your note.
saved-note-clinic = Your clinic can read your note.
saved-correct = Correct it
saved-until = You can correct it until { $day }.

## Stop signs
stop-title = Stop and call the clinic
stop-text = You told us about a sign that needs a person to look at it first. Please do no more exercises for now. Your program is paused.
stop-emergency = In an emergency call your local emergency number (999 in Malaysia).
stop-next = Your physiotherapist will decide with you when to go on.
stop-call = Call { $phone }
stop-message = Message the clinic
stop-signs = You told us about:

## Progress
progress-title = Progress
progress-count = { $sessions } of { $expected } sessions
progress-first = Your first session is waiting. Every one you log shows up here.
progress-warm-most = You have kept this up well. It is the doing that helps.
progress-warm-some = Every session counts, and there is room for more.
progress-warm-few = Some weeks are like that. The next session is a good moment to go on.
progress-self = These are the sessions you logged yourself.
progress-days = The last four weeks
progress-key = What the signs mean
progress-pain-title = Pain
progress-pain-mean =
    { $n ->
        [one] Your one score in the first week was { $first }.
       *[other] In the first 7 scored days your pain after a session was { $first } on average.
    }
progress-pain-change = In the first 7 scored days your pain after a session was { $first } on average; in the last 7 it was { $last }.
progress-pain-few = There are not enough scores yet to say how your pain is changing.
progress-logs = Your sessions
progress-log-pain = Pain { $before } before, { $after } after
progress-log-pain-after = Pain { $after } after
progress-log-pain-before = Pain { $before } before
progress-log-effort = { $effort }
progress-log-note = with a note
progress-log-stop = stop sign
progress-log-corrected = corrected
progress-log-open = Open the log of { $date }
progress-older = Older sessions
progress-newest = Back to the newest
progress-empty-title = Nothing here yet
progress-empty = After your first session you will see here what you did and how it felt.
progress-to-today = Go to Today

## Reminders
reminders-title = Reminders
reminders-to = We write to { $address }.
reminders-no-address = Your clinic has no email address for you, so no reminders can be sent. Tell the clinic if you would like them.
reminders-dead-address = Mail to { $address } came back, so we stopped writing to it. Please give the clinic an address that works.
reminders-how = A reminder comes only while a session is still open, and never after you have logged it.
reminders-on-legend = Email reminders
reminders-on = On
reminders-off = Off
reminders-off-now = Reminders are off. Choose “On” and save to get them again.
reminders-times = At these hours
reminders-times-hint = Up to three. Leave an hour empty if you do not need it. Your hours are in { $zone } time.
reminders-time = Time { $n }
reminders-days = On these days
reminders-pause = Pause until
reminders-pause-hint = For a holiday, say. Reminders start again the day after. Leave empty for no pause.
reminders-quiet = Between { $from } and { $to } your clinic sends nothing.
reminders-save = Save reminders
reminders-saved = Your reminders are saved.
reminders-preview = The next 7 days
reminders-preview-item = { $day } at { $time }
reminders-preview-none = No reminders in the next 7 days.
reminders-preview-note = Only if a session is due that day and still open.
reminders-error-time = Give the time as hours and minutes, such as 08:30.
reminders-error-quiet = Your clinic sends nothing between { $from } and { $to }. Choose another time.
reminders-error-none = Give at least one time, or choose “Off”.
reminders-error-days = Choose at least one day, or choose “Off”.
reminders-error-date = Give the date as year, month and day, such as 2026-12-24.
reminders-error-past = That day has passed. Choose today or later, or leave it empty.
reminders-error-far = A pause lasts a year at most. Choose an earlier day.
reminders-error-choice = Choose “On” or “Off”.
reminders-problem = Nothing was saved yet. Please look at what is marked below.

## A log
log-title = Your session
log-title-on = Session on { $date }
log-correct-until = You can correct this log until { $day }.
log-correct-over = A log can be corrected for 7 days, and those have passed. If something is wrong, tell { $therapist }.
log-correct-over-clinic = A log can be corrected for 7 days, and those have passed. If something is wrong, tell your clinic.
log-corrected = Corrected on { $date }. The earlier version is kept.
log-save = Save the correction
log-saved = Your correction is saved.
log-entry-done = Done as prescribed
log-entry-did = Did { $what }
log-entry-skipped = Skipped: { $reason }
log-entry-none = Not logged
log-pain-before = Pain before
log-pain-after = Pain after
log-effort = Effort
log-note = Your note
log-not-given = not given
log-when = Logged { $date } at { $time }
log-back = Back to progress
