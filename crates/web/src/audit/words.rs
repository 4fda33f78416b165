//! What an entry of the audit says, in plain words. To add a kind of thing: a line in [`sentence`].

use store::audit::{Deed, Entry, Subject, Who};

/// The kinds of deeds to choose from, as the page calls them.
pub(crate) fn deed(deed: Deed) -> &'static str {
    match deed {
        Deed::Read => "Looked at",
        Deed::Wrote => "Changed",
        Deed::Exported => "Taken away as a file",
        Deed::Denied => "Refused",
        Deed::SignedIn => "Signed in",
        Deed::SignInFailed => "Could not sign in",
        Deed::SignedOut => "Signed out",
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
        Deed::SignedIn => "Signed in".to_owned(),
        Deed::SignedOut => "Signed out".to_owned(),
        Deed::SignInFailed => "Tried to sign in and was refused".to_owned(),
        Deed::Denied => "Tried to open something that is not theirs".to_owned(),
        Deed::Exported => match subject {
            Some(Subject::Audit) if entry.patient.is_some() => format!("Took the list of who opened {whose} record away as a file"),
            Some(Subject::Audit) => "Took the audit away as a file".to_owned(),
            Some(Subject::Breach) => "Took a list of affected people away as a file".to_owned(),
            Some(Subject::Caseload) => "Took figures of all patients away as a file".to_owned(),
            Some(Subject::Library) => "Took the library away as a file".to_owned(),
            _ => format!("Took {whose} data away as a file"),
        },
        Deed::Read => match subject {
            Some(Subject::Record) => format!("Opened {whose} record"),
            Some(Subject::Program) => format!("Looked at {whose} program"),
            Some(Subject::Log) => format!("Looked at a session of {}", of(&whose)),
            Some(Subject::Caseload) => "Looked at the list of patients".to_owned(),
            Some(Subject::Notices) if entry.patient.is_some() => format!("Looked at {whose} mail"),
            Some(Subject::Notices) => "Looked at the clinic’s mail".to_owned(),
            Some(Subject::Reminders) => format!("Looked at {whose} reminders"),
            Some(Subject::Calendar) => "Fetched the calendar from its address".to_owned(),
            Some(Subject::Audit) if entry.patient.is_some() => format!("Looked at who opened {whose} record"),
            Some(Subject::Audit) => "Looked at the audit".to_owned(),
            Some(Subject::Breach) => "Looked at the register of breaches".to_owned(),
            Some(other) => format!("Looked at {}", thing(other)),
            None => "Looked at something".to_owned(),
        },
        Deed::Wrote => match subject {
            Some(Subject::Record) if own => "Changed their own details".to_owned(),
            Some(Subject::Record) => format!("Changed {whose} record"),
            Some(Subject::Program) => format!("Changed {whose} program"),
            Some(Subject::Log) if own => "Logged or corrected a session".to_owned(),
            Some(Subject::Log) => format!("Entered or corrected a session of {}", of(&whose)),
            Some(Subject::Answers) if own => "Answered how things are".to_owned(),
            Some(Subject::Answers) => format!("Changed what {} answered", of(&whose)),
            Some(Subject::Attention) => format!("Set a finding about {} aside", of(&whose)),
            Some(Subject::Reply) if own => "Read an answer".to_owned(),
            Some(Subject::Reply) => format!("Answered a note of {}", of(&whose)),
            Some(Subject::Reminders) => format!("Changed {whose} reminders"),
            Some(Subject::Calendar) => "Made or ended the address of a calendar".to_owned(),
            Some(Subject::Notices) => "Sent a mail again".to_owned(),
            Some(Subject::Invitation) if entry.patient.is_some() => format!("Invited {}", of(&whose)),
            Some(Subject::Invitation) => "Sent an invitation".to_owned(),
            Some(Subject::Caseload) => "Loaded made-up patients".to_owned(),
            Some(Subject::Consent) => "Agreed to the wording, or took it back".to_owned(),
            Some(Subject::Closure) => format!("Closed {whose} record, or opened it again"),
            Some(Subject::Account) => "Changed an account".to_owned(),
            Some(Subject::Audit) => "Changed the audit’s settings".to_owned(),
            Some(Subject::Breach) => "Wrote into the register of breaches".to_owned(),
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

fn thing(subject: Subject) -> &'static str {
    match subject {
        Subject::Settings => "the clinic’s settings",
        Subject::Team => "the team",
        Subject::Library => "the library of exercises and programs",
        Subject::Account => "an account",
        Subject::Invitation => "an invitation",
        Subject::Consent => "what a patient agreed to",
        Subject::Attention => "what a patient needs",
        Subject::Reply => "an answer to a patient",
        Subject::Answers => "what a patient answered",
        Subject::Closure => "a closed record",
        Subject::Page => "a page",
        Subject::Caseload
        | Subject::Record
        | Subject::Program
        | Subject::Log
        | Subject::Reminders
        | Subject::Calendar
        | Subject::Notices
        | Subject::Breach
        | Subject::Audit => "a record",
    }
}
