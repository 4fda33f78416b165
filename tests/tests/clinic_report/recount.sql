-- Counts a clinic's report again from the rows, by the rules and not by our code: sessions due and done and how much of them, by
-- physiotherapist, program, exercise and for the whole clinic, and who still logs by week.
-- Parameters: :from, :to, :today (the same civil date for all of the clinic's patients).
with day as (
  select generate_series(:'from'::date, least(:'to'::date, :'today'::date), interval '1 day')::date as day
), due as ( -- sessions prescribed on each day, by the newest version that holds then
  select day, p.id as program_id, p.patient_id, p.name, v.id as version_id, v.times_a_day as slots
  from day
  join program p on day between p.starts_on and p.ends_on and (p.finished_on is null or day < p.finished_on)
  cross join lateral (
    select * from program_version v where v.program_id = p.id and v.from_date <= day order by v.number desc limit 1
  ) v
  where (v.weekdays >> (extract(isodow from day)::int - 1)) & 1 = 1
    and not exists (
      select from program_pause z
      where z.program_id = p.id and day >= z.from_date and day <= coalesce(z.until_date, 'infinity'::date))
), counted as ( -- never more of a day than its slots, the fullest first
  select due.*, log.id as log_id, log.completion,
    row_number() over (partition by due.day, due.program_id order by log.completion desc nulls last) as place,
    count(log.id) over (partition by due.day, due.program_id) as logged
  from due left join session_log log on log.program_id = due.program_id and log.date = due.day
), slot as (
  select day, program_id, patient_id, name, version_id,
    max(case when day < :'today'::date then slots else least(slots, logged) end) as expected,
    count(*) filter (where completion > 0 and place <= slots) as sessions,
    coalesce(sum(completion) filter (where place <= slots), 0) as completion
  from counted group by day, program_id, patient_id, name, version_id
), exercise_due as (
  select x.exercise_id, sum(s.expected) as due, count(distinct s.patient_id) filter (where s.expected > 0) as patients
  from slot s join prescription x on x.version_id = s.version_id
  group by x.exercise_id
), exercise_done as (
  select x.exercise_id, sum(e.completion) as done
  from counted c
  join log_entry e on e.log_id = c.log_id
  join prescription x on x.id = e.prescription_id
  where c.place <= c.slots
  group by x.exercise_id
), week as ( -- seven days from each program's own start, those that have passed inside the period
  select p.id as program_id, n as number, p.starts_on + 7 * (n - 1) as first,
    least(p.starts_on + 7 * n - 1, p.ends_on, coalesce(p.finished_on - 1, p.ends_on)) as last
  from program p cross join generate_series(1, 105) n
), due_week as (
  select w.number, w.program_id, exists (
    select from session_log l
    where l.program_id = w.program_id and l.date between w.first and w.last and l.completion > 0) as logging
  from week w
  where w.first <= w.last and w.first >= :'from'::date and w.last <= :'to'::date and w.last < :'today'::date
    and exists (select from due d where d.program_id = w.program_id and d.day between w.first and w.last)
)
select 'clinic' as by, '' as name, count(distinct patient_id) filter (where expected > 0) as patients, sum(expected) as due,
  sum(sessions)::text as done, round(sum(completion)::numeric, 2) as completion
from slot
union all
select 'physiotherapist', coalesce(m.name, 'On nobody’s caseload'), count(distinct s.patient_id) filter (where expected > 0),
  sum(expected), sum(sessions)::text, round(sum(completion)::numeric, 2)
from slot s join patient p on p.id = s.patient_id left join membership m on m.id = p.physiotherapist_id
group by m.name having sum(expected) > 0
union all
select 'program', s.name, count(distinct patient_id) filter (where expected > 0), sum(expected), sum(sessions)::text,
  round(sum(completion)::numeric, 2)
from slot s group by s.name having sum(expected) > 0
union all
select 'exercise', e.name, d.patients, d.due, '', round(coalesce(o.done, 0)::numeric, 2)
from exercise_due d join exercise e on e.id = d.exercise_id left join exercise_done o on o.exercise_id = d.exercise_id
where d.due > 0
union all
select 'week', number::text, count(*), count(*), (count(*) filter (where logging))::text, null from due_week group by number
order by 1, 2
