//! What every page's view-model provides.

use serde::Serialize;

/// One page: a struct whose fields are the template's variables.
///
/// Optional fields are `Option`, never left out, so that a template can ask for them.
pub trait Page: Serialize {
    /// The template's path under `templates/`, for example `pages/errors/not_found.html`.
    const TEMPLATE: &'static str;

    /// Examples that together show every state of the page: each optional field given in one and
    /// absent in another, each list empty once. A test renders all of them, and no two may look alike.
    fn samples() -> Vec<Self>
    where
        Self: Sized;
}
