### What a patient can do about their own data: see who opened it, what they agreed to, take it away, close the account.

## On the account page
privacy-title = Your data
privacy-lead = What you log belongs to your care. You can see who reads it, take it with you, and leave.
privacy-opened = Who opened my record
privacy-consent = What I agreed to
privacy-export = Take my data with me
privacy-export-hint = A zip file with what you were given to do and what you logged, for spreadsheets and to read. A long record takes a minute; your browser shows how much has come.
privacy-close = Close my account

## What one agreed to
agreed-title = What you agreed to
agreed-on = Agreed on { $day }
agreed-version = Version { $version }
agreed-read = Read what it said
agreed-withdrawn = Taken back on { $day }
agreed-none = Nothing is recorded yet.
agreed-new-title = Our wording has changed
agreed-new-text = Please read what we ask now. Until you decide, everything goes on as before.
agreed-first-text = Please read what we ask, and tell us whether you agree.
agreed-box = I have read this and agree
agreed-do = Agree
agreed-missing = Please tick the box if you agree. If you don’t, nothing changes until you decide.
agreed-changed = The wording changed while the page was open. Please read it once more.
agreed-thanks = Thank you. We have noted what you agreed to.
agreed-withdraw-title = Changed your mind?
agreed-withdraw-text = You can take back what you agreed to at any time. Your account is closed then, and reminders stop. What your clinic did until now stays right.
agreed-withdraw = Take it back
today-consent = Our wording about your data has changed
today-consent-text = It takes a minute to read. Your exercises don’t wait for it.
today-consent-read = Read it

## Closing the account
close-title = Close your account
close-title-withdraw = Take back what you agreed to
close-stops = What stops
close-stops-sign-in = You are signed out everywhere and cannot sign in to { $clinic } any more. Links in older emails stop working.
close-stops-mail = No more reminders, and no other email from { $clinic } here.
close-keeps = What is kept
close-keeps-record = { $clinic } keeps your record: your program, what you logged, what you agreed to. The law asks clinics to keep treatment records; in Malaysia this is usually seven years. The physiotherapists can still read it.
close-keeps-audit = The list of who opened your record goes on.
close-before = You may want to take your data with you first. Afterwards you can still ask { $clinic } for it.
close-back = Coming back is easy: { $clinic } sends you a new invitation.
close-elsewhere = Your places at other clinics are not touched.
close-password = Your password, so that we know it is you
close-wrong = That is not your password.
close-do = Close my account
close-do-withdraw = Take it back and close my account
close-stay = Keep my account
close-done = Your account is closed. Thank you for the time you put in. If you want to come back, ask your clinic for a new invitation.

## The file one takes away
export-heading = Your record at { $clinic }
export-made = Made for { $name } on { $when }.
export-lead = Everything { $clinic } holds about your home exercises in Homestretch is in this folder, twice: as tables for a spreadsheet (.csv), and as one file for programs (data.json).
export-files = The tables
export-you = who you are to the clinic
export-programs = your programs
export-program_versions = each change of a program, from the day it took effect
export-prescriptions = the exercises of each version, how much of each, and how they are done
export-pauses = when a program was paused
export-sessions = what you logged, a line for each session
export-session_exercises = the exercises of each session, done or skipped
export-corrections = what a session said before it was corrected
export-questions_asked = how often you are asked how things are
export-how_things_are = what you said about the change since you began (scale from -5, very much worse, to 5, completely recovered)
export-activities = the activities you named, and how well they go (scale from 0, cannot do it, to 10, as well as before)
export-corrected_questions = what you had answered before you corrected it
export-answers = what the clinic answered to your notes
export-reminder_times = when you want to be reminded
export-emails = the emails we sent you, or did not send, and why
export-consents = what you agreed to, word for word
export-who_opened = who opened your record, and when
export-fhir = what you were given to do and what you logged once more, for the programs of clinics and hospitals (HL7 FHIR R4)
export-rows = { $rows ->
    [one] 1 line
   *[other] { $rows } lines
}
export-notes = How to read them
export-note-text = The tables are UTF-8 text with a byte order mark, values separated by commas, the names of the columns in the first line.
export-note-time = Days are days where you live ({ $zone }). Instants are in UTC and end in +00:00.
export-note-empty = What was not given is empty, never 0.
export-note-formula = In the tables, text that a spreadsheet would take for a formula begins with an apostrophe. In data.json and fhir.json it stands as it was written.
export-not-in = What is not in it: notes that the physiotherapists keep for their own work. Ask { $clinic } if you want to see them.

## Who opened my record
opened-title = Who opened my record
opened-lead = Who of { $clinic } opened your record in Homestretch, changed it or took a copy of it, newest first. They cannot take anything off this list.
opened-since = The list begins on { $day }.
opened-not-title = What is not in it
opened-not-lists = Pages about many people at once, such as { $clinic }’s list of patients with your name, your sessions and your pain on one line.
opened-not-elsewhere = What { $clinic } keeps outside Homestretch, on paper or in other programs.
opened-not-operator = The people who look after the computers that Homestretch runs on. They are not part of its pages.
opened-none = Nobody at { $clinic } has opened your record yet.
opened-times = { $times } times, the last at { $time }
opened-at = at { $time }
opened-somebody = Somebody at the clinic
opened-read-record = Opened your record
opened-read-program = Looked at your program
opened-read-log = Looked at a session you logged
opened-read-notices = Looked at the emails we sent you
opened-read-audit = Looked at this list
opened-read-other = Looked at something in your record
opened-wrote-record = Changed your details
opened-wrote-program = Changed your program
opened-wrote-log = Entered or corrected a session for you
opened-wrote-answers = Changed what you answered
opened-wrote-attention = Noted how you are getting on
opened-wrote-reply = Answered what you wrote
opened-wrote-reminders = Changed your reminders
opened-wrote-notices = Sent you an email again
opened-wrote-invitation = Invited you
opened-wrote-closure = Closed your record, or opened it again
opened-wrote-other = Changed something in your record
opened-exported = Made a copy of your data
opened-other = Did something with your record
opened-own = Your own visits
opened-own-day = { $times ->
    [one] { $day }: once, at { $time }
   *[other] { $day }: { $times } times, the last at { $time }
}
opened-own-more = Older visits of yours are in the copy of your data.
opened-ask = Something looks wrong? Please ask { $clinic }. They can see from where it was done, and they want to know.
opened-older = Older
opened-newest = Newest
