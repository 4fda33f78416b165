//! The kinds of people, what each may see, and whose things are theirs.

/// Somebody who asks for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// Without a session.
    Nobody,
    /// A patient of clinic A, signed in with a password.
    PatientA1,
    /// Another patient of clinic A.
    PatientA2,
    /// The first patient by the link of a reminder: today's session and nothing else.
    OneTapA1,
    /// On whose caseload both patients of A are.
    PhysioA,
    /// A physiotherapist of A without a patient.
    SecondA,
    OwnerA,
    PhysioB,
    /// A physiotherapist of B without a patient. Clinic B keeps its physiotherapists to their own caseload.
    ElsewhereB,
    OwnerB,
    /// Invited to the team of A, never confirmed; with a session all the same, as if one had been left over.
    InvitedA,
    /// Was a physiotherapist of A; the browser still has its session.
    DisabledA,
}

/// Whose thing an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    A1,
    A2,
    B1,
}

/// An id to ask with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    /// The asker's own, or of the asker's clinic.
    Own,
    /// Of the same clinic, belonging to another patient.
    Neighbours,
    /// Of another clinic.
    Foreign,
    /// Well-formed, and nobody's.
    Random,
    /// No id at all.
    Malformed,
}

impl Id {
    pub const ALL: [Self; 5] = [Self::Own, Self::Neighbours, Self::Foreign, Self::Random, Self::Malformed];
}

impl Person {
    pub const ALL: [Self; 12] = [
        Self::Nobody,
        Self::PatientA1,
        Self::PatientA2,
        Self::OneTapA1,
        Self::PhysioA,
        Self::SecondA,
        Self::OwnerA,
        Self::PhysioB,
        Self::ElsewhereB,
        Self::OwnerB,
        Self::InvitedA,
        Self::DisabledA,
    ];

    /// Whether this is an owner or a physiotherapist at work.
    pub fn is_staff(self) -> bool {
        matches!(self, Self::PhysioA | Self::SecondA | Self::OwnerA | Self::PhysioB | Self::ElsewhereB | Self::OwnerB)
    }

    /// Whether they are as good as signed out.
    pub fn is_outside(self) -> bool {
        matches!(self, Self::Nobody | Self::InvitedA | Self::DisabledA)
    }

    /// Whose thing an id of this kind is, when it is anybody's.
    pub fn names(self, id: Id) -> Option<Whose> {
        let (own, neighbour, foreign) = match self {
            Self::PatientA2 => (Whose::A2, Some(Whose::A1), Whose::B1),
            Self::PhysioB | Self::ElsewhereB | Self::OwnerB => (Whose::B1, None, Whose::A1),
            _ => (Whose::A1, Some(Whose::A2), Whose::B1),
        };
        match id {
            Id::Own => Some(own),
            Id::Neighbours => neighbour,
            Id::Foreign => Some(foreign),
            Id::Random | Id::Malformed => None,
        }
    }

    /// The scopes of the words (see [`crate::world`]) that may reach this person's screen.
    pub fn may_read(self) -> &'static [&'static str] {
        match self {
            Self::Nobody | Self::InvitedA | Self::DisabledA => &[],
            Self::PatientA1 => &["a", "a1", "a1h"],
            Self::OneTapA1 => &["a", "a1"],
            Self::PatientA2 => &["a", "a2", "a2h"],
            Self::PhysioA => &["a", "as", "a1", "a1h", "a1s", "a2", "a2h", "a2s", "aphysio"],
            Self::SecondA => &["a", "as", "a1", "a1h", "a1s", "a2", "a2h", "a2s", "asecond"],
            Self::OwnerA => &["a", "as", "a1", "a1h", "a1s", "a2", "a2h", "a2s", "ateam", "aphysio", "asecond", "aowner"],
            Self::ElsewhereB => &["b", "bs", "bsecond"],
            Self::PhysioB => &["b", "bs", "b1", "b1h", "b1s", "bphysio"],
            Self::OwnerB => &["b", "bs", "b1", "b1h", "b1s", "bteam", "bphysio", "bsecond", "bowner"],
        }
    }

    /// The scopes of the words in the frame of any page of theirs, one that does not exist included: their own name and their clinic's.
    pub fn frame(self) -> &'static [&'static str] {
        match self {
            Self::Nobody | Self::InvitedA | Self::DisabledA => &[],
            Self::PatientA1 | Self::OneTapA1 => &["a", "a1"],
            Self::PatientA2 => &["a", "a2"],
            Self::PhysioA | Self::SecondA | Self::OwnerA => &["a", "as"],
            Self::PhysioB | Self::ElsewhereB | Self::OwnerB => &["b", "bs"],
        }
    }
}
