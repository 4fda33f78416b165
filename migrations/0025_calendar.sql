-- When a patient had an address made under which a calendar program fetches the sessions ahead; null while there is none. The address is
-- signed over this instant, so another one ends the address before it. The previous program leaves it out.
set local lock_timeout = '5s';

alter table patient add column calendar_opened_at timestamptz;
