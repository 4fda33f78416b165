-- Policies compared every row with a setting that was read and parsed for that row: most of what row-level security cost. Inside a
-- sub-select the setting is read once for each statement; what may be seen is the same. A rule of the schema's tests holds later policies
-- to it.
set local lock_timeout = '5s';

do $$
declare
  p record;
  setting text;
begin
  for p in select tablename, policyname, qual, with_check from pg_policies where schemaname = 'public' loop
    continue when concat(p.qual, p.with_check) !~ 'current_(clinic|patient|caseload)\(\)';
    foreach setting in array array['current_clinic()', 'current_patient()', 'current_caseload()'] loop
      p.qual := replace(p.qual, setting, '(select ' || setting || ')');
      p.with_check := replace(p.with_check, setting, '(select ' || setting || ')');
    end loop;
    execute format('alter policy %I on %I', p.policyname, p.tablename)
      || coalesce(' using (' || p.qual || ')', '') || coalesce(' with check (' || p.with_check || ')', '');
  end loop;
end $$;
