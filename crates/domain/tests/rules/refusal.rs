//! When an address is given up, and when the mail server is not believed.

use domain::refusal::{Cause, Count, Evidence, FEW, Run, Verdict, WINDOW, again_at, judge};
use jiff::{SignedDuration, Timestamp};

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * minutes).unwrap()
}

/// One address refused now and ten minutes ago, and nineteen others accepted since.
fn clear() -> Evidence {
    Evidence {
        first: at(0) - WINDOW,
        since: Count { refused: 1, accepted: 19 },
        domain: Count { refused: 1, accepted: 0 },
        accepted_itself: false,
        run: Run::default(),
        paused: false,
    }
}

#[test]
fn an_address_is_given_up_at_its_second_refusal_while_others_are_accepted() {
    let verdict = |evidence: Evidence| judge(Cause::Mailbox, &evidence, at(0));
    assert_eq!(verdict(clear()), Verdict::GiveUp);
    for (why, evidence) in [
        ("the first time", Evidence { first: at(0), ..clear() }),
        ("too soon after the first time", Evidence { first: at(-9), ..clear() }),
        ("nothing else was sent", Evidence { since: Count { refused: 1, accepted: 0 }, ..clear() }),
        ("most are refused", Evidence { since: Count { refused: 10, accepted: 9 }, ..clear() }),
        ("a good part is refused", Evidence { since: Count { refused: 5, accepted: 19 }, ..clear() }),
        ("it was accepted meanwhile", Evidence { accepted_itself: true, ..clear() }),
        ("the sender is paused", Evidence { paused: true, ..clear() }),
        ("its provider refuses most", Evidence { domain: Count { refused: FEW + 1, accepted: 3 }, ..clear() }),
    ] {
        assert_eq!(verdict(evidence), Verdict::Again, "{why}");
    }
    let provider =
        Evidence { domain: Count { refused: FEW + 1, accepted: FEW + 1 }, since: Count { refused: 5, accepted: 20 }, ..clear() };
    assert_eq!(verdict(provider), Verdict::GiveUp);
    assert_eq!(judge(Cause::Mail, &clear(), at(0)), Verdict::GiveUp);
    assert_eq!(judge(Cause::Policy, &clear(), at(0)), Verdict::Again, "a policy may be another one tomorrow");
}

#[test]
fn a_server_that_refuses_one_after_another_is_not_believed() {
    let verdict = |recipients, domains, accepted| {
        let run = Run { recipients, domains, accepted };
        judge(Cause::Mailbox, &Evidence { run, ..clear() }, at(0)) == Verdict::Distrust
    };
    assert!(verdict(5, 5, 0) && verdict(5, 5, 19), "of different domains, and a good part of all");
    assert!(!verdict(5, 5, 20), "five of twenty-five may be gone");
    assert!(!verdict(4, 4, 0), "a few may be chance");
    assert!(verdict(5, 1, 0) && verdict(5, 1, 4), "of one domain, and most of all");
    assert!(!verdict(5, 1, 5) && !verdict(5, 2, 5), "one domain in trouble stops nobody else's mail");
}

#[test]
fn a_refused_mail_is_tried_again_while_it_is_wanted() {
    let until = at(180);
    let mut tries = vec![0];
    let (mut now, mut times) = (at(0), 1);
    while let Some(next) = again_at(times, until, now) {
        assert!(next >= now + WINDOW && next < until);
        tries.push(next.duration_since(at(0)).as_mins());
        (now, times) = (next, times + 1);
    }
    assert_eq!(tries, [0, 10, 30, 70, 150, 179]);
    // Three days of an invitation.
    assert_eq!(again_at(30, at(72 * 60), at(0)), Some(at(0) + SignedDuration::from_hours(2)));
    assert_eq!(again_at(1, at(10), at(0)), None, "it would be too late");
}
