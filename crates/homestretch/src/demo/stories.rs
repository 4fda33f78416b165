//! The people of the demo clinic and how they are doing. Everything is told relative to today, so that the clinic is as alive on any
//! day it is opened. To add a patient, add an entry to [`STORIES`]; a test says whether the story comes out as meant.

use domain::{
    pain::Region,
    questionnaire::Every,
    session_log::{RedFlag, SkipReason},
};
use store::exercise::TEMPLATE_NAME as UPPER_BACK;

use super::library::{LOW_BACK, LOW_BACK_NEXT, NECK, SHOULDER};

/// On whose caseload a patient is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Hannah Lee's, who signs in as `physio@demo.test`.
    Hannah,
    /// Arjun Menon's.
    Arjun,
}

/// On which days a patient does the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Week {
    /// All but Sunday; all but Saturday when today is a Sunday, so that there is always a session today.
    SixDays,
    /// Monday, Wednesday, Friday.
    ThreeDays,
}

/// What happened to a program or its patient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Turn {
    /// Nothing out of the ordinary.
    None,
    /// The patient has not accepted the invitation.
    NotJoined,
    /// The patient has no email address; the clinic takes the sessions over from a paper diary once a week.
    OnPaper,
    /// The patient ticked a stop sign so many days ago.
    Stops {
        /// Days ago.
        ago: i32,
        /// What was ticked.
        flag: RedFlag,
    },
    /// The program was paused.
    Pauses {
        /// Days ago.
        ago: i32,
        /// The last paused day, so many days ahead.
        until: i32,
        /// In the physiotherapist's words.
        reason: &'static str,
    },
    /// The physiotherapist finished the program so many days ago.
    Finishes {
        /// Days ago.
        ago: i32,
    },
    /// The physiotherapist changed the program to another template's plan so many days ago.
    Revises {
        /// Days ago.
        ago: i32,
        /// The template's name.
        to: &'static str,
    },
}

/// What a patient wrote in a session.
#[derive(Debug, Clone, Copy)]
pub struct Note {
    /// How many sessions before the newest.
    pub back: usize,
    /// The patient's words.
    pub text: &'static str,
    /// Whether it hurt: the exercise the patient does not like was skipped for pain, and pain was one point higher after.
    pub hurt: bool,
    /// What the physiotherapist answered. The newest answer has not been read yet.
    pub answer: Option<&'static str>,
}

/// On which day of the program something was told, how each activity went (one that was not given is `None`), and the change since the
/// beginning.
pub type Told = (i32, &'static [Option<i64>], Option<i64>);

/// How things are, in the patient's words.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// How often.
    pub every: Every,
    /// What is hard.
    pub activities: &'static [&'static str],
    /// What was told.
    pub told: &'static [Told],
}

/// One patient and how it goes.
#[derive(Debug, Clone, Copy)]
pub struct Story {
    /// The name.
    pub name: &'static str,
    /// The part before `@demo.test`; without one the patient has no address.
    pub mailbox: Option<&'static str>,
    /// Where it hurts.
    pub region: Region,
    /// On whose caseload.
    pub whose: Whose,
    /// The template the program was made of.
    pub template: &'static str,
    /// How long it lasts.
    pub weeks: u32,
    /// How many days ago the program began; negative for the days until it does.
    pub began: i32,
    /// How many days ago the patient was invited, where that is not the day before the program began.
    pub invited: Option<i32>,
    /// On which days.
    pub week: Week,
    /// Sessions a day.
    pub times_a_day: u8,
    /// When the patient usually does a session, hour and minute, for each session of a day.
    pub at: &'static [(i8, i8)],
    /// When the patient is reminded.
    pub remind: &'static [&'static str],
    /// Of 100 sessions, how many are done in full and how many in part, but for the newest.
    pub habit: (u64, u64),
    /// The newest due sessions before today, oldest first: `#` done, `+` in part, `.` missed.
    pub newest: &'static str,
    /// Whether today's session is done already.
    pub today: bool,
    /// Pain after the first session and after the last.
    pub pain: (f64, f64),
    /// Pain after the newest sessions, oldest first, where the line from first to last does not tell it.
    pub newest_pain: &'static [i64],
    /// An exercise (counted from 0) that is skipped so many times in 100, and why.
    pub skips: Option<(usize, u64, SkipReason)>,
    /// What the patient wrote.
    pub notes: &'static [Note],
    /// Whether the physiotherapist has answered.
    pub answered: bool,
    /// Sessions, counted back from the newest, that were logged a day or two late.
    pub late: &'static [usize],
    /// Sessions, counted back from the newest, that were corrected the day after.
    pub corrected: &'static [usize],
    /// How things are, where the patient is asked.
    pub asked: Option<Asked>,
    /// What happened.
    pub turn: Turn,
}

