//! The clinic's team, for its owner.

use serde::Serialize;

use crate::{Field, Page, forms::Choice};

/// `/team`.
#[derive(Debug, Clone, Serialize)]
pub struct Team {
    /// Everybody whose place is open, or who is invited.
    pub members: Vec<Member>,
    /// Those who are out, and withdrawn invitations.
    pub former: Vec<Member>,
    /// What a team member can be.
    pub roles: Vec<Choice>,
    /// The name of the person to invite.
    pub name: Field,
    /// Their address.
    pub email: Field,
    /// What they shall be.
    pub role: Field,
    /// Why a change was refused; `None` usually.
    pub problem: Option<String>,
}

/// One member of staff.
#[derive(Debug, Clone, Serialize)]
pub struct Member {
    /// Their place on the staff.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// "Owner" or "Physiotherapist".
    pub role: String,
    /// The role as the form sends it, chosen beforehand.
    pub chosen: Field,
    /// "Joined 3 March 2026", "Invited, not yet accepted", "Access closed on 3 March 2026".
    pub standing: String,
    /// "12 patients"; `None` when nobody is on their caseload.
    pub patients: Option<String>,
    /// To whom their caseload can be handed over; empty when there is nobody or nothing to hand over.
    pub colleagues: Vec<Choice>,
    /// Whether the invitation is open: it can be sent again or withdrawn.
    pub invited: bool,
    /// Whether the place is open and was accepted.
    pub active: bool,
    /// Whether they joined once: a closed place can be opened again.
    pub joined: bool,
    /// Whether it is the reader.
    pub you: bool,
    /// Whether they sign in with a second factor, which an owner can reset.
    pub second_factor: bool,
    /// Whether it is the only owner, who cannot become anything else.
    pub last_owner: bool,
}

impl Page for Team {
    const TEMPLATE: &'static str = "pages/account/team.html";

    fn samples() -> Vec<Self> {
        let roles = vec![Choice::new("physiotherapist", "Physiotherapist"), Choice::new("owner", "Owner")];
        let member = |name: &str, role: &str, standing: &str| Member {
            id: format!("0193a6c2-{}", name.len()),
            name: name.into(),
            email: "someone@clinic.test".into(),
            role: role.into(),
            chosen: Field::holding(role.to_lowercase()),
            standing: standing.into(),
            patients: None,
            colleagues: vec![],
            invited: false,
            active: true,
            joined: true,
            you: false,
            second_factor: false,
            last_owner: false,
        };
        let owner = Member { you: true, last_owner: true, ..member("Olivia Tan", "Owner", "Joined 3 March 2026") };
        let hannah = Member {
            patients: Some("12 patients".into()),
            second_factor: true,
            colleagues: vec![Choice::new("1", "Olivia Tan")],
            ..member("Hannah Lim", "Physiotherapist", "Joined 4 March 2026")
        };
        let invited = Member {
            invited: true,
            active: false,
            joined: false,
            ..member("Ravi", "Physiotherapist", "Invited, not yet accepted")
        };
        let gone = Member {
            active: false,
            patients: Some("3 patients".into()),
            colleagues: vec![Choice::new("1", "Olivia Tan"), Choice::new("2", "Hannah Lim")],
            ..member("Mei Wong", "Physiotherapist", "Access closed on 2 April 2026")
        };
        let withdrawn = Member { active: false, joined: false, ..member("Sam Ong", "Physiotherapist", "Invitation withdrawn") };
        let usual = Self {
            members: vec![owner.clone()],
            former: vec![],
            roles,
            name: Field::default(),
            email: Field::default(),
            role: Field::holding("physiotherapist"),
            problem: None,
        };
        let full = Self { members: vec![owner, hannah, invited], former: vec![gone, withdrawn], ..usual.clone() };
        let refused = Self { problem: Some("A clinic needs an owner. Make somebody else an owner first.".into()), ..full.clone() };
        let wrong = Self {
            name: Field::holding("Ravi"),
            email: Field::refused("ravi", "It should look like name@example.com."),
            ..usual.clone()
        };
        vec![usual, full, refused, wrong]
    }
}
