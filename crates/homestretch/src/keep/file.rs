//! The file: what pg_dump wrote (its custom format, compressed), then a manifest that says what must be in it, then one line that says
//! where the manifest is. A file that ends early lacks that line. `pg_restore` reads the file as it is, should this program be lost.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use store::keep::{Contents, Head};
use uuid::Uuid;

/// The version of the form below. A program reads its own and older ones.
const FORM: u32 = 1;

/// How the last line begins.
const MARK: &str = "\nHOMESTRETCH-BACKUP ";

/// How long the last line is: the mark, the form in 3 digits, the manifest's length in 12, its SHA-256 in 64.
const LAST_LINE: usize = MARK.len() + 3 + 1 + 12 + 1 + 64 + 1;

/// No manifest is larger; a larger one is damage or mischief.
const LARGEST_MANIFEST: u64 = 64 << 20;

/// What the file says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The version of this program that made it.
    pub made_by: String,
    /// The moment whose rows it holds.
    #[serde(with = "instant")]
    pub made_at: Timestamp,
    /// Bytes that pg_dump wrote.
    pub bytes: u64,
    /// Their SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// What must be in a database restored from it.
    pub contents: Contents,
    /// The audit's heads at that moment: an anchor for `homestretch audit verify`.
    pub heads: Vec<Head>,
}

/// A backup that is being written.
pub(super) struct Writer {
    out: Box<dyn Write + Send>,
    partial: Option<Partial>,
    hash: Sha256,
    bytes: u64,
}

/// A file under a name for the time being. Dropping it before its end removes it.
struct Partial {
    beside: PathBuf,
    file: PathBuf,
}

impl Writer {
    /// Begins. `-` is the standard output; what exists and is no ordinary file (a pipe, a device) is written to as it is; an ordinary file
    /// is written under another name and gets its own only when it is complete. Readable for this user alone.
    pub(super) fn new(path: &Path, overwrite: bool) -> Result<Self> {
        let with = |out: Box<dyn Write + Send>, partial| Self { out, partial, hash: Sha256::new(), bytes: 0 };
        if path == Path::new("-") {
            return Ok(with(Box::new(std::io::stdout()), None));
        }
        let name = path.file_name().with_context(|| format!("{} is not the name of a file", path.display()))?;
        match fs::metadata(path) {
            Ok(there) if there.is_dir() => bail!("{} is a folder; name a file in it", path.display()),
            Ok(there) if !there.is_file() => {
                let device =
                    OpenOptions::new().write(true).open(path).with_context(|| format!("cannot write {}", path.display()))?;
                return Ok(with(Box::new(device), None));
            }
            Ok(_) if !overwrite => bail!("{} exists already; give another name, or --overwrite to replace it", path.display()),
            _ => {}
        }
        let beside = path.with_file_name(format!(".{}.{}.partial", name.to_string_lossy(), Uuid::now_v7().simple()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .with_context(|| format!("cannot write in {}", folder(path).display()))?;
        Ok(with(Box::new(file), Some(Partial { beside, file: path.to_owned() })))
    }

    /// The next bytes of pg_dump.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).context("cannot write the backup")
    }

    /// Writes the manifest and the last line, and gives the file its name.
    pub(super) fn finish(mut self, made_by: &str, made_at: Timestamp, contents: Contents, heads: Vec<Head>) -> Result<Manifest> {
        let sha256 = hex(&std::mem::take(&mut self.hash).finalize());
        let manifest = Manifest { made_by: made_by.to_owned(), made_at, bytes: self.bytes, sha256, contents, heads };
        let text = serde_json::to_vec(&manifest)?;
        let last = format!("{MARK}{FORM:03} {:012} {}\n", text.len(), hex(&Sha256::digest(&text)));
        let written = self.out.write_all(&text).and_then(|()| self.out.write_all(last.as_bytes())).and_then(|()| self.out.flush());
        written.context("cannot write the backup")?;
        drop(self.out);
        if let Some(partial) = self.partial.take() {
            partial.complete()?;
        }
        Ok(manifest)
    }
}

impl Partial {
    fn complete(self) -> Result<()> {
        // On the disk before it has its name, and the name on the disk before anybody is told.
        let kept = File::open(&self.beside)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&self.beside, &self.file))
            .and_then(|()| File::open(folder(&self.file))?.sync_all());
        kept.with_context(|| format!("cannot write {}", self.file.display()))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After the rename there is nothing of this name.
        let _ = fs::remove_file(&self.beside);
    }
}

/// A backup that is read. What is said about it here was checked.
#[derive(Debug)]
pub(super) struct Backup {
    pub manifest: Manifest,
    file: File,
}

