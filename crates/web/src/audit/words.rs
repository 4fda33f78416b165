//! What an entry of the audit says, in plain words. To add a kind of thing: a line in [`sentence`].

use store::audit::{AuditAction, AuditResource, Entry, Who};

/// The kinds of deeds to choose from, as the page calls them.
pub(crate) fn deed(deed: AuditAction) -> &'static str {
    match deed {
        AuditAction::Read => "Looked at",
        AuditAction::Wrote => "Changed",
        AuditAction::Exported => "Taken away as a file",
        AuditAction::Denied => "Refused",
        AuditAction::SignedIn => "Signed in",
        AuditAction::SignInFailed => "Could not sign in",
        AuditAction::SignedOut => "Signed out",
    }
}

/// Who did it.
pub(crate) fn who(entry: &Entry) -> String {
    match &entry.who {
        Who::Staff(_, name) | Who::Patient(_, name) => name.clone(),
        Who::Nobody => "Somebody unknown".to_owned(),
    }
}

/// What was done: "Opened Hannah Tan’s record".
pub(crate) fn sentence(entry: &Entry) -> String {
    let own = matches!((&entry.who, &entry.patient), (Who::Patient(by, _), Some((of, _))) if by == of);
    let whose = match (&entry.patient, own) {
        (Some(_), true) => "their own".to_owned(),
        (Some((_, name)), false) => format!("{name}’s"),
        (None, _) => "a patient’s".to_owned(),
    };
    let subject = entry.subject;
    match entry.deed {
        AuditAction::SignedIn => "Signed in".to_owned(),
        AuditAction::SignedOut => "Signed out".to_owned(),
        AuditAction::SignInFailed => "Tried to sign in and was refused".to_owned(),
        AuditAction::Denied => "Tried to open something that is not theirs".to_owned(),
        AuditAction::Exported => match subject {
            Some(AuditResource::Audit) if entry.patient.is_some() => {
                format!("Took the list of who opened {whose} record away as a file")
            }
            Some(AuditResource::Audit) => "Took the audit away as a file".to_owned(),
            Some(AuditResource::Breach) => "Took a list of affected people away as a file".to_owned(),
            Some(AuditResource::Caseload) => "Took figures of all patients away as a file".to_owned(),
            Some(AuditResource::Library) => "Took the library away as a file".to_owned(),
            _ => format!("Took {whose} data away as a file"),
        },
        AuditAction::Read => match subject {
            Some(AuditResource::Record) => format!("Opened {whose} record"),
            Some(AuditResource::Program) => format!("Looked at {whose} program"),
            Some(AuditResource::Log) => format!("Looked at a session of {}", of(&whose)),
            Some(AuditResource::Caseload) => "Looked at the list of patients".to_owned(),
            Some(AuditResource::Notices) if entry.patient.is_some() => format!("Looked at {whose} mail"),
            Some(AuditResource::Notices) => "Looked at the clinic’s mail".to_owned(),
            Some(AuditResource::Reminders) => format!("Looked at {whose} reminders"),
            Some(AuditResource::Calendar) => "Fetched the calendar from its address".to_owned(),
            Some(AuditResource::Audit) if entry.patient.is_some() => format!("Looked at who opened {whose} record"),
            Some(AuditResource::Audit) => "Looked at the audit".to_owned(),
            Some(AuditResource::Breach) => "Looked at the register of breaches".to_owned(),
            Some(other) => format!("Looked at {}", thing(other)),
            None => "Looked at something".to_owned(),
        },
        AuditAction::Wrote => match subject {
            Some(AuditResource::Record) if own => "Changed their own details".to_owned(),
            Some(AuditResource::Record) => format!("Changed {whose} record"),
            Some(AuditResource::Program) => format!("Changed {whose} program"),
            Some(AuditResource::Log) if own => "Logged or corrected a session".to_owned(),
            Some(AuditResource::Log) => format!("Entered or corrected a session of {}", of(&whose)),
            Some(AuditResource::Answers) if own => "Answered how things are".to_owned(),
            Some(AuditResource::Answers) => format!("Changed what {} answered", of(&whose)),
            Some(AuditResource::Attention) => format!("Set a finding about {} aside", of(&whose)),
            Some(AuditResource::Reply) if own => "Read an answer".to_owned(),
            Some(AuditResource::Reply) => format!("Answered a note of {}", of(&whose)),
            Some(AuditResource::Reminders) => format!("Changed {whose} reminders"),
            Some(AuditResource::Calendar) => "Made or ended the address of a calendar".to_owned(),
            Some(AuditResource::Notices) => "Sent a mail again".to_owned(),
            Some(AuditResource::Invitation) if entry.patient.is_some() => format!("Invited {}", of(&whose)),
            Some(AuditResource::Invitation) => "Sent an invitation".to_owned(),
            Some(AuditResource::Caseload) => "Loaded made-up patients".to_owned(),
            Some(AuditResource::Consent) => "Agreed to the wording, or took it back".to_owned(),
            Some(AuditResource::Closure) => format!("Closed {whose} record, or opened it again"),
            Some(AuditResource::Account) => "Changed an account".to_owned(),
            Some(AuditResource::Audit) => "Changed the audit’s settings".to_owned(),
            Some(AuditResource::Breach) => "Wrote into the register of breaches".to_owned(),
            Some(other) => format!("Changed {}", thing(other)),
            None => "Changed something".to_owned(),
        },
    }
}

/// "Hannah Tan’s" → "Hannah Tan".
fn of(whose: &str) -> &str {
    match whose.strip_suffix("’s") {
        Some(name) => name,
        None => "themselves",
    }
}

fn thing(subject: AuditResource) -> &'static str {
    match subject {
        AuditResource::Settings => "the clinic’s settings",
        AuditResource::Team => "the team",
        AuditResource::Library => "the library of exercises and programs",
        AuditResource::Account => "an account",
        AuditResource::Invitation => "an invitation",
        AuditResource::Consent => "what a patient agreed to",
        AuditResource::Attention => "what a patient needs",
        AuditResource::Reply => "an answer to a patient",
        AuditResource::Answers => "what a patient answered",
        AuditResource::Closure => "a closed record",
        AuditResource::Page => "a page",
        AuditResource::Caseload
        | AuditResource::Record
        | AuditResource::Program
        | AuditResource::Log
        | AuditResource::Reminders
        | AuditResource::Calendar
        | AuditResource::Notices
        | AuditResource::Breach
        | AuditResource::Audit => "a record",
    }
}
