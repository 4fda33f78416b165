-- What the engine needs to delay nobody for somebody else's mail server, and what people need to ask why a mail came or did not.
set local lock_timeout = '5s';

-- The destination's mail domain: the worker sends to a bounded number of one domain at a time, and leaves a busy domain in the queue.
alter table notice add column domain text not null generated always as (split_part(recipient, '@', 2)) stored;
-- Who asked for another attempt of a dead or unknown notice, and when.
alter table notice add column resent_by uuid;
alter table notice add column resent_at timestamptz;
alter table notice add foreign key (clinic_id, resent_by) references membership (clinic_id, id);

-- One row for the installation: what holds all mail back, in words, and the zone database the reminders' instants were worked out with.
create table mail_sender (
  id boolean primary key default true check (id),
  -- Set after a restore: reminders wait until the operator releases them.
  held_since timestamptz,
  -- Set while the mail server refuses or is away; the words are the server's.
  paused_since timestamptz,
  paused_reason text check (length(paused_reason) <= 500),
  zone_database text
);
insert into mail_sender default values;

alter table mail_sender enable row level security;
alter table mail_sender force row level security;
create policy app on mail_sender for select to homestretch_app using (true);
create policy worker on mail_sender to homestretch_worker using (true) with check (true);
grant select on mail_sender to homestretch_app;
grant select, update on mail_sender to homestretch_worker;

-- All mail but reminders, for a list of one kind among a hundred times as many reminders. Reminders never enter it.
create index notice_of_other_mail on notice (clinic_id, due_at desc, id desc) where kind <> 'session_reminder';
