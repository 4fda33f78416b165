//! What a database holds and how it is protected, as far as a restore must bring it back: rows by table, policies, grants, functions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _};

use super::{quoted, said};
use crate::StoreError;

/// What a backup promises to bring back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The major version of the server.
    pub postgres: i32,
    /// The number of the last migration.
    pub schema: i64,
    /// The roles that cannot sign in and are granted something here, `homestretch_…`.
    pub roles: BTreeSet<String>,
    /// Functions that work with a role's rights (security definer), and the role each must belong to. pg_restore would give them to
    /// whoever restores, who may do far more.
    pub owners: BTreeMap<String, String>,
    /// Rows by table.
    pub tables: BTreeMap<String, i64>,
    /// What protects them.
    pub shape: Shape,
}

/// What the schema consists of beside the tables' rows. Each entry has a name for people and its detail (the text the server gives, or a
/// digest of it).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(pub BTreeMap<String, String>);

impl Contents {
    /// Rows in all tables together.
    pub fn rows(&self) -> i64 {
        self.tables.values().sum()
    }

    /// What differs in `other`, one sentence each. Details are compared between servers of the same major version only: how a server
    /// writes an expression down may change from one to the next.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.schema != other.schema {
            found.push(format!("the schema is {} and should be {}", other.schema, self.schema));
        }
        found.extend(
            self.owners
                .iter()
                .filter(|(function, role)| other.owners.get(*function) != Some(role))
                .map(|(function, role)| format!("{function} does not belong to {role}")),
        );
        for (table, rows) in &self.tables {
            match other.tables.get(table) {
                None => found.push(format!("the table {table} is missing")),
                Some(there) if there != rows => found.push(format!("{table} has {there} rows and should have {rows}")),
                Some(_) => {}
            }
        }
        found.extend(
            other.tables.keys().filter(|table| !self.tables.contains_key(*table)).map(|table| format!("the table {table} is new")),
        );
        for (name, detail) in &self.shape.0 {
            match other.shape.0.get(name) {
                None => found.push(format!("missing: {name}")),
                Some(there) if there != detail && self.postgres == other.postgres => found.push(format!("different: {name}")),
                Some(_) => {}
            }
        }
        found.extend(
            other.shape.0.keys().filter(|name| !self.shape.0.contains_key(*name)).map(|name| format!("not in the backup: {name}")),
        );
        found
    }

    /// Reads them. `counted` is told each table before its rows are counted.
    pub(super) async fn read(db: &mut PgConnection, counted: &mut (dyn FnMut(&str) + Send)) -> Result<Self, StoreError> {
        let schema = sqlx::query_scalar("select coalesce(max(version), 0) from public._sqlx_migrations where success")
            .fetch_one(&mut *db)
            .await
            .map_err(said)?;
        let names: Vec<String> = sqlx::query_scalar(
            "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') order by 1",
        )
        .fetch_all(&mut *db)
        .await
        .map_err(said)?;
        let mut tables = BTreeMap::new();
        for name in names {
            counted(&name);
            let sql = format!("select count(*) from public.{}", quoted(&name));
            let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *db).await.map_err(said)?;
            tables.insert(name, rows);
        }
        let shape = sqlx::query(SHAPE).fetch_all(&mut *db).await.map_err(said)?;
        let shape =
            shape.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect::<Result<_, sqlx::Error>>().map_err(said)?;
        let owners: Vec<(String, String)> = sqlx::query_as(OWNERS).fetch_all(&mut *db).await.map_err(said)?;
        let roles: Vec<String> = sqlx::query_scalar(ROLES).fetch_all(&mut *db).await.map_err(said)?;
        let postgres = sqlx::query_scalar("select current_setting('server_version_num')::int / 10000")
            .fetch_one(&mut *db)
            .await
            .map_err(said)?;
        Ok(Self {
            postgres,
            schema,
            roles: roles.into_iter().collect(),
            owners: owners.into_iter().collect(),
            tables,
            shape: Shape(shape),
        })
    }
}

/// The product's roles: whoever a policy is for or a table is granted to, and cannot sign in.
const ROLES: &str = r"
select distinct r.rolname::text from pg_roles r where r.rolname ~ '^homestretch_' and not r.rolcanlogin and (
  exists (select from pg_policy p where r.oid = any (p.polroles))
  or exists (select from pg_proc f where f.pronamespace = 'public'::regnamespace and f.proowner = r.oid)
  or exists (select from pg_class c cross join lateral aclexplode(c.relacl) a
             where c.relnamespace = 'public'::regnamespace and a.grantee = r.oid))
order by 1";

