//! What a process counts, for Prometheus: a recorder behind the `metrics` facade and a listener of its own, off the public port.
//!
//! Names, units and buckets of the engine's metrics stand in `worker::telemetry`.

use std::{future::Future, net::SocketAddr, time::Duration};

use anyhow::{Result, anyhow};
use axum::{Router, http::header, routing::get};
use metrics::{describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use worker::telemetry;

/// Always 1; its labels say which version and which part runs. Gauge.
const BUILD: &str = "homestretch_build_info";

/// The media type of Prometheus's text, version 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often what was measured is folded into the histograms when nobody asks for the page, so that it does not pile up.
const FOLD: Duration = Duration::from_secs(5);

/// Which part of Homestretch a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `homestretch serve`.
    Serve,
    /// `homestretch worker`.
    Worker,
    /// `homestretch demo`: both in one.
    Demo,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Worker => "worker",
            Self::Demo => "demo",
        }
    }

    fn sends_mail(self) -> bool {
        matches!(self, Self::Worker | Self::Demo)
    }
}

/// Counts from now on, and serves what was counted at `GET /metrics` on `bind` until the process ends. A port that is taken or may not be
/// opened is one line in the log and stops nobody: several processes on one machine share the default address, and mail is worth
/// more than its numbers. Call it once in a process.
pub async fn start(bind: SocketAddr, part: Part) {
    match open(bind, part).await {
        Ok((listener, handle)) => {
            tracing::info!(address = %bind, "metrics");
            tokio::spawn(serve(listener, handle, std::future::pending()));
        }
        Err(error) => tracing::warn!(
            "no metrics: {error}. This process goes on without; HOMESTRETCH_METRICS_BIND gives it an address of its own."
        ),
    }
}

async fn open(bind: SocketAddr, part: Part) -> Result<(TcpListener, PrometheusHandle)> {
    // The port first: a process that cannot show its numbers need not count.
    let listener = TcpListener::bind(bind).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow!("{bind} is in use by another process"),
        _ => anyhow!("cannot listen on {bind}: {error}"),
    })?;
    let handle = builder()?.install_recorder().map_err(|error| anyhow!("{error}"))?;
    describe(part);
    Ok((listener, handle))
}

/// The recorder's settings: histograms with fixed buckets, which add up over processes as summaries do not.
fn builder() -> Result<PrometheusBuilder> {
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in telemetry::BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets).map_err(|error| anyhow!("{error}"))?;
    }
    Ok(builder)
}

fn describe(part: Part) {
    describe_gauge!(BUILD, "Always 1; which version and which part of Homestretch runs.");
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION"), "part" => part.name()).set(1.0);
    if part.sends_mail() {
        telemetry::begin();
    }
}

/// Answers `GET /metrics` until `shutdown`.
async fn serve(listener: TcpListener, handle: PrometheusHandle, shutdown: impl Future<Output = ()> + Send + 'static) {
    let folding = tokio::spawn({
        let handle = handle.clone();
        async move {
            let mut every = tokio::time::interval(FOLD);
            loop {
                every.tick().await;
                handle.run_upkeep();
            }
        }
    });
    let app = Router::new().route("/metrics", get(async move || ([(header::CONTENT_TYPE, TEXT)], handle.render())));
    if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(shutdown).await {
        tracing::warn!(%error, "the metrics ended");
    }
    folding.abort();
}
