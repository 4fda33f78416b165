//! Statements that are asked together travel together: one round trip for all of them.
//!
//! Our driver sends one statement at a time and waits. What it can send at once is plain text, so each statement is prepared on its
//! connection under a name of ours (as the driver would, planned once) and then executed by that name, all in one message. Values
//! travel in that text too, and every one of them is written in a form that cannot be anything but a value: numbers, dates and ids as
//! such, words as hexadecimal digits.

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
