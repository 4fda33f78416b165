//! What a patient answered about how things are: a QuestionnaireResponse for each of the two questionnaires that were answered.

use domain::questionnaire::{Answer, Scored};

use super::{
    Put, Record, codes,
    elements::{Identifier, Text, Urn},
    resources::{Item, QuestionnaireResponse, Resource, Score},
};

pub(super) fn entries<'a>(record: &'a Record, answer: &'a Answer) -> Vec<Put<'a>> {
    let mut entries = Vec::new();
    if !answer.activities.is_empty() {
        let items = answer.activities.iter().map(|Scored { activity, score }| Item {
            link_id: activity.id.to_string(),
            text: Text::new(activity.name.as_str()),
            // Asked and not given: an item without an answer.
            answer: score.map(|score| Score { value_integer: i8::try_from(score.get()).unwrap_or(i8::MAX) }).into_iter().collect(),
        });
        entries.push(response(record, answer, "abilities", codes::ABILITY, items.collect()));
    }
    if let Some(rating) = answer.rating {
        let item = Item {
            link_id: "change".to_owned(),
            text: Text::new("Change since the program began, from -5 (very much worse) to 5 (completely recovered)"),
            answer: vec![Score { value_integer: rating.get() }],
        };
        entries.push(response(record, answer, "change", codes::CHANGE, vec![item]));
    }
    entries
}

fn response<'a>(record: &'a Record, answer: &'a Answer, kind: &str, questionnaire: &'static str, item: Vec<Item<'a>>) -> Put<'a> {
    let Answer { id, patient: _, program, date, received_at, corrected_at, activities: _, rating: _ } = answer;
    let response = QuestionnaireResponse {
        identifier: Identifier::row(id.0),
        based_on: [record.care_plan(*program).into()],
        questionnaire,
        status: if corrected_at.is_some() { "amended" } else { "completed" },
        subject: record.patient,
        authored: record.moment(*date, *received_at),
        author: record.patient,
        source: record.patient,
        item,
    };
    (Urn::of(kind, [id.0]), Resource::QuestionnaireResponse(response))
}
