//! Writes every sample of every page and mail into a folder, to be looked at in a browser:
//! `cargo run -p render --example gallery -- /tmp/gallery`, then open `/tmp/gallery/index.html`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use render::words::Language;
use render::{Templates, mail, registry};

fn main() -> std::process::ExitCode {
    match write() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn write() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "/tmp/gallery".into()));
    std::fs::create_dir_all(&folder)?;
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/assets").canonicalize()?;
    let assets = assets.display().to_string();
    let templates = Templates::with_assets(Arc::new(move |name| Some(format!("file://{assets}/{name}"))))?;
    let mut index = String::from("<!doctype html><meta charset=utf-8><title>Gallery</title><ul>");
    for entry in registry::all() {
        for (n, html) in (entry.render)(&templates)?.into_iter().enumerate() {
            let name = format!("{}-{n}.html", entry.template.trim_end_matches(".html").replace('/', "-"));
            // a file: page may not use fonts and styles across folders with `crossorigin`
            std::fs::write(folder.join(&name), html.replace(" crossorigin>", ">"))?;
            index.push_str(&format!("<li><a href=\"{name}\">{name}</a>"));
        }
    }
    for entry in mail::all() {
        for (n, mail) in (entry.render)(&templates, Language::En)?.into_iter().enumerate() {
            let name = format!("mail-{}-{n}", entry.kind);
            std::fs::write(folder.join(format!("{name}.html")), mail.html)?;
            std::fs::write(folder.join(format!("{name}.txt")), format!("{}\n\n{}", mail.subject, mail.text))?;
            index.push_str(&format!("<li><a href=\"{name}.html\">{name}</a> <a href=\"{name}.txt\">plain</a>"));
        }
    }
    std::fs::write(folder.join("index.html"), index)?;
    println!("{}", folder.join("index.html").display());
    Ok(())
}
