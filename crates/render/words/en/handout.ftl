### The program on paper: what hangs on the fridge and comes along to the next visit.

handout-title = On paper
handout-for = For { $name }
handout-days = { $days } · { $times } · { $minutes }
handout-times =
    { $times ->
        [1] once a day
        [2] twice a day
       *[other] { $times } times a day
    }
handout-number = { $n }.
handout-upcoming = Starts on { $day }. Nothing to do before then.
handout-paused-until = Paused up to and including { $day }. Do not do it until then.
handout-paused-open = Paused for now. Do not do it until your clinic says that it goes on.
handout-finished = This program ended on { $day }. Ask your physiotherapist before you go on with it.
handout-stopped = Please do no exercises for now. Speak with your clinic first; this sheet says nothing more until your physiotherapist has decided with you to go on.
handout-changes = The program changes on { $day }. Ask for a new sheet then.
handout-note = From your physiotherapist: { $note }
handout-hurts = When it hurts
handout-signs = Stop and call the clinic when you notice
handout-diary = Your diary
handout-diary-text = One box is one session. After it, write your pain into the box: 0 is none, 10 is the worst you can think of. Leave the box of a session you did not do empty.
handout-diary-more = The diary has room for six weeks. Print a new sheet for the weeks after them.
handout-diary-week = Week from
handout-no-session = no session
handout-scan = Scan to sign in
handout-scan-text = Log your sessions on your phone, and your physiotherapist sees how it goes.
handout-scan-paper = Bring this sheet along to your next visit. Your clinic puts it into your record.
handout-printed = { $clinic } · sheet of { $date }
handout-none-title = No program to print
handout-none = When your physiotherapist has put a program together for you, you can print it here.
handout-print = Print
handout-link = The program on paper
