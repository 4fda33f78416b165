-- Counts one patient's report again from the rows, by the rules and not by our code: sessions due and done, completion, and pain
-- after sessions in the first and last seven days with a score.
-- psql -v patient=… -v from=2026-10-12 -v to=2026-11-22 -v today=2026-11-22 -f recount.sql   (today: the patient's civil date)
with day as (
  select generate_series(:'from'::date, least(:'to'::date, :'today'::date), interval '1 day')::date as day
), due as ( -- sessions prescribed on each day, by the newest version that holds then
  select day, p.id as program_id, v.times_a_day as slots
  from day
  join program p on p.patient_id = :'patient' and day between p.starts_on and p.ends_on
    and (p.finished_on is null or day < p.finished_on)
  cross join lateral (
    select * from program_version v where v.program_id = p.id and v.from_date <= day order by v.number desc limit 1
  ) v
  where (v.weekdays >> (extract(isodow from day)::int - 1)) & 1 = 1
    and not exists (
      select from program_pause z
      where z.program_id = p.id and day >= z.from_date and day <= coalesce(z.until_date, 'infinity'::date))
), entry as ( -- done out of the lower bound prescribed
  select e.log_id, p.version_id,
    case when e.skipped is not null then 0
      else least(1, e.sets * e.reps * coalesce(e.hold_s, p.hold_min, 1)::numeric
        / (p.sets_min * p.reps_min * coalesce(p.hold_min, 1) * case when p.hold_min is null then coalesce(e.hold_s, 1) else 1 end))
    end as done
  from log_entry e join prescription p on p.id = e.prescription_id
  where e.patient_id = :'patient'
), log as ( -- the mean over the prescriptions of the version it was done by; what was not mentioned was not done
  select l.id, l.program_id, l.date, coalesce(
      (select sum(done) from entry where entry.log_id = l.id)
      / (select count(*) from prescription x where x.version_id = (select min(entry.version_id::text)::uuid from entry where entry.log_id = l.id)),
      0) as completion
  from session_log l where l.patient_id = :'patient'
), counted as ( -- never more of a day than its slots, the fullest first
  select due.day, due.program_id, due.slots, log.completion,
    row_number() over (partition by due.day, due.program_id order by log.completion desc nulls last) as place,
    count(log.id) over (partition by due.day, due.program_id) as logged
  from due left join log on log.program_id = due.program_id and log.date = due.day
), slot as (
  select day, program_id,
    max(case when day < :'today'::date then slots else least(slots, logged) end) as expected,
    count(*) filter (where completion > 0 and place <= slots) as sessions,
    coalesce(sum(completion) filter (where place <= slots), 0) as completion
  from counted group by day, program_id
), score as (
  select date, pain_after, dense_rank() over (order by date) as nth, dense_rank() over (order by date desc) as nth_last
  from session_log
  where patient_id = :'patient' and date between :'from'::date and :'to'::date and pain_after is not null
)
select
  (select coalesce(sum(sessions), 0) from slot) as sessions,
  (select coalesce(sum(expected), 0) from slot) as expected,
  (select round(sum(completion) / nullif(sum(expected), 0), 6) from slot) as completion,
  (select round(avg(pain_after), 1) from score where nth <= 7) as pain_first,
  (select count(*) from score where nth <= 7) as n_first,
  (select round(avg(pain_after), 1) from score where nth_last <= 7) as pain_last,
  (select count(*) from score where nth_last <= 7) as n_last,
  (select count(distinct date) from score) as scored_days -- up to 7 the two weeks are the same days, and no change is claimed
