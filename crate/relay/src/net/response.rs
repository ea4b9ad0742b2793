//! How HTTP answers are built.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// An answer with its whole body.
pub(super) type Answer = Response<Full<Bytes>>;

/// An answer that ends its connection: a client that does not read its answers leaves with the first.
pub(super) fn answer(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    with(answer, [(header::CONNECTION, "close")])
}

/// A line of text.
pub(super) fn text(status: StatusCode, line: &str) -> Answer {
    with(answer(status, format!("{line}\n")), [(header::CONTENT_TYPE, "text/plain;charset=UTF-8")])
}

/// A value as JSON.
pub(super) fn json(value: &impl Serialize) -> Answer {
    let body = serde_json::to_string(value).expect("strings can always be written as JSON");
    with(answer(StatusCode::OK, body), [(header::CONTENT_TYPE, "application/json")])
}

/// Allows the page that has asked to read the answer (CORS). The server has checked its origin.
pub(super) fn readable_by(origin: Option<HeaderValue>, answer: Answer) -> Answer {
    let mut answer = with(answer, [(header::VARY, "origin")]);
    let allowed = origin.unwrap_or_else(|| HeaderValue::from_static("*"));
    answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    answer
}

/// Adds headers.
pub(super) fn with<const N: usize>(mut answer: Answer, headers: [(HeaderName, &str); N]) -> Answer {
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("the values of this crate are visible ASCII");
        answer.headers_mut().insert(name, value);
    }
    answer
}
