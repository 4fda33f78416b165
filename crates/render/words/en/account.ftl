### The way in, links in mail, and one's own account.

## Front page and signing in
front-title = Home exercise that keeps going
front-lead = Your physiotherapist sets the program. You do it at home, a few minutes at a time. Both of you see how it goes.
front-patient = Are you a patient?
front-patient-text = Open the link in your invitation email. After that, sign in here or tap the link in a reminder.
demo-accounts = Accounts to try
demo-accounts-text = The password of all three is
sign-in = Sign in
sign-in-email = Email
sign-in-password = Password
sign-in-forgot = Forgot your password?
sign-in-next = Please sign in to open that page.
sign-in-wrong = That email and password don’t go together. Check both, or choose a new password below.
sign-in-nowhere = This account is not part of a clinic at the moment. Please ask your clinic.
places-title = Where to?
places-text = You have more than one place here. Choose where to go; you can change later.
places-here = you are here
role-owner = Owner
role-physiotherapist = Physiotherapist
role-patient = Patient
signed-out = You are signed out.

## A forgotten password
forgot-title = A new password
forgot-text = Type the email address of your account. We send you a link to choose a new password.
forgot-send = Send me a link
forgot-sent-title = Look in your email
forgot-sent = If { $email } has an account here, a link is on its way. It works for two hours and only once.
forgot-sent-hint = Nothing there after a few minutes? Look among the spam, or check the address and try again.
forgot-again = Try another address
reset-title = Choose a new password
reset-text = For the account { $email }. You will be signed out everywhere else.
reset-save = Save the new password
reset-done = Your new password is saved. Sign in with it.

## Passwords
password-new = New password
password-choose = Choose a password
password-advice = At least 8 characters. Three or four words that only you would put together are good and easy to type.
password-short = Please use at least 8 characters.
password-long = That is too long: 128 characters at most.
password-common = That password is one of the first that others would guess. Please choose another.
password-missing = Please type a password.

## Links that are over
over-invitation-used-title = You have already joined
over-invitation-used = This invitation was accepted. Sign in with your email and the password you chose.
over-invitation-expired-title = This invitation has expired
over-invitation-expired = Please ask { $clinic } to send you a new one. It takes them a moment.
over-your-clinic = your clinic
over-reset-used-title = This link was used already
over-reset-used = Each link works once. If you did not choose a new password yourself just now, ask for a new link.
over-reset-expired-title = This link has expired
over-reset-expired = For your safety these links work for two hours only. Ask for a new one.
over-one-tap-expired-title = This link has expired
over-one-tap-expired = The link in a reminder works for two days. Sign in to open today’s session.
over-one-tap-ended-title = This link does not work any more
over-one-tap-ended = It came with an older email, or to an address that has been changed since. Use the link in a newer email, or sign in to open today’s session.
over-unsubscribe-expired-title = This link has expired
over-unsubscribe-expired = The link in a reminder stops reminders for a year. Use the one in a newer email, or sign in and turn them off under Reminders.
over-record-gone-title = There is nothing to stop
over-record-gone = This link belongs to a record that is not there any more, so no reminders come to you.
over-incomplete-title = This link is not complete
over-incomplete = It may have been cut in the email. Copy the whole address, or open the email again and tap the button.
over-ask-again = Ask for a new link

## Invitations
welcome-title = Welcome to { $clinic }
welcome-hello = Hello { $name },
welcome-patient-by = { $by } at { $clinic } invites you to do your home exercises with Homestretch: a few minutes on your phone, with pictures, at the hour you choose.
welcome-patient = { $clinic } invites you to do your home exercises with Homestretch: a few minutes on your phone, with pictures, at the hour you choose.
welcome-staff = { $clinic } invites you to its team on Homestretch, where you set home programs and see how your patients get on.
welcome-email = You will sign in as { $email }.
welcome-existing = { $email } has an account here already. Type its password to join.
welcome-existing-password = Your password
welcome-existing-wrong = That is not the password of this account. If you have forgotten it, choose a new one first and come back to this link.
welcome-name = Your name, as patients see it
welcome-consent-title = What happens with what you log
welcome-agree = I have read this and agree
welcome-agree-missing = Please read the text above and tick the box if you agree. Without it we cannot keep your logs.
welcome-join = Join
consent-version = 2026-11
welcome-consent-version = Version { $version }
consent-1 = { $clinic } keeps your name, your email address, your program, and what you log: exercises done or skipped, pain, effort and notes.
consent-2 = The clinic’s physiotherapists read it to care for you. Nobody sells it, and nobody else sees it unless the law requires it.
consent-3 = We email you about your program and, if you want, reminders at the hour you choose. Every reminder has a link that stops them.
consent-4 = You can ask { $clinic } for a copy of it, have mistakes put right, or ask for your record to be closed, at any time. Your treatment does not depend on using Homestretch.

## The one-tap link
one-tap-title = Today’s session
one-tap-text = Ready when you are. It takes a few minutes.
one-tap-open = Open today’s session
one-tap-note = This opens today’s session only. To see your progress or change your reminders, sign in.

## Stopping reminders
unsubscribe-title = Stop reminders?
unsubscribe-text = { $clinic } will not remind you of your sessions any more. You still get emails about your account and new programs.
unsubscribe-do = Stop reminders
unsubscribe-done-title = No more reminders
unsubscribe-that-address = the address this link came to
unsubscribe-earlier = { $clinic } has another address for this record now and does not remind you at { $address }. Press the button to make sure that no reminders go there again.
unsubscribe-earlier-done = { $clinic } will send no reminders to { $address }. This link is about that address only.
unsubscribe-done = { $clinic } will not remind you any more. You can turn reminders on again under Reminders after signing in.

## One's own account
account-title = Your account
account-you = You
account-name = Name
account-language = Language
account-language-hint = More languages will follow.
account-email = Email
account-email-hint = You sign in with it. It cannot be changed here yet.
account-save = Save
account-saved = Saved.
account-password = Password
account-password-hint = Choosing a new password signs you out everywhere else.
account-current = Password now
account-current-wrong = That is not your password.
account-change = Change password
account-changed = Your password is changed, and every other browser is signed out.
account-sessions = Where you are signed in
account-here = this browser
account-one-tap = by a link in a reminder
account-seen = last used { $when }
account-from = from { $address }
account-end = Sign out
account-ended = That browser is signed out.
account-end-others = Sign out everywhere else
account-browser = { $browser } on { $system }
account-browser-unknown = A browser
language-en = English
language-ms = Bahasa Melayu
language-zh = 中文
language-ta = தமிழ்