const USUAL: Story = Story {
    name: "",
    mailbox: None,
    region: Region::UpperBack,
    whose: Whose::Hannah,
    template: UPPER_BACK,
    weeks: 6,
    began: 0,
    invited: None,
    week: Week::SixDays,
    times_a_day: 1,
    at: &[(7, 20)],
    remind: &["08:00"],
    habit: (86, 8),
    newest: "#",
    today: false,
    pain: (4.0, 3.0),
    newest_pain: &[],
    skips: None,
    notes: &[],
    answered: true,
    late: &[],
    corrected: &[],
    asked: None,
    turn: Turn::None,
};

/// The patient who signs in as `patient@demo.test`.
pub const WEI_LING: &str = "Wei Ling Chong";

/// Everybody.
pub const STORIES: [Story; 15] = [
    Story {
        name: "Farah Aziz",
        mailbox: Some("farah"),
        began: 20,
        at: &[(6, 50)],
        habit: (60, 12),
        newest: "##.+..#.#########",
        today: true,
        pain: (3.0, 3.0),
        newest_pain: &[3, 3, 2, 3, 2, 3, 5, 6, 6],
        notes: &[Note {
            back: 1,
            text: "Sharper between the shoulder blades since I carried a printer up the stairs at work.",
            hurt: false,
            answer: None,
        }],
        answered: false,
        ..USUAL
    },
    Story {
        name: "Daniel Tan",
        mailbox: Some("daniel"),
        region: Region::Neck,
        template: NECK,
        began: 13,
        at: &[(21, 5)],
        remind: &["20:00"],
        newest: "#.##.+#....",
        pain: (5.0, 5.0),
        ..USUAL
    },
    Story {
        name: "Priya Nair",
        mailbox: Some("priya"),
        began: 2,
        invited: Some(4),
        remind: &[],
        newest: "..",
        habit: (0, 0),
        turn: Turn::NotJoined,
        ..USUAL
    },
    Story {
        name: WEI_LING,
        mailbox: Some("patient"),
        began: 30,
        habit: (90, 6),
        newest: "#.+#########",
        pain: (5.4, 1.7),
        skips: Some((3, 46, SkipReason::NotSureHow)),
        notes: &[
            Note {
                back: 3,
                text: "Wall angels pinch at the front of my right shoulder.",
                hurt: true,
                answer: Some("Lower your elbows a little, and stop before it pinches. We look at it together next time."),
            },
            Note {
                back: 9,
                text: "Slept through for the first time.",
                hurt: false,
                answer: Some("Good to hear. Keep the evening stretch; it seems to be the one that helps."),
            },
            Note { back: 20, text: "The chair at the office works well for the first one.", hurt: false, answer: None },
        ],
        late: &[6],
        corrected: &[11],
        // The third time waits for an answer.
        asked: Some(Asked {
            every: Every::TwoWeeks,
            activities: &["An hour at the desk", "Lifting my daughter", "Looking over my shoulder in the car"],
            told: &[(1, &[Some(3), Some(2), Some(4)], None), (15, &[Some(6), Some(5), Some(6)], Some(2))],
        }),
        ..USUAL
    },
    Story {
        name: "Marcus Lim",
        mailbox: Some("marcus"),
        region: Region::LowerBack,
        template: LOW_BACK,
        began: 24,
        at: &[(6, 30)],
        remind: &["07:30"],
        habit: (82, 8),
        newest: "##.#####.###",
        pain: (5.6, 3.0),
        notes: &[Note { back: 8, text: "Bridges feel easy now.", hurt: false, answer: None }],
        asked: Some(Asked {
            every: Every::TwoWeeks,
            activities: &["Putting on socks", "Standing to cook", "Carrying water up the stairs"],
            told: &[(0, &[Some(2), Some(3), Some(1)], None), (14, &[Some(5), None, Some(4)], Some(3))],
        }),
        turn: Turn::Revises { ago: 10, to: LOW_BACK_NEXT },
        ..USUAL
    },
    Story {
        name: "Aishah Rahman",
        mailbox: Some("aishah"),
        began: 38,
        at: &[(6, 40)],
        habit: (88, 8),
        newest: "###+######+#",
        today: true,
        pain: (4.4, 0.0),
        newest_pain: &[1, 0, 1, 0, 0, 0],
        asked: Some(Asked {
            every: Every::FourWeeks,
            activities: &["Sleeping on my side", "Sewing"],
            told: &[(0, &[Some(5), Some(3)], None), (28, &[Some(9), Some(8)], Some(4)), (36, &[Some(10), Some(9)], Some(5))],
        }),
        ..USUAL
    },
    Story {
        name: "Suresh Kumar",
        mailbox: Some("suresh"),
        region: Region::Shoulder,
        template: SHOULDER,
        weeks: 8,
        began: 11,
        at: &[(18, 45)],
        remind: &["18:00"],
        newest: "###+.##+##",
        pain: (4.2, 3.0),
        skips: Some((2, 20, SkipReason::NoEquipment)),
        asked: Some(Asked {
            every: Every::FourWeeks,
            activities: &["Hanging up washing", "Serving at badminton"],
            told: &[(2, &[Some(4), Some(0)], None)],
        }),
        ..USUAL
    },
    Story {
        name: "Jason Ooi",
        mailbox: Some("jason"),
        began: 51,
        at: &[(22, 10)],
        remind: &[],
        habit: (78, 10),
        newest: "####.####",
        pain: (5.6, 1.0),
        asked: Some(Asked {
            every: Every::FourWeeks,
            activities: &["Driving for an hour", "Sitting through a film"],
            told: &[(1, &[Some(4), Some(4)], None), (29, &[Some(5), Some(5)], Some(1))],
        }),
        turn: Turn::Finishes { ago: 11 },
        ..USUAL
    },
    Story {
        name: "Lau Kok Wah",
        region: Region::LowerBack,
        template: LOW_BACK,
        began: 27,
        week: Week::ThreeDays,
        at: &[(10, 0)],
        remind: &[],
        newest: "##.###",
        pain: (4.4, 3.4),
        turn: Turn::OnPaper,
        ..USUAL
    },
    Story {
        name: "Teh Mei Fong",
        mailbox: Some("meifong"),
        began: 17,
        at: &[(12, 35)],
        remind: &["12:15", "19:30"],
        habit: (84, 8),
        newest: "##.#+###",
        pain: (4.6, 3.2),
        notes: &[Note {
            back: 1,
            text: "May I do the wall angels lying on the floor? I have no free wall at home.",
            hurt: false,
            answer: None,
        }],
        answered: false,
        skips: Some((3, 35, SkipReason::NoEquipment)),
        ..USUAL
    },
    Story {
        name: "Kumaravel Pillai",
        mailbox: Some("kumaravel"),
        region: Region::LowerBack,
        whose: Whose::Arjun,
        template: LOW_BACK,
        began: 16,
        newest: "####+###",
        pain: (4.8, 4.4),
        newest_pain: &[4, 5, 5, 6],
        notes: &[Note { back: 0, text: "My left foot has felt numb since last night.", hurt: false, answer: None }],
        answered: false,
        turn: Turn::Stops { ago: 1, flag: RedFlag::NumbnessOrWeakness },
        ..USUAL
    },
    Story {
        name: "Nurul Iman Yusof",
        mailbox: Some("nurul"),
        region: Region::Neck,
        whose: Whose::Arjun,
        template: NECK,
        began: 22,
        at: &[(19, 15)],
        remind: &["19:00"],
        newest: "####.####",
        pain: (5.4, 5.0),
        newest_pain: &[5, 6, 5, 6, 8],
        ..USUAL
    },
    Story {
        name: "Grace Wong",
        mailbox: Some("grace"),
        whose: Whose::Arjun,
        began: 26,
        newest: "#####.####",
        pain: (4.8, 2.6),
        turn: Turn::Pauses { ago: 4, until: 5, reason: "Family holiday in Penang." },
        ..USUAL
    },
    Story {
        name: "Ravi Chandran",
        mailbox: Some("ravi"),
        region: Region::Shoulder,
        whose: Whose::Arjun,
        template: SHOULDER,
        weeks: 8,
        began: 31,
        times_a_day: 2,
        at: &[(7, 10), (20, 20)],
        remind: &["07:00", "20:00"],
        habit: (74, 12),
        newest: "##.##+##.####.##",
        pain: (5.8, 2.8),
        late: &[9],
        ..USUAL
    },
    Story {
        name: "Nadia Rosli",
        mailbox: Some("nadia"),
        region: Region::Neck,
        whose: Whose::Arjun,
        template: NECK,
        began: -1,
        invited: Some(0),
        newest: "",
        ..USUAL
    },
];
