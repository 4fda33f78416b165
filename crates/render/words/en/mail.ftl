### Words of the emails. Subjects and previews hold no health data: a phone shows them on its lock screen.

mail-hello = Hello { $name },
mail-link-below = If the button doesn’t work, open this address:
mail-questions = Questions? Ask { $clinic }.
mail-phone = Phone: { $phone }
mail-whatsapp = Message us on WhatsApp

mail-invitation-subject = Your invitation from { $clinic }
mail-invitation-staff-subject = Join { $clinic } on Homestretch
mail-invitation-preview = Choose a password and you’re in.
mail-invitation-patient = { $clinic } gives you your exercises for home through Homestretch: each with a picture, a timer, and a place to say how it went.
mail-invitation-patient-by = { $inviter } at { $clinic } gives you your exercises for home through Homestretch: each with a picture, a timer, and a place to say how it went.
mail-invitation-staff = You are invited to work with { $clinic } on Homestretch.
mail-invitation-staff-by = { $inviter } invites you to work with { $clinic } on Homestretch.
mail-invitation-do = Choose a password to begin. It takes a minute.
mail-invitation-button = Accept the invitation
mail-invitation-until = The link works once, until { $expires }. After that, ask { $clinic } for a new one.
mail-invitation-not-you = If this isn’t meant for you, please ignore it.

mail-password-subject = Choose a new password
mail-password-preview = You asked for a link.
mail-password-body = Somebody, we hope you, asked for a new password for your account.
mail-password-button = Choose a new password
mail-password-until = The link works once, until { $expires }.
mail-password-not-you = If it wasn’t you, do nothing: your password stays as it is.

mail-program-subject = Your plan from { $clinic } is ready
mail-program-revised-subject = Your plan from { $clinic } has changed
mail-program-preview = Have a look when you have a moment.
mail-program-body = { $by } has prepared a plan for you to do at home.
mail-program-revised-body = { $by } has changed your plan for home.
mail-program-what = What
mail-program-what-value = { $exercises }, { $minutes } a session
mail-program-when = When
mail-program-when-value =
    { $times ->
        [one] { $days }
       *[other] { $days }, { $times } times a day
    }
mail-program-from = From
mail-program-until = Until
mail-program-remind = Reminder
mail-program-remind-value = at { $hour }, by email, only while a session is still open
mail-program-button = Open the plan
mail-program-stop = If something hurts in a way that worries you, stop and tell us.

mail-reminder-subject = A reminder from { $clinic }
mail-reminder-preview = Open it when you have a few minutes.
mail-reminder-body = Your session for today, { $today }, is ready when you are: { $exercises }, { $minutes }.
mail-reminder-button = Open today’s session
mail-reminder-until = The button needs no password and opens this session only. It works until { $expires }.
mail-reminder-done = Already done? Open it and say so in a few seconds; then we stay quiet for today.
mail-reminder-chosen = You chose to be reminded at { $hour }.
mail-reminder-settings = Change the times
mail-reminder-unsubscribe = Stop these reminders

mail-test-subject = A test mail from { $clinic }
mail-test-preview = This is how your reminders arrive.
mail-test-body = You asked for a test, and it got through: this is how your reminders arrive, from this sender and looking like this.
mail-test-times = You chose to be reminded at { $times }.
mail-test-no-times = You have not chosen any times yet, so no reminders come.
mail-test-button = See your reminders
mail-test-spam = Did you find it among the spam? Move it to your inbox and add { $from } to your contacts; then the reminders will find you.
mail-test-asked = You, or somebody signed in as you, asked for this mail.

mail-answer-subject = You have a message from { $clinic }
mail-answer-preview = Read it when you have a moment.
mail-answer-body = { $clinic } has answered what you wrote. The answer waits for you on your page for today.
mail-answer-button = Read the answer
mail-answer-why = It is not in this mail, so that nobody else reads it. You sign in with your password to see it.
