-- The patients of a clinic, or of one physiotherapist in it ($2), whose name or address holds $3 (a LIKE pattern, lower case).
select p.id, p.name, p.email, p.zone, p.region, p.invited_at, p.joined_at, p.physiotherapist_id, p.closed_at is not null as closed,
  m.name as physiotherapist
from patient p
left join membership m on m.clinic_id = p.clinic_id and m.id = p.physiotherapist_id
where p.clinic_id = $1
  and ($2::uuid is null or p.physiotherapist_id = $2)
  and ($3 = '' or lower(p.name) like $3 or p.email like $3)
order by lower(p.name), p.id
limit $4
