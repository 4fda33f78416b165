//! Who is at work in which clinic, and within which request.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    ids::{AccountId, ClinicId, MembershipId, PatientId},
    person::Role,
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    audit::{self, AuditAction, AuditResource, PendingEntry},
    db::transaction::Transaction,
    session::{Hold, SeatId, resuming_words},
};

/// Who is at work inside a clinic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// An owner or a physiotherapist: sees the clinic.
    Staff(MembershipId),
    /// A patient: sees their own rows alone.
    Patient(PatientId),
    /// The program itself (setting up a clinic, composing a mail): sees the clinic.
    System,
}

/// One clinic and who is at work in it: the key to the clinic's rows.
#[derive(Debug, Clone)]
pub struct ClinicContext {
    /// The clinic.
    pub clinic: ClinicId,
    /// The person.
    pub actor: Actor,
    /// The caseload that a physiotherapist is kept to, where the clinic wants that.
    caseload: Option<MembershipId>,
    /// The request, when there is one.
    request: Option<Arc<RequestContext>>,
    /// The membership or record whose sessions the work may end.
    ends: Option<Uuid>,
}

impl ClinicContext {
    /// Outside a request: a command, the worker, a test.
    pub fn new(clinic: ClinicId, actor: Actor) -> Self {
        Self { clinic, actor, caseload: None, request: None, ends: None }
    }

    /// Within a signed-in request.
    pub(crate) fn within(clinic: ClinicId, actor: Actor, caseload: Option<MembershipId>, request: RequestContext) -> Self {
        Self { clinic, actor, caseload, request: Some(Arc::new(request)), ends: None }
    }

    /// The same, for work that ends the sessions of a membership or record: their rows are locked before everything else, which waits for the work
    /// that is in progress in them.
    #[must_use]
    pub fn ending(self, seat: SeatId) -> Self {
        let (SeatId::Staff(MembershipId(id)) | SeatId::Patient(PatientId(id))) = seat;
        Self { ends: Some(id), ..self }
    }

    /// Whether a physiotherapist is kept to their own caseload here.
    pub fn is_kept(&self) -> bool {
        self.caseload.is_some()
    }

    /// The same, for patients without a physiotherapist and those on this caseload.
    #[must_use]
    pub fn kept_to(self, caseload: MembershipId) -> Self {
        Self { caseload: Some(caseload), ..self }
    }

    /// To be written into the audit when the work of this request commits. Outside a request it is for the work to say (see
    /// [`Tx::note`](crate::Tx::note)).
    pub fn note(&self, deed: AuditAction, subject: AuditResource, patient: Option<PatientId>) {
        if let Some(request) = &self.request {
            lock(&request.notes).push(PendingEntry { deed, subject, patient, detail: None });
        }
    }

    /// The statement that writes what was noted, here and in `more`. Asked once: what it says is noted no longer.
    pub(crate) fn audit_statement(&self, more: Vec<PendingEntry>) -> String {
        let mut notes = self.take_notes();
        notes.extend(more);
        audit::words(self.actor, self.request.as_deref(), &notes)
    }

    /// As [`ClinicContext::audit_statement`], for a transaction that changed nothing. Where all it has to tell is who looked, the page does not wait
    /// for the disk: should the database's machine lose its power, the entries of its last half second may be lost with it, never one
    /// in the middle, and never one of a change or of a file that was taken away.
    pub(crate) fn audit_of_reads(&self, more: Vec<PendingEntry>) -> String {
        let mut notes = self.take_notes();
        notes.extend(more);
        let only_looked = notes.iter().all(|note| note.deed == AuditAction::Read);
        let words = audit::words(self.actor, self.request.as_deref(), &notes);
        match words.strip_prefix("select ") {
            Some(rest) if only_looked => format!("select set_config('synchronous_commit', 'off', true), {rest}"),
            _ => words,
        }
    }

    fn take_notes(&self) -> Vec<PendingEntry> {
        self.request.as_ref().map(|request| std::mem::take(&mut *lock(&request.notes))).unwrap_or_default()
    }

    /// The transaction that this request still holds.
    pub(crate) fn take_open(&self) -> Option<Transaction> {
        self.request.as_ref().and_then(|request| lock(&request.open).take())
    }

    /// Keeps the transaction, and what was noted in it, for the work to come. Outside a request it is rolled back.
    pub(crate) fn hold_open(&self, transaction: Transaction, notes: Vec<PendingEntry>) {
        if let Some(request) = &self.request {
            *lock(&request.open) = Some(transaction);
            lock(&request.notes).extend(notes);
        }
    }

