-- What the strip, adherence, pain and attention rest on: the sessions of some patients ($2), a row for each patient with the sessions in arrays,
-- in no order. Of each patient since the start of the oldest of their programs that had not ended by $4, and in any case since $3,
-- but not from before $5, from which the days are counted. (least() leaves out what is null; -1 stands for a score that was not given.)
with since as (
  select w.patient_id, greatest($5, least($3, min(p.starts_on))) as date
  from unnest($2) as w (patient_id)
  left join program p on p.clinic_id = $1 and p.patient_id = w.patient_id and least(p.ends_on, p.finished_on - 1) >= $4
  group by w.patient_id
)
select since.patient_id, s.*
from since, lateral (
  select
    array_agg(id) as ids,
    array_agg(program_id) as programs,
    array_agg((date - $5)::smallint) as days,
    array_agg((date_part('epoch', performed_at) * 1000000)::bigint) as performed,
    array_agg(completion) as completions,
    array_agg(coalesce(pain_after, -1::smallint)) as afters,
    -- Few sessions say more; these are named once again.
    coalesce(array_agg(id) filter (where red_flags <> '{}'), '{}') as flagged,
    coalesce(array_agg(array_to_string(red_flags, ' ')) filter (where red_flags <> '{}'), '{}') as flags,
    coalesce(array_agg(id) filter (where note <> ''), '{}') as noted,
    coalesce(array_agg((date_part('epoch', received_at) * 1000000)::bigint) filter (where note <> ''), '{}') as received,
    coalesce(array_agg(exists (
      select from reply r where r.clinic_id = $1 and r.log_id = l.id and r.note = l.note)) filter (where note <> ''), '{}') as answered
  from session_log l
  where l.clinic_id = $1 and l.patient_id = since.patient_id and l.date >= since.date
) s
where s.ids is not null
