-- A mail server that says "no such user" to everybody is broken, and nobody's address is to blame. So a refusal is kept with the address it
-- was about, and an address is given up only when the same mail was refused twice while the server went on accepting others (decision 15).
set local lock_timeout = '5s';

-- Where a refused mail went: the notice may go to another address later. Null for all other attempts.
alter table delivery_attempt add column recipient text;
-- What was refused, and what was accepted meanwhile, by time. The first is small, the second grows at its end only.
create index delivery_attempt_refused on delivery_attempt (at) where outcome = 'refused';
create index delivery_attempt_accepted on delivery_attempt (at) where outcome = 'sent';

-- The mail whose refusal gave the address up. Null for an unsubscription and for what an earlier release suppressed.
alter table suppression add column notice_id uuid;
alter table suppression add foreign key (clinic_id, notice_id) references notice (clinic_id, id);
-- An account mail that is accepted shows that the address is alive, and a window that is distrusted takes back what was given up in it.
grant delete on suppression to homestretch_worker;

-- Set beside paused_since when the pause is for refusals of one recipient after another, and not for a server that is away or refuses us.
alter table mail_sender add column refusals_since timestamptz;
