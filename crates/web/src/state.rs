//! What every handler may reach: the store, the templates, the settings, the clock.

use std::sync::Arc;

use jiff::Timestamp;
use render::{RenderError, Templates};
use secrecy::SecretSlice;
use store::Store;

use crate::{assets, auth::address::Network};

/// Tells the time. The real one lives in the binary; tests bring their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The settings the web server needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The public origin, without a slash at its end: `https://clinic.example` or `http://localhost:8080`. Links and cookies follow
    /// it, never the Host header.
    pub url: String,
    /// 32 bytes or more that sign links.
    pub secret: SecretSlice<u8>,
    /// Whether this is the demo clinic, which says so on every page.
    pub demo: bool,
    /// The proxies whose X-Forwarded-For counts.
    pub trusted_proxies: Vec<Network>,
}

impl Config {
    /// Whether the installation is reached over https: cookies are then `Secure` and HSTS is sent.
    pub fn https(&self) -> bool {
        self.url.starts_with("https://")
    }
}

/// The state of the web server. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// The templates, compiled.
    pub templates: Templates,
    /// The settings.
    pub config: Arc<Config>,
    /// The clock. Handlers take [`Now`](crate::extract::Now) instead, which is read once per request.
    pub clock: Clock,
}

impl AppState {
    /// Compiles the templates and puts everything together.
    ///
    /// # Errors
    /// [`RenderError::Load`] when a template does not compile.
    pub fn new(store: Store, config: Config, clock: Clock) -> Result<Self, RenderError> {
        Ok(Self { store, templates: Templates::with_assets(assets::resolver())?, config: Arc::new(config), clock })
    }
}