impl Backup {
    /// Opens the file and reads its manifest.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let about = file.metadata()?;
        ensure!(about.is_file(), "{} is not a file", path.display());
        let wrong = |why: &str| anyhow::anyhow!("{}: {why}", path.display());
        let size = about.size();
        let mut head = [0_u8; 5];
        let is_dump = file.read_exact(&mut head).is_ok() && &head == b"PGDMP";
        let cut = if is_dump { "it is cut short: its end is missing" } else { "this is no backup of Homestretch" };
        let Some(last_at) = size.checked_sub(LAST_LINE as u64) else { return Err(wrong(cut)) };
        let last = read(&mut file, last_at, LAST_LINE as u64)?;
        let Some((form, length, hash)) = std::str::from_utf8(&last).ok().and_then(last_line) else {
            return Err(wrong(cut));
        };
        if form > FORM {
            return Err(wrong("it was made by a newer Homestretch; restore it with that version"));
        }
        let Some(dumped) = last_at.checked_sub(length).filter(|_| length <= LARGEST_MANIFEST) else {
            return Err(wrong("it is damaged"));
        };
        let text = read(&mut file, dumped, length)?;
        if hex(&Sha256::digest(&text)) != hash {
            return Err(wrong("it is damaged: its manifest is not the one that was written"));
        }
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|why| wrong(&format!("its manifest cannot be read: {why}")))?;
        if !is_dump || manifest.bytes != dumped {
            return Err(wrong("it is damaged: something is missing in its middle"));
        }
        Ok(Self { manifest, file })
    }

    /// Hands over pg_dump's bytes in order.
    pub(super) fn rewind(&mut self) -> Result<impl std::io::Read> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok((&self.file).take(self.manifest.bytes))
    }

    /// Reads all of it and compares it with its checksum.
    pub(super) fn verify(&mut self, mut advance: impl FnMut(u64)) -> Result<()> {
        let expected = self.manifest.sha256.clone();
        let mut from = self.rewind()?;
        let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            let read = from.read(&mut buffer).context("cannot read the backup")?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            advance(read as u64);
        }
        ensure!(hex(&hash.finalize()) == expected, "the backup is damaged: its bytes are not the ones that were written");
        Ok(())
    }
}

/// An instant as text, `2026-03-02T00:00:00Z`.
mod instant {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

fn read(file: &mut File, at: u64, length: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn last_line(text: &str) -> Option<(u32, u64, &str)> {
    let mut parts = text.strip_prefix(MARK)?.strip_suffix('\n')?.split(' ');
    let found = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    // Forms are counted from 1.
    (parts.next().is_none() && found.0 > 0).then_some(found)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::{collections::BTreeMap, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn contents() -> Contents {
        Contents {
            postgres: 15,
            schema: 10,
            roles: [].into(),
            owners: BTreeMap::new(),
            tables: BTreeMap::from([("clinic".to_owned(), 1)]),
            shape: store::keep::Shape::default(),
        }
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("homestretch-file-{}", Uuid::now_v7()));
            fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        fn names(&self) -> Vec<String> {
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn written(path: &Path) -> Vec<u8> {
        let mut writer = Writer::new(path, true).unwrap();
        writer.write(b"PGDMP and what pg_dump says").unwrap();
        writer.finish("0.1.0", Timestamp::UNIX_EPOCH, contents(), vec![]).unwrap();
        fs::read(path).unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_for_this_user_alone() {
        let folder = Folder::new();
        let path = folder.0.join("a.backup");
        written(&path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut backup = Backup::open(&path).unwrap();
        backup.verify(|_| ()).unwrap();
        assert_eq!(backup.manifest.contents, contents());
        let mut dump = String::new();
        backup.rewind().unwrap().read_to_string(&mut dump).unwrap();
        assert_eq!(dump, "PGDMP and what pg_dump says");
        assert_eq!(folder.names(), ["a.backup"]);
    }

    #[test]
    fn a_backup_that_is_given_up_leaves_nothing_and_keeps_the_old_one() {
        let folder = Folder::new();
        let path = folder.0.join("a.backup");
        let before = written(&path);
        assert!(Writer::new(&path, false).err().unwrap().to_string().contains("exists already"));
        let mut writer = Writer::new(&path, true).unwrap();
        writer.write(b"PGDMP half").unwrap();
        drop(writer);
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(folder.names(), ["a.backup"]);
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_found() {
        let folder = Folder::new();
        let path = folder.0.join("a.backup");
        let whole = written(&path);
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(Backup::open(&path).is_err(), "cut at {length}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            let outcome = Backup::open(&path).and_then(|mut backup| backup.verify(|_| ()));
            assert!(outcome.is_err(), "changed at {at}");
        }
    }

    #[test]
    fn a_newer_form_is_refused_by_name() {
        let folder = Folder::new();
        let path = folder.0.join("a.backup");
        let whole = String::from_utf8(written(&path)).unwrap();
        fs::write(&path, whole.replace("HOMESTRETCH-BACKUP 001", "HOMESTRETCH-BACKUP 002")).unwrap();
        assert!(Backup::open(&path).unwrap_err().to_string().contains("made by a newer Homestretch"));
    }
}
