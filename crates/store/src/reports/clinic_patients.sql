-- What the figures need of the clinic's patients. Read by themselves, and matched with the programs here: the planner knows too little
-- behind row-level security and would look each patient up, three pages for each instead of one for fifty.
select id, zone, region, physiotherapist_id from patient where clinic_id = $1
