-- After a restore account mail waits as well: what was queued when the backup was made may have been sent since.
set local lock_timeout = '5s';

-- Account mail that was last asked for before this instant waits until somebody says of each whether it is sent or left out. What was asked
-- for later cannot have been sent before, and goes. It stays after reminders are released, since each mail is decided by itself.
alter table mail_sender add column account_mail_held_since timestamptz;
-- A backup of an earlier release, restored and then migrated, is held from the restore on.
update mail_sender set account_mail_held_since = held_since where held_since is not null;