const OWNERS: &str = r"
select format('public.%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), r.rolname::text
from pg_proc p join pg_roles r on r.oid = p.proowner
where p.pronamespace = 'public'::regnamespace and r.rolname ~ '^homestretch_' and not r.rolcanlogin";

/// Two texts a row: what it is, and its detail. Everything that is not a row of a table and still decides who may do what.
const SHAPE: &str = r"
with ours as (select oid, relname, relkind, relacl, relowner, relrowsecurity, relforcerowsecurity from pg_class
              where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'S')),
     who as (select oid, rolname from pg_roles where rolname ~ '^homestretch_' and not rolcanlogin
             union all select 0, 'everybody'),
     routines as (select p.oid, format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) as name, p.*
                  from pg_proc p where p.pronamespace = 'public'::regnamespace)
select format('row security of %s', relname),
       case when relrowsecurity then 'on' else 'off' end || case when relforcerowsecurity then ', forced' else '' end
  from ours where relkind in ('r', 'p')
union all
select format('policy %s on %s for %s to %s (%s)', policyname, tablename, cmd, array_to_string(roles, ', '), lower(permissive)),
       md5(concat_ws(' ~ ', coalesce(qual, '-'), coalesce(with_check, '-')))
  from pg_policies where schemaname = 'public'
union all
select format('%s on %s to %s', lower(a.privilege_type), o.relname, w.rolname), case when a.is_grantable then 'and to pass on' else '' end
  from ours o cross join lateral aclexplode(o.relacl) a join who w on w.oid = a.grantee
union all
select format('%s on %s.%s to %s', lower(a.privilege_type), o.relname, t.attname, w.rolname), ''
  from ours o join pg_attribute t on t.attrelid = o.oid cross join lateral aclexplode(t.attacl) a join who w on w.oid = a.grantee
union all
select format('%s on the schema to %s', lower(a.privilege_type), w.rolname), ''
  from pg_namespace n cross join lateral aclexplode(n.nspacl) a join who w on w.oid = a.grantee where n.nspname = 'public' and a.grantee <> 0
union all
select format('function %s', name),
       concat_ws(' ', case when prosecdef then 'definer' else 'invoker' end, provolatile, coalesce(array_to_string(proconfig, ' '), ''), md5(prosrc))
  from routines
union all
select format('execute on %s to %s', r.name, w.rolname), ''
  from routines r cross join lateral aclexplode(coalesce(r.proacl, acldefault('f', r.proowner))) a join who w on w.oid = a.grantee
union all
select format('trigger %s on %s', t.tgname, o.relname), t.tgenabled::text || ' ' || md5(pg_get_triggerdef(t.oid))
  from pg_trigger t join ours o on o.oid = t.tgrelid where not t.tgisinternal
union all
select format('constraint %s on %s', c.conname, o.relname), md5(pg_get_constraintdef(c.oid))
  from pg_constraint c join ours o on o.oid = c.conrelid where c.contype <> 'n'
union all
select format('index %s', i.indexname), md5(i.indexdef) from pg_indexes i where i.schemaname = 'public'
union all
select format('view %s', relname), md5(pg_get_viewdef(oid)) from ours where relkind in ('v', 'm')
order by 1";

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        Contents {
            postgres: 15,
            schema: 10,
            roles: BTreeSet::from(["homestretch_app".to_owned()]),
            owners: BTreeMap::from([("public.audit_append()".to_owned(), "homestretch_audit".to_owned())]),
            tables: BTreeMap::from([("clinic".to_owned(), 1), ("patient".to_owned(), 12)]),
            shape: Shape(BTreeMap::from([("policy clinic on patient".to_owned(), "abc".to_owned())])),
        }
    }

    #[test]
    fn the_same_has_no_differences() {
        assert_eq!(contents().differences(&contents()), Vec::<String>::new());
    }

    #[test]
    fn every_kind_of_difference_is_a_sentence() {
        let mut other = contents();
        other.schema = 9;
        other.owners = BTreeMap::new();
        other.tables = BTreeMap::from([("patient".to_owned(), 11), ("guest".to_owned(), 0)]);
        other.shape = Shape(BTreeMap::from([("delete on patient to everybody".to_owned(), String::new())]));
        assert_eq!(
            contents().differences(&other),
            [
                "the schema is 9 and should be 10",
                "public.audit_append() does not belong to homestretch_audit",
                "the table clinic is missing",
                "patient has 11 rows and should have 12",
                "the table guest is new",
                "missing: policy clinic on patient",
                "not in the backup: delete on patient to everybody",
            ]
        );
    }

    #[test]
    fn details_count_between_servers_of_one_version_alone() {
        let mut other = contents();
        other.shape = Shape(BTreeMap::from([("policy clinic on patient".to_owned(), "xyz".to_owned())]));
        assert_eq!(contents().differences(&other), ["different: policy clinic on patient"]);
        other.postgres = 17;
        assert_eq!(contents().differences(&other), Vec::<String>::new());
    }
}
