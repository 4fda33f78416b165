//! A patient's record as a zip: a table for each part of it, all of it once more as JSON, what was prescribed and logged in the words of
//! FHIR, and a README in the patient's words.
//!
//! `README.txt`, `fhir.json`, `NAME.csv` for each table of [`store::export::TABLES`], `data.json`: `{"format": "homestretch record", "version": 1,
//! "clinic", "made_at", "NAME": [{"column": value, …}, …], …}`. Names of files, columns and keys stay; new ones are added.

use std::io::Write;

use domain::{
    person::{Language, Zone},
    record::Part,
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use jiff::Timestamp;
use render::{fhir, formats, words::say};
use serde_json::Value;
use store::export::{Piece, Table};
use tokio::sync::mpsc::Receiver;
use zip::{CompressionMethod, DateTime, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::{bundle, download::Whole};
use crate::csv;

/// What the README says besides the tables.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// The clinic's name.
    pub(crate) clinic: String,
    /// The patient's name.
    pub(crate) name: String,
    /// The patient's language.
    pub(crate) language: Language,
    /// The patient's zone.
    pub(crate) zone: Zone,
    /// When it is made.
    pub(crate) now: Timestamp,
}

/// What keeps a zip from being made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("the zip cannot be written: {0}")]
    Zip(#[from] ZipError),
    #[error("the zip cannot be written: {0}")]
    Write(#[from] std::io::Error),
    #[error("a value cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes the pieces down as they come, until no more do, then the parts. Blocks: run it where that is allowed. All that piles up is the
/// JSON, compressed.
///
/// # Errors
/// [`ArchiveError`]; none of it is the patient's fault.
pub(crate) fn build(
    to: impl Write,
    (mut pieces, parts): (Receiver<Piece>, Receiver<Part>),
    whole: Whole,
    about: &About,
    sender: fhir::About,
) -> Result<(), ArchiveError> {
    let options = options(about);
    let mut tables = ZipWriter::new_stream(to);
    // Two entries of one archive cannot be written side by side, so the JSON is packed beside it and moved over at the end.
    let mut json = GzEncoder::new(Vec::new(), Compression::fast());
    let head = [("clinic", about.clinic.clone()), ("made_at", about.now.to_string())];
    write!(json, "{{\"format\":\"homestretch record\",\"version\":1")?;
    for (key, value) in head {
        write!(json, ",\"{key}\":{}", serde_json::to_string(&value)?)?;
    }
    let mut counts: Vec<(&'static Table, usize)> = Vec::new();
    while let Some(piece) = pieces.blocking_recv() {
        match (piece, counts.last_mut()) {
            (Piece::Table(table), last) => {
                tables.start_file(format!("{}.csv", table.name), options)?;
                tables.write_all(csv::BYTE_ORDER_MARK.as_bytes())?;
                tables.write_all(csv::line(table.columns).as_bytes())?;
                write!(json, "{},\n\"{}\":[", if last.is_some() { "]" } else { "" }, table.name)?;
                counts.push((table, 0));
            }
            (Piece::Rows(rows), Some((table, count))) => {
                for row in rows {
                    tables.write_all(csv::line(row.iter().map(cell)).as_bytes())?;
                    json.write_all(if *count == 0 { b"\n" } else { b",\n" })?;
                    *count += 1;
                    let object: serde_json::Map<String, Value> =
                        table.columns.iter().map(|column| (*column).to_owned()).zip(row).collect();
                    serde_json::to_writer(&mut json, &object)?;
                }
            }
            // Rows of no table: there are none.
            (Piece::Rows(_), None) => {}
        }
    }
    writeln!(json, "{}}}", if counts.is_empty() { "" } else { "]" })?;
    tables.start_file("data.json", options)?;
    std::io::copy(&mut GzDecoder::new(json.finish()?.as_slice()), &mut tables)?;
    // Mostly ids: twice the time would make it a fifth smaller.
    tables.start_file("fhir.json", options.compression_level(Some(1)))?;
    bundle::write(&mut tables, parts, sender)?;
    tables.start_file("README.txt", options)?;
    tables.write_all(readme(about, &counts).as_bytes())?;
    // Without its directory it is no archive.
    whole.check()?;
    tables.finish()?.into_inner().flush()?;
    Ok(())
}

fn options(about: &About) -> SimpleFileOptions {
    let at = about.zone.datetime(about.now);
    let part = |value: i8| u8::try_from(value).unwrap_or_default();
    let year = u16::try_from(at.year()).unwrap_or(1980);
    let made =
        DateTime::from_date_and_time(year, part(at.month()), part(at.day()), part(at.hour()), part(at.minute()), part(at.second()));
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(made.unwrap_or_default())
        .unix_permissions(0o600)
}

/// A value as a cell of a table.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join("; "),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

fn readme(about: &About, counts: &[(&'static Table, usize)]) -> String {
    let About { clinic, name, language, zone, now } = about;
    let told = |key: &str, args: &[(&'static str, render::words::FluentValue<'_>)]| say(*language, key, args);
    let when = zone.datetime(*now);
    let when = format!("{}, {}", formats::day_and_year(*language, when.date()), formats::hour(*language, when.time()));
    let of = || [("clinic", clinic.clone().into())];
    let mut lines = vec![
        told("export-heading", &of()),
        told("export-made", &[("name", name.clone().into()), ("when", when.into())]),
        String::new(),
        told("export-lead", &of()),
        String::new(),
        told("export-files", &[]),
    ];
    for (table, rows) in counts {
        let rows = told("export-rows", &[("rows", (*rows).into())]);
        lines.push(format!("  {}.csv: {} ({rows})", table.name, told(&format!("export-{}", table.name), &[])));
    }
    lines.extend([
        format!("  fhir.json: {}", told("export-fhir", &[])),
        String::new(),
        told("export-notes", &[]),
        format!("  {}", told("export-note-text", &[])),
        format!("  {}", told("export-note-time", &[("zone", zone.name().to_owned().into())])),
        format!("  {}", told("export-note-empty", &[])),
        format!("  {}", told("export-note-formula", &[])),
        String::new(),
        told("export-not-in", &of()),
    ]);
    lines.join("\r\n") + "\r\n"
}
