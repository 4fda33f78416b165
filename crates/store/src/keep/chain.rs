//! Whether the audit is what was written: each clinic's chain is followed from its first entry to its head, with digests worked out here
//! and not by the database, whose functions somebody may have changed together with the rows.
//!
//! A chain that hangs together can still be another one: whoever may write to the database as its superuser can cut the tail and turn the
//! head back, or write everything anew. That is found with an anchor, a head that was kept somewhere else.

use std::collections::BTreeMap;

use domain::ids::ClinicId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::{said, snapshot::scalar};
use crate::StoreError;

/// Entries read at a time.
const PAGE: i64 = 2000;

/// More faults of one clinic say nothing that the first do not.
const FAULTS: usize = 20;

/// The end of a clinic's chain at some moment: how many entries there were, and the digest of the last (64 hexadecimal digits).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The clinic.
    pub clinic: Uuid,
    /// The number of the last entry; the first is 1.
    pub seq: i64,
    /// Its digest.
    pub hash: String,
}

/// Something wrong in a clinic's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The clinic.
    pub clinic: Uuid,
    /// The entry it was found at.
    pub seq: i64,
    /// What is wrong, for people.
    pub what: String,
}

/// What following the chains found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chains {
    /// The heads of the clinics without a fault.
    pub heads: Vec<Head>,
    /// What is wrong.
    pub faults: Vec<Fault>,
    /// How many entries were followed.
    pub entries: u64,
}

/// An entry, as its row has it.
#[derive(Debug, FromRow)]
struct Entry {
    seq: i64,
    at: time::OffsetDateTime,
    account_id: Option<Uuid>,
    membership_id: Option<Uuid>,
    actor_patient_id: Option<Uuid>,
    deed: String,
    subject: String,
    patient_id: Option<Uuid>,
    request_id: Option<Uuid>,
    address: Option<String>,
    detail: Option<String>,
    hash: Vec<u8>,
}

impl Entry {
    /// The digest of this entry after one with the digest `previous`, as migrations/0006 defines it: every field with its length, so that
    /// no two entries read the same.
    fn digest(&self, clinic: Uuid, previous: &[u8]) -> Vec<u8> {
        let id = |id: Option<Uuid>| id.map(|id| id.to_string());
        let micros = self.at.unix_timestamp_nanos() / 1000;
        let fields = [
            Some(clinic.to_string()),
            Some(self.seq.to_string()),
            Some(micros.to_string()),
            id(self.account_id),
            id(self.membership_id),
            id(self.actor_patient_id),
            Some(self.deed.clone()),
            Some(self.subject.clone()),
            id(self.patient_id),
            id(self.request_id),
            self.address.clone(),
            self.detail.clone(),
        ];
        let mut hash = Sha256::new_with_prefix(previous);
        for field in fields {
            match field {
                None => hash.update("-"),
                Some(text) => hash.update(format!("{}:{text}", text.len())),
            }
        }
        hash.finalize().to_vec()
    }
}

/// Follows the chains, all of them or one clinic's. `anchors` are heads kept from earlier. `told` hears the clinic and how far it is.
pub(super) async fn follow(
    db: &mut PgConnection,
    only: Option<ClinicId>,
    anchors: &[Head],
    told: &mut (dyn FnMut(Uuid, i64) + Send),
) -> Result<Chains, StoreError> {
    // An older schema has none.
    if !audited(db).await? {
        return Ok(Chains::default());
    }
    let mut heads: BTreeMap<Uuid, Option<(i64, Vec<u8>)>> = BTreeMap::new();
    let rows: Vec<(Uuid, Option<i64>, Option<Vec<u8>>)> = sqlx::query_as(
        "select c.id, h.seq, h.hash from public.clinic c left join public.audit_head h on h.clinic_id = c.id order by c.id",
    )
    .fetch_all(&mut *db)
    .await
    .map_err(said)?;
    for (clinic, seq, hash) in rows {
        heads.insert(clinic, seq.zip(hash));
    }
    let wanted = |clinic: Uuid| only.is_none_or(|only| only.0 == clinic);
    let mut found = Chains::default();
    for anchor in anchors.iter().filter(|anchor| wanted(anchor.clinic) && !heads.contains_key(&anchor.clinic)) {
        found.faults.push(Fault {
            clinic: anchor.clinic,
            seq: anchor.seq,
            what: "the clinic is gone, and its entries with it; the anchor knows them".to_owned(),
        });
    }
    for (clinic, head) in heads.into_iter().filter(|(clinic, _)| wanted(*clinic)) {
        let of_clinic: Vec<&Head> = anchors.iter().filter(|anchor| anchor.clinic == clinic).collect();
        let mut walk = Walk { clinic, seq: 0, hash: vec![0; 32], anchors: of_clinic, faults: Vec::new(), more: 0 };
        loop {
            let page: Vec<Entry> = sqlx::query_as(
                "select seq, at, account_id, membership_id, actor_patient_id, deed, subject, patient_id, request_id, address, detail, hash
                 from public.audit_entry where clinic_id = $1 and seq > $2 order by seq limit $3",
            )
            .bind(clinic)
            .bind(walk.seq)
            .bind(PAGE)
            .fetch_all(&mut *db)
            .await
            .map_err(said)?;
            let last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            for entry in page {
                walk.step(entry);
                found.entries += 1;
            }
            told(clinic, walk.seq);
            if last {
                break;
            }
        }
        let (seq, hash) = (walk.seq, hex(&walk.hash));
        let faults = walk.end(head);
        if faults.is_empty() {
            found.heads.push(Head { clinic, seq, hash });
        }
        found.faults.extend(faults);
    }
    Ok(found)
}

