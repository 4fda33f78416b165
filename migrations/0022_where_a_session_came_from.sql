-- From where a session was opened, for the list of one's own sessions: "Chrome on Windows" is everybody's, an address is not. It goes with
-- its session. The previous program leaves it out.
set local lock_timeout = '5s';

alter table session add column address text;
