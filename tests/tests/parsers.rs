//! The parsers of links and of exercise lists take whatever comes: they read it or refuse it, and never panic.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    ids::{ClinicId, PatientId},
    person::Email,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use render::links::{Links, Purpose};
use serde_json::{Value, json};
use store::exercise::parse_exercise_list;
use uuid::Uuid;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec!["shoulders", "stretching", "static", "\0", "\u{202E}", ""]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let key = prop_oneof![
            4 => prop::sample::select(vec!["name", "instructions", "id", "equipment", "primaryMuscles", "category", "force", "exercises"]).prop_map(str::to_owned),
            1 => any::<String>(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..8).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_break_the_exercise_list(bytes in prop::collection::vec(any::<u8>(), 0..400), json in any_json(), depth in 1usize..5000) {
        let _ = parse_exercise_list(&bytes);
        let _ = parse_exercise_list(json.to_string().as_bytes());
        let _ = parse_exercise_list(json!([json]).to_string().as_bytes());
        prop_assert!(parse_exercise_list("[".repeat(depth).as_bytes()).is_err());
    }

    #[test]
    fn what_a_list_says_is_kept_on_one_line_and_within_bounds(name in any::<String>(), step in any::<String>(), equipment in any::<String>()) {
        let list = json!([{ "name": name, "instructions": [step], "equipment": equipment }]).to_string();
        if let Ok(read) = parse_exercise_list(list.as_bytes()) {
            prop_assert_eq!(read.len(), 1);
            let one = &read[0];
            prop_assert!((1..=120).contains(&one.name.chars().count()) && !one.name.chars().any(char::is_control), "{:?}", one.name);
            prop_assert!(!one.instructions.contains('\0') && !one.equipment.chars().any(char::is_control));
            // What was read reads the same again.
            let again = json!([{ "name": one.name, "instructions": one.instructions, "equipment": one.equipment }]).to_string();
            prop_assert_eq!(&parse_exercise_list(again.as_bytes()).unwrap()[0].name, &one.name);
        }
    }

    #[test]
    fn a_link_says_whose_it_is_and_no_other_text_does(
        clinic in any::<u128>(), patient in any::<u128>(), at in 0i64..4_000_000_000, text in any::<String>(),
        bytes in prop::collection::vec(any::<u8>(), 0..120), flip in any::<(prop::sample::Index, u8)>(),
    ) {
        let links = Links::new("https://clinic.test", &[7; 32]).unwrap();
        let (clinic, patient) = (ClinicId(Uuid::from_u128(clinic)), PatientId(Uuid::from_u128(patient)));
        let now = Timestamp::from_second(at).unwrap();
        let address = links.one_tap(clinic, patient, &Email::parse("wei@home.test").unwrap(), now);
        let token = address.rsplit('/').next().unwrap();
        prop_assert_eq!(links.verify(Purpose::OneTap, token, now), Ok((clinic, patient)));
        prop_assert!(links.verify(Purpose::Unsubscribe, token, now).is_err());
        prop_assert!(links.verify(Purpose::OneTap, token, now + SignedDuration::from_hours(49)).is_err());

        let mut forged = BASE64_URL_SAFE_NO_PAD.decode(token).unwrap();
        let place = flip.0.index(forged.len());
        forged[place] ^= flip.1.max(1);
        for other in [text, BASE64_URL_SAFE_NO_PAD.encode(bytes), BASE64_URL_SAFE_NO_PAD.encode(forged), format!("{token}A"), format!("{token}=")] {
            for purpose in [Purpose::OneTap, Purpose::Unsubscribe] {
                prop_assert!(links.verify(purpose, &other, now).is_err(), "{}", other);
            }
        }
    }
}
