### Words that every part of the product shares: the frame, dates, doses, charts.

## The frame
product-name = Homestretch
skip-to-content = Skip to the content
nav-today = Today
nav-progress = Progress
nav-reminders = Reminders
nav-account = Account
nav-label = Main
message-clinic = Message the clinic
call-clinic = Call { $phone }
switch-place = Change clinic or role
sign-out = Sign out
signed-in-as = Signed in as { $name }
demo-strip = This is a demo clinic. Nobody here is real.
demo-mail = See the mail it sent
close = Close
optional = optional

## Dates and hours
weekday-monday = Monday
weekday-tuesday = Tuesday
weekday-wednesday = Wednesday
weekday-thursday = Thursday
weekday-friday = Friday
weekday-saturday = Saturday
weekday-sunday = Sunday
weekday-short-monday = Mon
weekday-short-tuesday = Tue
weekday-short-wednesday = Wed
weekday-short-thursday = Thu
weekday-short-friday = Fri
weekday-short-saturday = Sat
weekday-short-sunday = Sun
weekday-letter-monday = M
weekday-letter-tuesday = T
weekday-letter-wednesday = W
weekday-letter-thursday = T
weekday-letter-friday = F
weekday-letter-saturday = S
weekday-letter-sunday = S
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
month-short-1 = Jan
month-short-2 = Feb
month-short-3 = Mar
month-short-4 = Apr
month-short-5 = May
month-short-6 = Jun
month-short-7 = Jul
month-short-8 = Aug
month-short-9 = Sep
month-short-10 = Oct
month-short-11 = Nov
month-short-12 = Dec
date-long = { $weekday } { $day } { $month }
date-medium = { $day } { $month }
date-short = { $day } { $month }
date-year = { $day } { $month } { $year }
date-month-year = { $month } { $year }
date-range = { $from } to { $to }
time-of-day = { $hour }:{ $minute }
date-and-time = { $date }, { $time }
days-today = today
days-yesterday = yesterday
days-tomorrow = tomorrow
days-ago =
    { $days ->
        [one] { $days } day ago
       *[other] { $days } days ago
    }
days-ahead =
    { $days ->
        [one] in { $days } day
       *[other] in { $days } days
    }
minutes =
    { $minutes ->
        [one] { $minutes } minute
       *[other] { $minutes } minutes
    }
about-minutes =
    { $minutes ->
        [one] about { $minutes } minute
       *[other] about { $minutes } minutes
    }
exercise-count =
    { $count ->
        [one] { $count } exercise
       *[other] { $count } exercises
    }
every-day = every day
list-and = { $first } and { $last }
list-comma = { $first }, { $rest }
weekday-span = { $first } to { $last }

## Doses
dose-hold = Hold { $hold } s
dose-each-side = each side
dose-times =
    { $many ->
        [no] { $reps } time
       *[yes] { $reps } times
    }
dose-breaths =
    { $many ->
        [no] { $reps } breath
       *[yes] { $reps } breaths
    }
dose-sets = { $sets } × { $reps }
dose-rest = rest { $seconds } s

## Charts
day-done = done
day-part = part done
day-missed = missed
day-rest = rest day
day-paused = paused
day-outside = outside the program
day-open = not done yet
strip-label = Last { $days } days: { $counts }
strip-none = Last { $days } days: no sessions due
count-done = { $n } done
count-part = { $n } part
count-missed = { $n } missed
count-rest =
    { $n ->
        [one] { $n } rest day
       *[other] { $n } rest days
    }
count-paused = { $n } paused
count-open = { $n } still open
sparkline-label = Pain after sessions, 0 to 10: first { $first }, last { $last }, { $n } scores
sparkline-one = Pain after the session: { $last } of 10
sparkline-none = No pain scores yet
daybyday-label = Day by day from { $from } to { $to }: { $counts }. { $pain }
daybyday-pain = Pain after sessions went from { $first } to { $last }, between { $low } and { $high }.
daybyday-no-pain = No pain scores were given.
daybyday-scroll = Day by day, scrolls sideways
daybyday-week = Week { $n }
daybyday-table = Show the days as a table
daybyday-day = Day
daybyday-session = Session
daybyday-before = Pain before
daybyday-after = Pain after
daybyday-not-given = not given
daybyday-legend-before = pain before
daybyday-legend-after = pain after
daybyday-change = program changed

# Said after what ends a mail was saved, when one is being handed over in that moment.
mail-on-its-way = A mail that is already on its way may still arrive.
