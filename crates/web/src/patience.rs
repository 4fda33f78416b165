//! How long a request may take, its body included.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, HttpBody as _},
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt as _;

use crate::PageError;

/// How long, and for which routes that does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    pub(crate) limit: Duration,
    /// The patterns of the routes that answer with a file: it is taken for as long as it takes. What is sent of it too slowly, the
    /// connection ends.
    pub(crate) streams: Arc<HashSet<&'static str>>,
}

/// Ends what takes longer: 408 while the client still owes a part of its request, 503 when it is us.
pub(crate) async fn limit(State(patience): State<Patience>, request: Request, next: Next) -> Response {
    let Patience { limit, streams } = patience;
    if request.extensions().get::<MatchedPath>().is_some_and(|path| streams.contains(path.as_str())) {
        return next.run(request).await;
    }
    let owed = Arc::new(AtomicBool::new(!request.body().is_end_stream()));
    let here = owed.clone();
    let request = request.map(|body| {
        // Asked for the trailers when the last of the body has come.
        Body::new(body.with_trailers(async move {
            here.store(false, Ordering::Relaxed);
            None
        }))
    });
    let looks = request.method().is_safe();
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) if owed.load(Ordering::Relaxed) => {
            let mut response = PageError::Refused(Some("It took too long to arrive. Please try again.".into())).into_response();
            *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
            // What is still to come is not waited for.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
        Err(_) if looks => PageError::Unavailable.into_response(),
        // The work was dropped and is rolled back, unless its COMMIT had been asked for: that is carried through.
        Err(_) => PageError::Unconfirmed.into_response(),
    }
}