    /// What the request noted did not happen; this did.
    pub(crate) fn refused(&self, pattern: &str) {
        if let Some(request) = &self.request {
            let detail = Some(pattern.chars().take(200).collect());
            *lock(&request.notes) =
                vec![PendingEntry { deed: AuditAction::Denied, subject: AuditResource::Page, patient: None, detail }];
        }
    }

    /// As [`ClinicContext::note`], but only if the request ends in a page that shows it ([`ClinicContext::rendered`]): a form that is refused
    /// shows whose it is, one that is accepted is noted by what it changed.
    pub fn note_when_rendered(&self, deed: AuditAction, subject: AuditResource, patient: Option<PatientId>) {
        if let Some(request) = &self.request {
            lock(&request.when_rendered).push(PendingEntry { deed, subject, patient, detail: None });
        }
    }

    /// The page shows what was noted for that case.
    pub fn rendered(&self) {
        if let Some(request) = &self.request {
            let shown = std::mem::take(&mut *lock(&request.when_rendered));
            lock(&request.notes).extend(shown);
        }
    }

    /// What the server has to know before the work: whose rows it may show.
    pub(crate) fn settings(&self) -> String {
        let patient = match self.actor {
            Actor::Patient(patient) => patient.0.to_string(),
            Actor::Staff(_) | Actor::System => String::new(),
        };
        let caseload = self.caseload.map(|id| id.0.to_string()).unwrap_or_default();
        format!(
            "select set_config('app.clinic_id', '{}', true), set_config('app.patient_id', '{patient}', true),
               set_config('app.caseload', '{caseload}', true)",
            self.clinic.0
        )
    }
}

impl ClinicContext {
    /// The first statement of a transaction, which travels with BEGIN. Within a request it checks the session again and locks it: the body may have
    /// taken a long time to arrive.
    pub(crate) fn beginning(&self, hold: Hold) -> String {
        match &self.request {
            None => self.settings(),
            // GET and HEAD change nothing, so they lock nothing.
            Some(request) => resuming_words(request, if request.looks { Hold::Nothing } else { hold }, self.ends),
        }
    }

    /// Whether there is a request.
    pub(crate) fn is_within_a_request(&self) -> bool {
        self.request.is_some()
    }

    /// Whether the answer to [`ClinicContext::beginning`] permits the work.
    pub(crate) fn goes_on(&self, resumed: Option<(Option<Role>, bool)>) -> bool {
        let Some(request) = &self.request else { return true };
        // A second factor that was set up in between revokes nothing.
        resumed.is_some_and(|(role, must_set_up)| role == request.admitted.role && (request.admitted.must_set_up || !must_set_up))
    }
}

/// What a request was admitted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) session: Uuid,
    /// The role of a member of staff; `None` for a patient.
    pub(crate) role: Option<Role>,
    /// Whether a second factor is to be set up before anything else.
    pub(crate) must_set_up: bool,
}

/// A request at the door, with a token.
#[derive(Debug, Clone, Copy)]
pub struct SessionRequest {
    /// The session's token.
    pub token: [u8; 32],
    /// The request's id.
    pub request: Uuid,
    /// The request's instant.
    pub now: Timestamp,
    /// From where.
    pub address: Option<IpAddr>,
    /// Whether the transaction that looks the session up stays open for the work to come. Only for a request whose every byte is
    /// there: a connection must not wait for a slow browser.
    pub keep_open: bool,
}

/// One signed-in request: when, as which account, from where; with the transaction that looked its session up, until a handler takes it, and
/// the audit entries to write when it commits.
#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) request: Uuid,
    pub(crate) at: Timestamp,
    pub(crate) account: AccountId,
    pub(crate) address: Option<IpAddr>,
    pub(crate) admitted: Admitted,
    /// Whether it is a GET or HEAD.
    looks: bool,
    open: Mutex<Option<Transaction>>,
    notes: Mutex<Vec<PendingEntry>>,
    when_rendered: Mutex<Vec<PendingEntry>>,
}

impl RequestContext {
    pub(crate) fn new(asked: &SessionRequest, account: AccountId, admitted: Admitted, transaction: Option<Transaction>) -> Self {
        let SessionRequest { token: _, request, now, address, keep_open } = *asked;
        Self {
            request,
            at: now,
            account,
            address,
            admitted,
            looks: keep_open,
            open: Mutex::new(transaction),
            notes: Mutex::default(),
            when_rendered: Mutex::default(),
        }
    }
}

pub(crate) fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half-done while one of these is locked.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
