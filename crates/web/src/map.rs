//! A router that remembers its addresses, so that tests can walk through all of them and none is forgotten.
//!
//! axum's own router cannot be asked what it holds. Pages are mapped by a [`Map`] alone, with [`get`] and [`post`] of this module;
//! what it lists is therefore what it serves.

use axum::{
    Extension, Router,
    handler::Handler,
    http::Method,
    middleware::from_fn_with_state,
    routing::{MethodFilter, MethodRouter},
};

use crate::{AppState, body_budget, router::BODY_LIMIT};

/// An address and what may be done there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The pattern, with its parts in braces: `/programs/{id}`.
    pub path: &'static str,
    /// The methods that have a handler. HEAD comes with GET and is not listed.
    pub methods: Vec<Method>,
    /// The most a request's body may be, in bytes.
    pub body_limit: usize,
    /// Whether its answer is a file that is made while it is taken, for which a page's time limit does not hold.
    pub streams: bool,
}

/// Addresses and their handlers.
#[derive(Debug, Default)]
pub struct Map {
    router: Router<AppState>,
    addresses: Vec<Address>,
}

/// The handlers of one address, by method.
#[derive(Debug)]
pub struct Answers {
    router: MethodRouter<AppState>,
    methods: Vec<Method>,
    body_limit: usize,
    streams: bool,
}

/// Answers GET and HEAD.
pub fn get<H: Handler<T, AppState>, T: 'static>(handler: H) -> Answers {
    Answers::none().on(Method::GET, MethodFilter::GET, handler)
}

/// Answers POST.
pub fn post<H: Handler<T, AppState>, T: 'static>(handler: H) -> Answers {
    Answers::none().post(handler)
}

impl Answers {
    fn none() -> Self {
        Self { router: MethodRouter::new(), methods: vec![], body_limit: BODY_LIMIT, streams: false }
    }

    /// Answers POST too.
    #[must_use]
    pub fn post<H: Handler<T, AppState>, T: 'static>(self, handler: H) -> Self {
        self.on(Method::POST, MethodFilter::POST, handler)
    }

    /// Takes bodies of up to `bytes`, in place of [`BODY_LIMIT`]: for forms of people who are signed in alone.
    #[must_use]
    pub fn up_to(self, bytes: usize) -> Self {
        Self { body_limit: bytes, ..self }
    }

    /// Answers with a file that is made while it is taken: a page's time limit does not hold for it.
    #[must_use]
    pub fn streaming(self) -> Self {
        Self { streams: true, ..self }
    }

    fn on<H: Handler<T, AppState>, T: 'static>(mut self, method: Method, filter: MethodFilter, handler: H) -> Self {
        self.router = self.router.on(filter, handler);
        self.methods.push(method);
        self
    }
}

impl Map {
    /// A map without any address.
    pub fn new() -> Self {
        Self::default()
    }

    /// Maps one address.
    ///
    /// # Panics
    /// When the address is mapped already, as axum's own router does.
    #[must_use]
    pub fn route(mut self, path: &'static str, answers: Answers) -> Self {
        let Answers { router, methods, body_limit, streams } = answers;
        self.router = self.router.route(path, router.layer(from_fn_with_state(body_limit, body_budget::receive)));
        self.addresses.push(Address { path, methods, body_limit, streams });
        self
    }

    /// Gives the handlers mapped so far a value that they take as an [`Extension`].
    #[must_use]
    pub fn sharing<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.router = self.router.layer(Extension(value));
        self
    }

    /// Every address, in the order they were mapped.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The router that serves them.
    pub(crate) fn into_router(self) -> Router<AppState> {
        self.router
    }
}
