//! Everything a person reads: typed view-models for every template, the words, the formats, the charts.
//!
//! How to add a page: write `templates/pages/<area>/<name>.html`, mirror it with
//! `src/pages/<area>/<name>.rs` holding one struct that implements [`Page`], and add one line to
//! [`registry`]. The tests then render every sample of it, and fail for a template nobody registered,
//! for a variable that no struct provides, and for a sample that changes nothing on the page.

pub mod attention;
pub mod charts;
pub mod chrome;
pub mod fhir;
pub mod figures;
pub mod formats;
pub mod forms;
mod functions;
mod icons;
pub mod ics;
pub mod links;
pub mod mail;
mod mail_styles;
pub mod page;
pub mod pages;
pub mod qr;
pub mod registry;
pub mod svg;
pub mod templates;
pub mod words;

pub use chrome::{Chrome, Flash, Nav, Person, Tone};
pub use forms::{Choice, Crumb, Field, Pagination};
pub use page::Page;
pub use svg::Svg;
pub use templates::{Assets, RenderError, Templates};
