### Pages for when it did not work. Each ends with a way out.

error-home = Go to the start page
error-retry = Try again
error-message = Message the clinic

error-not-found-title = We can’t find that page
error-not-found = The link may be old or incomplete, or the page may belong to somebody else.

error-forbidden-title = That didn’t go through
error-forbidden = The request came from another page than ours, so nothing was changed. Open the page again from the start and repeat it there.

error-refused-title = We couldn’t read that
error-refused = Nothing was changed. Go back, check what you entered and send it again.

error-too-many-title = Too many tries
error-too-many = To keep accounts safe we pause after several tries in a row. Wait a little and try again.
error-too-many-wait = To keep accounts safe we pause after several tries in a row. Try again in { $wait }.

error-busy-title = A little too much at once
error-busy = More is being sent at the moment than we can hold, so this was not taken. Nothing was changed. Try again in { $wait }.
error-busy-export = A record is being downloaded already, and only so many can be at a time. Nothing is lost. Try again in { $wait }.

error-internal-title = Something broke on our side
error-internal = It wasn’t you. What you had saved before is safe. Please try again; if it happens again, tell the clinic.
error-internal-id = Quote this number so we can find it:

error-unavailable-title = We’ll be right back
error-unavailable = We can’t reach the records at the moment. Nothing is lost. Please try again in a minute.

error-unconfirmed-title = We don’t know yet whether that was saved
error-unconfirmed = The records answered too slowly. Please look whether it is there before you enter it again.
error-look = Look again

error-offline-title = You’re offline
error-offline = This page needs a connection. What you have already entered on this phone is kept. Try again when you’re back online.