/// The heads as the table has them, none where an older schema keeps no audit.
pub(super) async fn heads(db: &mut PgConnection) -> Result<Vec<Head>, StoreError> {
    if !audited(db).await? {
        return Ok(Vec::new());
    }
    let rows: Vec<(Uuid, i64, Vec<u8>)> =
        sqlx::query_as("select clinic_id, seq, hash from public.audit_head order by 1").fetch_all(db).await.map_err(said)?;
    Ok(rows.into_iter().map(|(clinic, seq, hash)| Head { clinic, seq, hash: hex(&hash) }).collect())
}

async fn audited(db: &mut PgConnection) -> Result<bool, StoreError> {
    scalar(db, "select to_regclass('public.audit_entry') is not null").await
}

/// One clinic's chain, as far as it was followed.
struct Walk<'a> {
    clinic: Uuid,
    seq: i64,
    hash: Vec<u8>,
    anchors: Vec<&'a Head>,
    faults: Vec<Fault>,
    more: usize,
}

impl Walk<'_> {
    fn step(&mut self, entry: Entry) {
        let (before, at) = (self.seq, entry.seq);
        if at != before + 1 {
            // What follows a gap cannot be held against what was there; it goes on from what it says itself.
            let missing = if at - before == 2 {
                format!("entry {} is", before + 1)
            } else {
                format!("entries {} to {} are", before + 1, at - 1)
            };
            self.fault(before + 1, format!("{missing} missing"));
        } else if entry.digest(self.clinic, &self.hash) != entry.hash {
            self.fault(
                at,
                if before == 0 {
                    "the entry is not what was written".to_owned()
                } else {
                    format!("the entry is not what was written, or does not follow entry {before}")
                },
            );
        }
        let hash = hex(&entry.hash);
        if self.anchors.iter().any(|anchor| anchor.seq == at && anchor.hash != hash) {
            self.fault(at, "the entry is another than the anchor knows: the chain was written anew".to_owned());
        }
        self.seq = at;
        self.hash = entry.hash;
    }

    /// What the head and the anchors say to where the chain ends.
    fn end(mut self, head: Option<(i64, Vec<u8>)>) -> Vec<Fault> {
        let last = self.seq;
        match head {
            None if last == 0 => {}
            None => self.fault(last, "the head is missing".to_owned()),
            Some((seq, _)) if seq > last => {
                let missing =
                    if seq == last + 1 { format!("entry {seq} is") } else { format!("entries {} to {seq} are", last + 1) };
                self.fault(last + 1, format!("the tail is cut: {missing} missing"));
            }
            Some((seq, _)) if seq < last => {
                self.fault(seq + 1, format!("entries after {seq} were put in: the head does not know them"))
            }
            Some((_, hash)) if hash != self.hash => self.fault(last, "the head is not that of the last entry".to_owned()),
            Some(_) => {}
        }
        let beyond = self.anchors.iter().filter(|anchor| anchor.seq > last).map(|anchor| anchor.seq).max();
        if let Some(seq) = beyond {
            self.fault(last + 1, format!("the tail is cut and the head turned back: the anchor knows entries up to {seq}"));
        }
        if self.more > 0 {
            let what = format!("and {} more faults after this one", self.more);
            self.faults.push(Fault { clinic: self.clinic, seq: last, what });
        }
        self.faults
    }

    fn fault(&mut self, seq: i64, what: String) {
        if self.faults.len() < FAULTS {
            self.faults.push(Fault { clinic: self.clinic, seq, what });
        } else {
            self.more += 1;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
