//! Pages and redirects, in the frame of whoever is there.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Redirect, Response},
};
use render::{Chrome, Flash, Nav, Page};

use crate::{AppState, PageError, PageResult, auth::cookie, extract::visit, visit::Visit};

/// Shows pages. A handler takes it after the extractor that says who is there.
///
/// ```text
/// async fn library(staff: Staff, pages: Pages) -> PageResult {
///     pages.at(Nav::Library).show(&Library { … })
/// }
/// ```
#[derive(Clone)]
pub struct Pages {
    app: AppState,
    visit: Visit,
    nav: Nav,
}

impl FromRequestParts<AppState> for Pages {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, PageError> {
        Ok(Self { app: app.clone(), visit: visit(parts)?, nav: Nav::None })
    }
}

impl Pages {
    /// The part of the product that is marked as current.
    #[must_use]
    pub fn at(mut self, nav: Nav) -> Self {
        self.nav = nav;
        self
    }

    /// The frame of the page to come.
    pub fn chrome(&self) -> Chrome {
        self.visit.chrome(&self.app, self.nav)
    }

    /// The page: 200.
    ///
    /// # Errors
    /// [`PageError::Internal`] when it does not render.
    pub fn show<P: Page>(&self, page: &P) -> PageResult {
        self.show_in(&self.chrome(), page)
    }

    /// The page in a frame that the handler changed (another language, another name): 200.
    ///
    /// # Errors
    /// [`PageError::Internal`] when it does not render.
    pub fn show_in<P: Page>(&self, chrome: &Chrome, page: &P) -> PageResult {
        let mut response = Html(self.app.templates.render(chrome, page)?).into_response();
        if self.visit.notice().is_some() {
            response.headers_mut().append(header::SET_COOKIE, cookie::clear_notice(self.app.config.https()));
        }
        Ok(response)
    }

    /// The page of a form that was refused, with what was typed and a sentence per field: 422.
    ///
    /// # Errors
    /// [`PageError::Internal`] when it does not render.
    pub fn refuse<P: Page>(&self, page: &P) -> PageResult {
        self.show_as(StatusCode::UNPROCESSABLE_ENTITY, &self.chrome(), page)
    }

    /// The page with another status than 200, in the frame given.
    ///
    /// # Errors
    /// [`PageError::Internal`] when it does not render.
    pub fn show_as<P: Page>(&self, status: StatusCode, chrome: &Chrome, page: &P) -> PageResult {
        let mut response = self.show_in(chrome, page)?;
        *response.status_mut() = status;
        Ok(response)
    }

    /// On to another page, which shows the notice once: 303.
    pub fn go_saying(&self, to: &str, flash: &Flash) -> Response {
        let mut response = go(to);
        response.headers_mut().append(header::SET_COOKIE, cookie::set_notice(flash, self.app.config.https()));
        response
    }
}

/// On to another page: 303.
pub fn go(to: &str) -> Response {
    // An address of ours made of ids and dates; anything a header refuses leads to the start page.
    match HeaderValue::from_str(to) {
        Ok(_) => Redirect::to(to).into_response(),
        Err(_) => Redirect::to("/").into_response(),
    }
}
