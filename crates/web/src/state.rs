//! What every handler may reach: the store, the templates, the settings, the clock.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use render::{
    RenderError, Templates,
    links::{Links, SettingsError},
};
use secrecy::{ExposeSecret, SecretSlice};
use store::Store;

use crate::{
    account::download::Downloads,
    assets,
    auth::{address::Network, password::Passwords, throttle::Throttle, totp::Keys},
    body_budget::BodyBudget,
    counts::Counts,
};

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

/// Whether the process is about to stop: `/health/ready` then answers 503, and every answer says that its connection ends with it.
/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// It is, from now on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much one client may ask for at a time.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests of one client address that are answered at a time; beyond them only people who are signed in are answered.
    pub client_requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { client_requests: 128 }
    }
}

/// Why the web server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A template does not compile.
    #[error(transparent)]
    Templates(#[from] RenderError),
    /// The address or the secret cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
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
    /// Makes and checks signed links.
    pub links: Links,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) keys: Keys,
    pub(crate) limits: Limits,
    pub(crate) body_budget: BodyBudget,
    pub(crate) client_requests: Counts<IpAddr>,
    pub(crate) downloads: Downloads,
    pub(crate) stopping: Stopping,
    /// The clock. Handlers take [`Now`](crate::extract::Now) instead, which is read once per request.
    pub clock: Clock,
}

impl AppState {
    /// Compiles the templates and puts everything together.
    ///
    /// # Errors
    /// [`StartError`] when a template does not compile or the settings cannot work.
    pub fn new(store: Store, config: Config, clock: Clock) -> Result<Self, StartError> {
        let links = Links::new(&config.url, config.secret.expose_secret())?;
        let templates = Templates::with_assets(assets::resolver())?;
        let keys = Keys::new(config.secret.expose_secret());
        let (passwords, throttle) = (Passwords::default(), Throttle::default());
        Ok(Self {
            store,
            templates,
            config: Arc::new(config),
            links,
            passwords,
            throttle,
            keys,
            limits: Limits::default(),
            body_budget: BodyBudget::default(),
            client_requests: Counts::default(),
            downloads: Downloads::default(),
            stopping: Stopping::default(),
            clock,
        })
    }

    /// With other limits than the default ones.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Tells the pages that the process is about to stop.
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }
}
