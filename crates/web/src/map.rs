//! A router that remembers its addresses, so that tests can walk through all of them and none is forgotten.
//!
//! axum's own router cannot be asked what it holds. Pages are mapped by a [`Map`] alone, with [`get`] and [`post`] of this module;
//! what it lists is therefore what it serves.

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    handler::Handler,
    http::Method,
    routing::{MethodFilter, MethodRouter},
};

use crate::AppState;

/// An address and what may be done there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The pattern, with its parts in braces: `/programs/{id}`.
    pub path: &'static str,
    /// The methods that have a handler. HEAD comes with GET and is not listed.
    pub methods: Vec<Method>,
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
}

/// Answers GET and HEAD.
pub fn get<H: Handler<T, AppState>, T: 'static>(handler: H) -> Answers {
    Answers { router: MethodRouter::new(), methods: vec![] }.on(Method::GET, MethodFilter::GET, handler)
}

/// Answers POST.
pub fn post<H: Handler<T, AppState>, T: 'static>(handler: H) -> Answers {
    Answers { router: MethodRouter::new(), methods: vec![] }.post(handler)
}

impl Answers {
    /// Answers POST too.
    #[must_use]
    pub fn post<H: Handler<T, AppState>, T: 'static>(self, handler: H) -> Self {
        self.on(Method::POST, MethodFilter::POST, handler)
    }

    /// Takes bodies of up to `bytes`, in place of [`BODY_LIMIT`](crate::router::BODY_LIMIT).
    #[must_use]
    pub fn up_to(mut self, bytes: usize) -> Self {
        self.router = self.router.layer(DefaultBodyLimit::max(bytes));
        self
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
        let Answers { router, methods } = answers;
        self.router = self.router.route(path, router);
        self.addresses.push(Address { path, methods });
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
