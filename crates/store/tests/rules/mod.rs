//! The rules themselves.

/// One rule.
pub struct Rule {
    /// As a sentence about the offenders.
    pub says: &'static str,
    /// A query that names them, one a row.
    pub finds: &'static str,
    /// Statements that offend, and how the query names the offender.
    pub offences: &'static [(&'static str, &'static str)],
}

/// All of them. An exception stands in the query by its name.
pub const RULES: &[Rule] = &[
    Rule {
        says: "tables without forced row-level security",
        finds: "select relname from pg_class
            where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and relname <> '_sqlx_migrations'
              and not (relrowsecurity and relforcerowsecurity)",
        offences: &[
            ("create table x (clinic_id uuid)", "x"),
            ("alter table patient disable row level security", "patient"),
            ("alter table patient no force row level security", "patient"),
        ],
    },
    Rule {
        says: "tables that row-level security does not reach",
        finds: "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('m', 'f')",
        offences: &[("create materialized view x as select * from patient", "x")],
    },
    Rule {
        says: "tables outside the schema that is looked at",
        finds: "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('public', 'pg_catalog', 'information_schema', 'pg_toast')
              and n.nspname not like 'pg\\_temp%'",
        offences: &[("create schema s; create table s.x ()", "s.x")],
    },
    Rule {
        says: "policies that do not say both what may be read and what may be written",
        finds: "select polrelid::regclass || '.' || polname from pg_policy
            where case when polcmd in ('*', 'w') then polqual is null or polwithcheck is null
                       when polcmd = 'a' then polwithcheck is null else polqual is null end",
        offences: &[
            ("create policy x on patient to homestretch_app using (clinic_id = (select current_clinic()))", "patient.x"),
            ("create policy x on patient for update to homestretch_app using (clinic_id = (select current_clinic()))", "patient.x"),
        ],
    },
    Rule {
        says: "policies that read a setting for each row: not current_clinic() but (select current_clinic())",
        finds: "select polrelid::regclass || '.' || polname from pg_policy
            where replace(concat(pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), ' SELECT current_', '')
              ~ 'current_[a-z]+\\(\\)'",
        offences: &[
            ("create policy x on patient to homestretch_app using (clinic_id = current_clinic()) with check (false)", "patient.x"),
            ("create policy x on patient for insert to homestretch_app with check ((select current_patient()) is null or id = current_patient())", "patient.x"),
        ],
    },
    Rule {
        says: "policies for everybody",
        finds: "select polrelid::regclass || '.' || polname from pg_policy where 0 = any (polroles)",
        offences: &[("create policy x on patient using (true) with check (true)", "patient.x")],
    },
    Rule {
        // The clinic's own row is named by its id; whether mail is held back is the installation's.
        says: "permissive policies of the app that are wider than the clinic",
        finds: "select polrelid::regclass || '.' || polname from pg_policy
            where polpermissive and 'homestretch_app'::regrole = any (polroles)
              and (coalesce(pg_get_expr(polqual, polrelid), '(clinic_id = ( SELECT current_clinic() AS current_clinic))') <> '(clinic_id = ( SELECT current_clinic() AS current_clinic))'
                or coalesce(pg_get_expr(polwithcheck, polrelid), '(clinic_id = ( SELECT current_clinic() AS current_clinic))') <> '(clinic_id = ( SELECT current_clinic() AS current_clinic))')
              and (polrelid::regclass::text, polname, pg_get_expr(polqual, polrelid)) not in
                (('clinic', 'clinic', '(id = ( SELECT current_clinic() AS current_clinic))'), ('mail_sender', 'app', 'true'))",
        offences: &[
            ("create policy x on patient for select to homestretch_app using (true)", "patient.x"),
            ("create policy x on patient to homestretch_app using (clinic_id = (select current_clinic())) with check (true)", "patient.x"),
            ("drop policy clinic on clinic; create policy clinic on clinic to homestretch_app using (true) with check (true)", "clinic.clinic"),
        ],
    },
    Rule {
        says: "tables of the app that have no policy of the clinic",
        finds: "select c.relname from pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and has_any_column_privilege('homestretch_app', c.oid, 'select')
              and not exists (select from pg_policy p where p.polrelid = c.oid and p.polpermissive and 'homestretch_app'::regrole = any (p.polroles))",
        offences: &[("grant select on account to homestretch_app", "account"), ("drop policy clinic on patient", "patient")],
    },
    Rule {
        // A patient reads the names of the staff and the library's exercises, and is told when mail is held back.
        says: "tables that a patient's session would see beyond the patient",
        finds: "select c.relname from pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and has_any_column_privilege('homestretch_app', c.oid, 'select')
              and c.relname not in ('clinic', 'membership', 'exercise', 'mail_sender')
              and not exists (select from pg_policy p where p.polrelid = c.oid and not p.polpermissive and p.polcmd in ('*', 'r')
                and 'homestretch_app'::regrole = any (p.polroles) and pg_get_expr(p.polqual, p.polrelid) like '%current_patient()%')",
        offences: &[
            ("drop policy own on session_log", "session_log"),
            ("drop policy staff on template", "template"),
            ("drop policy own on patient", "patient"),
        ],
    },
    Rule {
        says: "tables about patients that a physiotherapist would see beyond their own caseload",
        finds: "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'patient_id'
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and has_any_column_privilege('homestretch_app', c.oid, 'select')
              and not exists (select from pg_policy p where p.polrelid = c.oid and not p.polpermissive and p.polcmd in ('*', 'r')
                and 'homestretch_app'::regrole = any (p.polroles) and pg_get_expr(p.polqual, p.polrelid) like '%current_caseload()%')",
        offences: &[
            ("drop policy caseload on session_log", "session_log"),
            ("create table x (clinic_id uuid, patient_id uuid); grant select on x to homestretch_app", "x"),
        ],
    },
    Rule {
        says: "tables that a patient's session could write beyond the patient",
        finds: "select c.relname from pg_class c
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and has_any_column_privilege('homestretch_app', c.oid, 'insert, update')
              and exists (select from unnest(array['a', 'w']) cmd
                where has_any_column_privilege('homestretch_app', c.oid, case cmd when 'a' then 'insert' else 'update' end)
                and not exists (select from pg_policy p where p.polrelid = c.oid and not p.polpermissive and p.polcmd in ('*', cmd::\"char\")
                and 'homestretch_app'::regrole = any (p.polroles) and pg_get_expr(p.polwithcheck, p.polrelid) like '%current_patient()%'))",
        offences: &[
            ("drop policy own on session_log", "session_log"),
            ("drop policy staff_update on exercise", "exercise"),
            ("drop policy staff_insert on membership", "membership"),
            ("drop policy staff_update on clinic", "clinic"),
        ],
    },
    Rule {
        says: "views that see with their owner's eyes",
        finds: "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'v'
            and not coalesce(reloptions && array['security_invoker=true', 'security_invoker=on', 'security_invoker=1'], false)",
        offences: &[
            ("create view x as select * from patient", "x"),
            ("create view x with (security_invoker = false) as select * from patient", "x"),
        ],
    },
    Rule {
        // The narrow way in, and the only pen of the audit. Each belongs to a role of the program's that may do no more than it does,
        // looks for names where nobody else can put any, and is not everybody's.
        says: "functions that run as their owner",
        finds: "select p.proname from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosecdef
            and ((p.proname, p.proowner::regrole::text) not in
                (('open_session', 'homestretch_signin'), ('audit_append', 'homestretch_audit'), ('audit_append_in', 'homestretch_audit'),
                 ('end_sessions_of', 'homestretch_signin'), ('end_mailed_sessions_of', 'homestretch_signin'),
                 ('resume_session', 'homestretch_signin'))
              or not 'search_path=public, pg_temp' = any (coalesce(p.proconfig, '{}'))
              or exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0))",
        offences: &[
            (
                "create function x() returns int security definer set search_path = public, pg_temp language sql as 'select 1';
                 revoke all on function x from public",
                "x",
            ),
            ("alter function open_session owner to current_user", "open_session"),
            ("alter function audit_append reset search_path", "audit_append"),
            ("alter function audit_append set search_path = public", "audit_append"),
            ("grant execute on function audit_append_in to public", "audit_append_in"),
        ],
    },
    Rule {
        says: "tables of a clinic whose key does not begin with the clinic",
        finds: "select t.relname from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attname = 'clinic_id'
            left join pg_constraint k on k.conrelid = t.oid and k.contype = 'p'
            where t.relnamespace = 'public'::regnamespace and t.relkind in ('r', 'p') and t.relname not in ('session', 'link')
              and (k.oid is null or k.conkey[1] <> a.attnum)",
        offences: &[
            ("create table x (clinic_id uuid, id uuid primary key)", "x"),
            ("create table x (clinic_id uuid, id uuid, primary key (id, clinic_id))", "x"),
            ("create table x (clinic_id uuid, id uuid)", "x"),
        ],
    },
    Rule {
        // Before a clinic is known a session and a link are found by their tokens; the queue's key is made of ids.
        says: "unique indexes over clinics: one clinic's row would tell of another's",
        finds: "select i.indexrelid::regclass::text from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attname = 'clinic_id'
            join pg_class t on t.oid = i.indrelid
            where t.relnamespace = 'public'::regnamespace and i.indisunique and not a.attnum = any (i.indkey)
              and i.indexrelid::regclass::text not in
                ('session_pkey', 'session_token_hash_key', 'link_pkey', 'link_token_hash_key', 'notice_dedupe_key_key')",
        offences: &[("create unique index x on patient (email)", "x"), ("alter table template add constraint x unique (name)", "x")],
    },
    Rule {
        says: "foreign keys that could lead into another clinic",
        finds: "select k.conname from pg_constraint k
            join pg_attribute a on a.attrelid = k.conrelid and a.attname = 'clinic_id'
            left join pg_attribute b on b.attrelid = k.confrelid and b.attname = 'clinic_id'
            where k.contype = 'f' and case
              when b.attnum is null then k.confrelid::regclass::text not in ('clinic', 'account')
              else array_position(k.conkey, a.attnum) is distinct from array_position(k.confkey, b.attnum)
                or array_position(k.conkey, a.attnum) is null end",
        offences: &[
            (
                "alter table link add constraint y unique (id, clinic_id);
                 alter table notice add link_id uuid, add constraint x foreign key (link_id) references link (id)",
                "x",
            ),
            ("create table y (id uuid primary key); alter table notice add y uuid constraint x references y", "x"),
        ],
    },
    Rule {
        says: "what everybody on the server may use",
        finds: "select c.relname from pg_class c cross join aclexplode(c.relacl) a where c.relnamespace = 'public'::regnamespace and a.grantee = 0
            union all select c.relname || '.' || t.attname from pg_attribute t join pg_class c on c.oid = t.attrelid cross join aclexplode(t.attacl) a
              where c.relnamespace = 'public'::regnamespace and a.grantee = 0
            union all select n.nspname from pg_namespace n cross join aclexplode(n.nspacl) a
              where n.nspname = 'public' and a.grantee = 0 and a.privilege_type = 'CREATE'",
        offences: &[
            ("grant select on patient to public", "patient"),
            ("grant select (name) on patient to public", "patient.name"),
            ("grant create on schema public to public", "public"),
        ],
    },
    Rule {
        says: "default privileges: what is made later would be open unseen",
        finds: "select defaclrole::regrole || ' ' || defaclobjtype::text from pg_default_acl",
        offences: &[("alter default privileges for role homestretch_app grant select on tables to homestretch_worker", "homestretch_app r")],
    },
    Rule {
        says: "roles that pass by the policies",
        finds: "select rolname from pg_roles where rolname like 'homestretch\\_%'
            and (rolsuper or rolbypassrls or rolcanlogin or rolcreaterole or rolcreatedb or rolreplication)",
        offences: &[
            ("alter role homestretch_app bypassrls", "homestretch_app"),
            ("alter role homestretch_worker login", "homestretch_worker"),
        ],
    },
    Rule {
        says: "roles that have another role's rights",
        finds: "select member::regrole || ' in ' || roleid::regrole from pg_auth_members where member::regrole::text like 'homestretch\\_%'",
        offences: &[
            ("grant pg_read_all_data to homestretch_app", "homestretch_app in pg_read_all_data"),
            ("grant homestretch_signin to homestretch_app", "homestretch_app in homestretch_signin"),
        ],
    },
    Rule {
        says: "roles that own something: an owner may change its policies",
        finds: "select refobjid::regrole || ' owns ' || pg_describe_object(classid, objid, 0) from pg_shdepend
            where deptype = 'o' and refclassid = 'pg_authid'::regclass and refobjid::regrole::text like 'homestretch\\_%'
              and dbid in (0, (select oid from pg_database where datname = current_database()))
              and (classid <> 'pg_proc'::regclass
                or (select proname from pg_proc where oid = objid) not in
                  ('open_session', 'resume_session', 'end_sessions_of', 'end_mailed_sessions_of', 'audit_append', 'audit_append_in'))",
        offences: &[
            ("alter table exercise owner to homestretch_app", "homestretch_app owns table exercise"),
            ("create schema s authorization homestretch_worker", "homestretch_worker owns schema s"),
            ("create function x() returns int language sql as 'select 1'; alter function x owner to homestretch_app", "homestretch_app owns function x()"),
        ],
    },
    Rule {
        // What may be deleted is nobody's history: a session, a sign-in half done, a second factor turned off, a count of failures, the items of a template, hours, an address set free,
        // and the entries of a log or the scores of an answer that a correction replaces (what they were is kept by the revision).
        says: "grants to delete",
        finds: "select r.rolname || ' may ' || lower(a.privilege_type) || ' ' || c.relname from pg_class c cross join aclexplode(c.relacl) a
            join pg_roles r on r.oid = a.grantee
            where c.relnamespace = 'public'::regnamespace and r.rolname like 'homestretch\\_%' and (a.privilege_type in ('TRUNCATE', 'TRIGGER', 'REFERENCES')
              or a.privilege_type = 'DELETE' and c.relname not in
                ('session', 'sign_in_failure', 'second_factor', 'recovery_code', 'half_sign_in', 'template_item', 'reminder_rule', 'suppression', 'log_entry',
                 'questionnaire_score'))",
        offences: &[
            ("grant delete on session_log to homestretch_app", "homestretch_app may delete session_log"),
            ("grant truncate on consent to homestretch_worker", "homestretch_worker may truncate consent"),
            ("grant all on delivery_attempt to homestretch_worker", "homestretch_worker may delete delivery_attempt"),
        ],
    },
    Rule {
        says: "grants to change what is only ever added to",
        finds: "select r.rolname || ' may change ' || c.relname from pg_class c join pg_roles r on r.rolname like 'homestretch\\_%'
            where c.relnamespace = 'public'::regnamespace and c.relname in
                ('consent', 'log_revision', 'delivery_attempt', 'audit_entry', 'program_version', 'prescription')
              and has_any_column_privilege(r.oid, c.oid, 'update')",
        offences: &[
            ("grant update on log_revision to homestretch_app", "homestretch_app may change log_revision"),
            ("grant update (wording) on consent to homestretch_signin", "homestretch_signin may change consent"),
        ],
    },
    Rule {
        // Rows that the role does not see are rows that a backup by an ordinary database user leaves out.
        says: "tables that the role for backups does not read whole",
        finds: "select relname from pg_class c
            where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
              and (not has_table_privilege('homestretch_backup', c.oid, 'select')
                or relrowsecurity and not exists (
                  select from pg_policy p where p.polrelid = c.oid and p.polpermissive and p.polcmd = 'r'
                    and p.polroles = array['homestretch_backup'::regrole::oid] and pg_get_expr(p.polqual, p.polrelid) = 'true')
                or exists (select from pg_policy p where p.polrelid = c.oid and not p.polpermissive
                    and 'homestretch_backup'::regrole = any (p.polroles)))",
        offences: &[
            ("create table x (clinic_id uuid)", "x"),
            ("drop policy backup on patient", "patient"),
            ("revoke select on session from homestretch_backup", "session"),
            ("create policy x on patient as restrictive to homestretch_backup using (false)", "patient"),
        ],
    },
    Rule {
        // Found otherwise: what was done in a session and what it said before by the session, a browser's session by its token, a breach by itself.
        says: "tables about patients that no index finds by the patient: a page of one would read those of the clinic",
        finds: "select c.relname from pg_class c
            join pg_attribute p on p.attrelid = c.oid and p.attname = 'patient_id' join pg_attribute k on k.attrelid = c.oid and k.attname = 'clinic_id'
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
              and c.relname not in ('log_entry', 'log_revision', 'session', 'breach')
              and not exists (select from pg_index i where i.indrelid = c.oid
                and coalesce(pg_get_expr(i.indpred, i.indrelid), '(patient_id IS NOT NULL)') = '(patient_id IS NOT NULL)' and i.indkey[0] = k.attnum and i.indkey[1] = p.attnum)",
        offences: &[
            ("drop index prescription_by_patient", "prescription"),
            ("create table x (clinic_id uuid, patient_id uuid, primary key (patient_id, clinic_id))", "x"),
        ],
    },
    Rule {
        says: "what the role for backups may do beside reading",
        finds: "select distinct c.relname || ': ' || lower(a.privilege_type) from pg_class c cross join aclexplode(c.relacl) a
            where c.relnamespace = 'public'::regnamespace and a.grantee = 'homestretch_backup'::regrole and a.privilege_type <> 'SELECT'",
        offences: &[("grant update on patient to homestretch_backup", "patient: update")],
    },
];
