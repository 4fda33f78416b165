-- session_log is only ever added to, so by default it is vacuumed when a fifth of it is new: at nine million sessions that is months, and until
-- then the visibility map knows nothing of the newest pages. The clinic's report reads just those, from the index session_log_by_date alone,
-- and without the map it has to look at the table's pages after all. From here on a thousand new sessions are enough (a vacuum skips
-- every page that the map knows), and ten thousand for ANALYZE, because the planner knows no date that is newer than the last one.
set local lock_timeout = '5s';

alter table session_log set (
  autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 1000,
  autovacuum_analyze_scale_factor = 0,
  autovacuum_analyze_threshold = 10000
);
