//! Several statements in one message, and so in one round trip.
//!
//! The driver sends one statement at a time and waits for its answer. What it can send at once is plain text, so each statement is prepared
//! on its connection under a name of ours (planned once, as the driver does) and then executed by that name, all in one message. Values
//! travel in that text too. Each is written in a form that can be nothing but a value: numbers, dates and ids from their own types, text
//! as hexadecimal digits. A value of any other type is not written at all: its statement goes by itself, bound by the driver.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use sea_orm::{Value, Values, sea_query::ArrayType};
use sea_query_sqlx::SqlxValues;
use sqlx::{Either, Executor as _, PgConnection, Postgres, postgres::PgRow};

/// The statements prepared on one connection, by their text.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    names: HashMap<String, String>,
    last: u32,
    /// A message failed half-way: what it prepared is known to the server alone.
    pub(crate) spoiled: bool,
}

/// A statement and its values.
pub(crate) type Question = (String, Vec<Value>);

/// The rows of each statement, in order, in one round trip, which ends with `last` if there is one; `None` when a statement has a value
/// that cannot be written here.
async fn ask(
    connection: &mut PgConnection,
    prepared: &mut Prepared,
    questions: &[Question],
    last: Option<&str>,
) -> Option<Result<Vec<Vec<PgRow>>, sqlx::Error>> {
    let mut words = String::new();
    // Which of the answers are to a question, not to a PREPARE.
    let mut wanted = Vec::with_capacity(questions.len() * 2);
    let mut fresh: HashMap<&str, String> = HashMap::new();
    for (sql, values) in questions {
        let written: Vec<(&str, String)> = values.iter().map(written).collect::<Option<_>>()?;
        let name = match prepared.names.get(sql).or_else(|| fresh.get(sql.as_str())) {
            Some(name) => name.clone(),
            None => {
                prepared.last = prepared.last.wrapping_add(1);
                let name = format!("together_{}", prepared.last);
                let kinds: Vec<&str> = written.iter().map(|(kind, _)| *kind).collect();
                let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
                words.push_str(&format!("PREPARE {name}{kinds} AS {sql};\n"));
                wanted.push(false);
                fresh.insert(sql, name.clone());
                name
            }
        };
        let values: Vec<String> = written.into_iter().map(|(_, value)| value).collect();
        let values = if values.is_empty() { String::new() } else { format!(" ({})", values.join(", ")) };
        words.push_str(&format!("EXECUTE {name}{values};\n"));
        wanted.push(true);
    }
    words.push_str(last.unwrap_or_default());
    let answers = read(connection, words, &wanted).await;
    if answers.is_ok() {
        let fresh: Vec<(String, String)> = fresh.into_iter().map(|(sql, name)| (sql.to_owned(), name)).collect();
        prepared.names.extend(fresh);
    } else {
        prepared.spoiled = true;
    }
    Some(answers)
}

/// The rows of each question, in one round trip where they can be written so.
pub(crate) async fn all(
    connection: &mut PgConnection,
    prepared: &mut Prepared,
    questions: &[Question],
    last: Option<&str>,
) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
    if (questions.len() > 1 || last.is_some())
        && let Some(answers) = ask(connection, prepared, questions, last).await
    {
        return answers;
    }
    let mut found = Vec::with_capacity(questions.len());
    for (sql, values) in questions {
        found.push(connection.fetch_all(statement(sql, values.clone())).await?);
    }
    if let Some(last) = last {
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(last.to_owned()))).await?;
    }
    Ok(found)
}

pub(crate) fn statement(sql: &str, values: Vec<Value>) -> sqlx::query::Query<'_, Postgres, SqlxValues> {
    sqlx::query_with(sqlx::AssertSqlSafe(sql), SqlxValues(Values(values)))
}

async fn read(connection: &mut PgConnection, words: String, wanted: &[bool]) -> Result<Vec<Vec<PgRow>>, sqlx::Error> {
    let mut answers = Vec::with_capacity(wanted.len());
    let mut rows = Vec::new();
    let mut at = 0;
    let mut coming = connection.fetch_many(sqlx::raw_sql(sqlx::AssertSqlSafe(words)));
    while let Some(part) = coming.try_next().await? {
        match part {
            Either::Right(row) => rows.push(row),
            Either::Left(_) => {
                let rows = std::mem::take(&mut rows);
                if wanted.get(at).copied().unwrap_or_default() {
                    answers.push(rows);
                }
                at += 1;
            }
        }
    }
    Ok(answers)
}

