-- A row or more in every table of the schema 0005, as the release of that schema wrote them. Ids end in the number of their table.
insert into clinic (id, name, zone, phone, whatsapp, created_at) values
  ('00000000-0000-7000-8000-0000000000a1', 'Riverside Physio', 'Asia/Kuala_Lumpur', '03 1234', '60123456789', '2026-01-05 01:00Z'),
  ('00000000-0000-7000-8000-0000000000b1', 'Hillside Physio', 'Asia/Singapore', null, null, '2026-01-06 01:00Z');
insert into account (id, email, password_hash, language, created_at, password_changed_at) values
  ('00000000-0000-7000-8000-0000000000a2', 'owner@riverside.test', '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA', 'en', '2026-01-05 01:00Z', '2026-01-05 02:00Z'),
  ('00000000-0000-7000-8000-0000000000c2', 'farah@example.test', null, 'en', '2026-01-07 01:00Z', null),
  ('00000000-0000-7000-8000-0000000000b2', 'owner@hillside.test', '$argon2id$x', 'en', '2026-01-06 01:00Z', '2026-01-06 02:00Z');
insert into membership (clinic_id, id, account_id, role, name, joined_at, disabled_at, created_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000a3', '00000000-0000-7000-8000-0000000000a2', 'owner', 'Olivia Tan', '2026-01-05 02:00Z', null, '2026-01-05 01:00Z'),
  ('00000000-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-0000000000b3', '00000000-0000-7000-8000-0000000000b2', 'owner', 'Ben Ong', '2026-01-06 02:00Z', null, '2026-01-06 01:00Z'),
  -- One person, two clinics; and the second place is closed.
  ('00000000-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-0000000000c3', '00000000-0000-7000-8000-0000000000a2', 'physiotherapist', 'Olivia Tan', '2026-01-08 02:00Z', '2026-02-01 00:00Z', '2026-01-08 01:00Z');
insert into patient (clinic_id, id, account_id, physiotherapist_id, name, email, zone, invited_at, joined_at, created_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000a4', '00000000-0000-7000-8000-0000000000c2', '00000000-0000-7000-8000-0000000000a3', 'Farah Aziz', 'farah@example.test', 'Asia/Kuala_Lumpur', '2026-01-07 01:00Z', '2026-01-07 03:00Z', '2026-01-07 01:00Z'),
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000c4', null, null, 'Mr Paper', null, 'Asia/Kuala_Lumpur', null, null, '2026-01-07 01:00Z'),
  ('00000000-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-0000000000b4', null, '00000000-0000-7000-8000-0000000000b3', 'Farah Aziz', 'farah@example.test', 'Asia/Singapore', '2026-01-09 01:00Z', null, '2026-01-09 01:00Z');
insert into consent (clinic_id, id, patient_id, version, wording, agreed_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000a5', '00000000-0000-7000-8000-0000000000a4', '2026-01', 'I agree that…', '2026-01-07 03:00Z');
insert into session (id, token_hash, account_id, clinic_id, membership_id, patient_id, reach, created_at, seen_at, expires_at, user_agent) values
  ('00000000-0000-7000-8000-0000000000a6', sha256('a'), '00000000-0000-7000-8000-0000000000a2', '00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000a3', null, 'full', '2026-03-01 01:00Z', '2026-03-01 01:00Z', '2026-04-01 01:00Z', 'Firefox'),
  ('00000000-0000-7000-8000-0000000000c6', sha256('c'), '00000000-0000-7000-8000-0000000000c2', '00000000-0000-7000-8000-0000000000a1', null, '00000000-0000-7000-8000-0000000000a4', 'today', '2026-03-01 01:00Z', '2026-03-01 01:00Z', '2026-03-02 01:00Z', null);
insert into link (id, token_hash, purpose, email, clinic_id, patient_id, membership_id, account_id, created_at, expires_at, used_at) values
  ('00000000-0000-7000-8000-0000000000a7', sha256('l'), 'invite_patient', 'farah@example.test', '00000000-0000-7000-8000-0000000000b1', '00000000-0000-7000-8000-0000000000b4', null, null, '2026-01-09 01:00Z', '2026-01-23 01:00Z', null),
  ('00000000-0000-7000-8000-0000000000b7', sha256('m'), 'reset_password', 'owner@riverside.test', null, null, null, '00000000-0000-7000-8000-0000000000a2', '2026-02-09 01:00Z', '2026-02-09 02:00Z', '2026-02-09 01:10Z'),
  ('00000000-0000-7000-8000-0000000000c7', sha256('n'), 'invite_staff', 'new@riverside.test', '00000000-0000-7000-8000-0000000000a1', null, '00000000-0000-7000-8000-0000000000a3', null, '2026-02-09 01:00Z', '2026-02-23 02:00Z', null);
insert into sign_in_failure (subject, failures, first_at, last_at) values ('account:ab12', 3, '2026-03-01 01:00Z', '2026-03-01 01:05Z');
insert into exercise (clinic_id, id, name, region, equipment, figure, instructions, source, source_key, hold_min, hold_max, each_side, rest_s, created_at, archived_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000a8', 'Wall angels', 'upper_back', 'a wall', 'wall-angels', E'Stand.\nSlide.', 'homestretch', 'wall-angels', 2, 3, true, 30, '2026-01-05 01:00Z', null),
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000c8', 'Old one', 'other', '', null, '', 'own', null, null, null, false, null, '2026-01-05 01:00Z', '2026-02-01 00:00Z');
insert into template (clinic_id, id, name, weeks, weekdays, times_a_day, remind_at, created_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000a9', 'Upper back', 6, 127, 1, '08:00', '2026-01-05 01:00Z');
insert into template_item (clinic_id, id, template_id, position, exercise_id, sets_min, sets_max, reps_min, reps_max, breaths, each_side, note) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a10', '00000000-0000-7000-8000-0000000000a9', 1, '00000000-0000-7000-8000-0000000000a8', 2, 3, 10, 12, false, true, 'slowly');
insert into program (clinic_id, id, patient_id, name, starts_on, ends_on, finished_on, created_by, created_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a11', '00000000-0000-7000-8000-0000000000a4', 'Upper back', '2026-02-02', '2026-03-15', null, '00000000-0000-7000-8000-0000000000a3', '2026-02-01 01:00Z'),
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000c11', '00000000-0000-7000-8000-0000000000c4', 'On paper', '2026-01-08', '2026-02-08', '2026-01-20', null, '2026-01-08 01:00Z');
insert into program_version (clinic_id, id, program_id, patient_id, number, from_date, weekdays, times_a_day, created_by, created_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a12', '00000000-0000-7000-8000-000000000a11', '00000000-0000-7000-8000-0000000000a4', 1, '2026-02-02', 127, 1, '00000000-0000-7000-8000-0000000000a3', '2026-02-01 01:00Z');
insert into prescription (clinic_id, id, version_id, program_id, patient_id, position, exercise_id, sets_min, sets_max, reps_min, reps_max, breaths, hold_min, hold_max, each_side, rest_s, note) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a13', '00000000-0000-7000-8000-000000000a12', '00000000-0000-7000-8000-000000000a11', '00000000-0000-7000-8000-0000000000a4', 1, '00000000-0000-7000-8000-0000000000a8', 2, 3, 10, 12, false, 2, 3, true, 30, null);
insert into program_pause (clinic_id, id, program_id, patient_id, from_date, until_date, reason, needs_physiotherapist, created_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a14', '00000000-0000-7000-8000-000000000a11', '00000000-0000-7000-8000-0000000000a4', '2026-02-10', '2026-02-12', 'away', false, '2026-02-09 01:00Z');
insert into session_log (clinic_id, id, patient_id, program_id, version_id, date, performed_at, received_at, corrected_at, pain_before, pain_after, effort, note, red_flags, completion, logged_by) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a15', '00000000-0000-7000-8000-0000000000a4', '00000000-0000-7000-8000-000000000a11', '00000000-0000-7000-8000-000000000a12', '2026-02-03', '2026-02-03 04:00Z', '2026-02-03 04:00:01.234567Z', '2026-02-04 04:00Z', 3, 4, 5, 'Stiff, “then” better 🙂', '{numb_legs}', 0.75, null),
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000c15', '00000000-0000-7000-8000-0000000000a4', '00000000-0000-7000-8000-000000000a11', '00000000-0000-7000-8000-000000000a12', '2026-02-04', '2026-02-04 04:00Z', '2026-02-04 04:00Z', null, null, null, null, null, '{}', 0, '00000000-0000-7000-8000-0000000000a3');
insert into log_entry (clinic_id, log_id, prescription_id, patient_id, sets, reps, hold_s, skipped, completion) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a15', '00000000-0000-7000-8000-000000000a13', '00000000-0000-7000-8000-0000000000a4', 2, 8, 2, null, 0.75),
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000c15', '00000000-0000-7000-8000-000000000a13', '00000000-0000-7000-8000-0000000000a4', null, null, null, 'pain', 0);
insert into log_revision (clinic_id, id, log_id, patient_id, before, replaced_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a16', '00000000-0000-7000-8000-000000000a15', '00000000-0000-7000-8000-0000000000a4', '{"pain_after": 5}', '2026-02-04 04:00Z');
insert into attention_mark (clinic_id, id, patient_id, kind, fact_key, note, snoozed_until, marked_by, marked_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a17', '00000000-0000-7000-8000-0000000000a4', 'pain_high', '2026-02-03', 'called', '2026-02-10', '00000000-0000-7000-8000-0000000000a3', '2026-02-04 05:00Z');
insert into reminder_rule (clinic_id, id, patient_id, local_time, weekdays, zone, quiet_from, quiet_to, paused_until, version, due_at, due_date, created_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a18', '00000000-0000-7000-8000-0000000000a4', '08:00', 127, 'Asia/Kuala_Lumpur', '21:00', '07:00', null, 2, '2026-03-03 00:00Z', '2026-03-03', '2026-02-01 01:00Z');
insert into notice (clinic_id, id, kind, patient_id, membership_id, account_id, program_id, recipient, civil_date, civil_time, dedupe_key, state, reason, due_at, next_at, token, lease_until, attempts, message_id, reply, created_at, settled_at, resent_by, resent_at) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a19', 'session_reminder', '00000000-0000-7000-8000-0000000000a4', null, null, null, 'farah@example.test', '2026-03-02', '08:00', 'r1', 'sent', null, '2026-03-02 00:00Z', '2026-03-02 00:00Z', null, null, 1, '<a@x>', '250 ok', '2026-03-02 00:00Z', '2026-03-02 00:01Z', null, null),
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000b19', 'password_reset', null, null, '00000000-0000-7000-8000-0000000000a2', null, 'owner@riverside.test', null, null, 'p1', 'dead', null, '2026-02-09 01:00Z', '2026-02-09 01:00Z', null, null, 5, null, '550 no', '2026-02-09 01:00Z', '2026-02-09 03:00Z', '00000000-0000-7000-8000-0000000000a3', '2026-02-09 02:00Z'),
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000c19', 'invitation', null, '00000000-0000-7000-8000-0000000000a3', null, null, 'owner@riverside.test', null, null, 'i1', 'pending', null, '2026-03-02 00:00Z', '2026-03-02 00:00Z', null, null, 0, null, null, '2026-03-02 00:00Z', null, null, null),
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000d19', 'session_reminder', '00000000-0000-7000-8000-0000000000a4', null, null, null, 'farah@example.test', '2026-03-01', '08:00', 'r2', 'skipped', 'done_already', '2026-03-01 00:00Z', '2026-03-01 00:00Z', null, null, 0, null, null, '2026-03-01 00:00Z', '2026-03-01 00:01Z', null, null);
insert into delivery_attempt (clinic_id, id, notice_id, at, phase, outcome, reply) values
  ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-000000000a20', '00000000-0000-7000-8000-000000000a19', '2026-03-02 00:01Z', 'dot', 'sent', '250 ok');
insert into suppression (clinic_id, email, scope, reason, created_at) values
  ('00000000-0000-7000-8000-0000000000a1', 'gone@example.test', 'all', '550 no such user', '2026-02-01 00:00Z');
update mail_sender set paused_since = '2026-03-01 00:00Z', paused_reason = '421 later', zone_database = '2025b';