/// The type of a value, as the driver would declare it, and the value itself.
fn written(value: &Value) -> Option<(&'static str, String)> {
    let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
    let quoted = |text: Option<String>| text.map_or_else(|| "null".to_owned(), |text| format!("'{text}'"));
    Some(match value {
        Value::Bool(v) => ("bool", or_null(v.map(|v| v.to_string()))),
        Value::SmallInt(v) => ("int2", quoted(v.map(|v| v.to_string()))),
        Value::Int(v) => ("int4", quoted(v.map(|v| v.to_string()))),
        Value::BigInt(v) => ("int8", quoted(v.map(|v| v.to_string()))),
        Value::String(v) => ("text", or_null(v.as_deref().map(hexadecimal))),
        Value::Uuid(v) => ("uuid", quoted(v.map(|v| v.to_string()))),
        Value::TimeDate(v) => ("date", quoted((*v).map(|v| v.to_string()))),
        Value::TimeDateTimeWithTimeZone(v) => {
            // Microseconds are all that the database keeps.
            ("timestamptz", or_null(v.map(|v| format!("timestamptz 'epoch' + interval '{} us'", v.unix_timestamp_nanos() / 1000))))
        }
        Value::Array(kind, Some(list)) => {
            let kind = match kind {
                ArrayType::Uuid => "uuid[]",
                ArrayType::String => "text[]",
                _ => return None,
            };
            let list: Vec<String> = list.iter().map(|value| written(value).map(|(_, value)| value)).collect::<Option<_>>()?;
            (kind, format!("array[{}]::{kind}", list.join(",")))
        }
        _ => return None,
    })
}

fn hexadecimal(text: &str) -> String {
    use std::fmt::Write as _;
    let mut digits = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    format!("convert_from('\\x{digits}', 'UTF8')")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::{collection::vec, option, prelude::*};
    use sqlx::Row as _;
    use testkit::Db;
    use uuid::Uuid;

    use super::*;
    use crate::{
        Timeouts,
        db::{Address, Session, connect},
    };

    fn texts() -> impl Strategy<Value = String> {
        // A NUL is no text to Postgres, whichever way it comes.
        prop_oneof![
            "[^\\x00]{0,40}",
            prop::sample::select(vec![
                "'; drop table patient; --",
                "\\'; drop table patient; --",
                "\\x27",
                "$$ $1 ${1} %s",
                "E'\\047'",
                "\\",
                "\u{200b}\u{202e}\u{feff}",
                "a\r\nb\tc",
                "{\"a\", NULL, 'b'}",
                "null",
                "𝄞 محمد ஷ்",
            ])
            .prop_map(str::to_owned),
        ]
    }

    /// A value of each kind that is written here, and the type it is declared as.
    fn values() -> impl Strategy<Value = Value> {
        let date = (1_721_426..5_373_484_i32).prop_map(|day| time::Date::from_julian_day(day).unwrap());
        let instant = (-62_135_596_800_000_000..253_402_300_799_999_999_i64)
            .prop_map(|us| time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(us) * 1000).unwrap());
        let id = any::<u128>().prop_map(Uuid::from_u128);
        prop_oneof![
            option::of(any::<bool>()).prop_map(Value::from),
            option::of(any::<i16>()).prop_map(Value::from),
            option::of(any::<i32>()).prop_map(Value::from),
            option::of(any::<i64>()).prop_map(Value::from),
            option::of(texts()).prop_map(Value::from),
            option::of(id.clone()).prop_map(Value::from),
            option::of(date).prop_map(Value::from),
            option::of(instant).prop_map(Value::from),
            vec(texts(), 0..5).prop_map(Value::from),
            vec(id, 0..5).prop_map(Value::from),
        ]
    }

    /// Whatever a value is, it arrives as the driver would have bound it, and text byte by byte: also where the database has other defaults for
    /// how literals are read and written.
    #[test]
    fn a_value_written_into_a_message_arrives_as_if_it_was_bound() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (db, connection) = runtime.block_on(async {
            let db = Db::new().await;
            let name = db.row("select current_database()").await;
            for setting in
                ["standard_conforming_strings = off", "datestyle = 'SQL, DMY'", "bytea_output = escape", "intervalstyle = iso_8601"]
            {
                db.execute(&format!("alter database {name} set {setting}")).await;
            }
            let session = Session { role: None, statement: None, idle_in_transaction: std::time::Duration::ZERO };
            let connection = connect(&Address::parse(db.url()).unwrap(), session, &Timeouts::default()).await.unwrap();
            (db, connection)
        });
        let used = Mutex::new((connection, Prepared::default()));
        proptest!(|(values in vec(values(), 1..6))| {
            let (connection, prepared) = &mut *used.lock().unwrap();
            let question = |value: &Value| (format!("select ($1::{})::text as v", written(value).unwrap().0), vec![value.clone()]);
            let questions: Vec<Question> = values.iter().map(question).collect();
            let text = |row: &PgRow| row.try_get::<Option<String>, _>("v").unwrap();
            runtime.block_on(async {
                let answers = ask(connection, prepared, &questions, None).await.unwrap().unwrap();
                for ((value, question), rows) in values.iter().zip(&questions).zip(answers) {
                    let bound = connection.fetch_one(statement(&question.0, question.1.clone())).await.unwrap();
                    assert_eq!(text(&rows[0]), text(&bound), "{value:?}");
                    if let Value::String(Some(typed)) = value {
                        assert_eq!(text(&rows[0]).as_deref().map(str::as_bytes), Some(typed.as_bytes()));
                    }
                }
            });
        });
        drop((used, db));
    }
}
