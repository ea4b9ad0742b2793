//! `--authorize URL`: the application has the last word on who may come in.
//!
//! It is asked for each token that is good, and told what the token says and for which space it was shown,
//! but never the token. What it answers counts for a few seconds. Where it can't be asked nobody is let in,
//! with a code that clients try again after.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use eyot_core::wire::access::{Refusal, Right};
use eyot_core::wire::close::CloseCode;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::warn;

/// How long the application may take for its answer, with the wait for others before.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// Questions at the same time.
const ASKING_MAX: usize = 64;
/// The largest answer.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long an answer counts.
const FRESH: Duration = Duration::from_secs(5);
/// Answers that are remembered.
const ANSWERS_MAX: usize = 10_000;

/// The application's address, and what it answered lately.
#[derive(Debug)]
pub struct Webhook {
    url: Uri,
    region: String,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    asking: Semaphore,
    answers: Mutex<HashMap<Question, (Verdict, Instant)>>,
}

/// A token and a space, as a hash.
type Question = [u8; 32];

/// None: its bearer may not come in. Otherwise the most that it may do.
type Verdict = Option<Right>;

/// What the application answers with the status 200.
#[derive(Deserialize)]
struct Answer {
    allow: bool,
    right: Option<Allowed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Allowed {
    Read,
    Write,
}

impl Webhook {
    /// Asks at this address, for a relay of this region.
    ///
    /// # Errors
    /// The certificates of this machine can't be read.
    pub fn new(url: Uri, region: &str) -> std::io::Result<Self> {
        let connector =
            HttpsConnectorBuilder::new().with_native_roots()?.https_or_http().enable_http1().build();
        Ok(Self {
            url,
            region: region.to_owned(),
            client: Client::builder(TokioExecutor::new()).build(connector),
            asking: Semaphore::new(ASKING_MAX),
            answers: Mutex::default(),
        })
    }

    /// What the bearer of a token may do in a space: no more than the token says.
    ///
    /// # Errors
    /// Nothing, or the application can't be asked now.
    pub async fn ask(&self, space: &str, token: &str, right: Right) -> Result<Right, Refusal> {
        let question = Sha256::digest([space.as_bytes(), &[0], token.as_bytes()].concat()).into();
        let known = self.answers().get(&question).filter(|(_, until)| *until > Instant::now()).cloned();
        let verdict = match known {
            Some((verdict, _)) => verdict,
            None => {
                let asking = timeout(ANSWER_WAIT, self.answer_to(space, token)).await;
                let verdict =
                    asking.unwrap_or_else(|_| Err("it does not answer".to_owned())).map_err(|reason| {
                        warn!(space, reason, "the application can't be asked who may come in");
                        let reason =
                            "the application can't be asked whether you may come in; try again".to_owned();
                        Refusal { code: CloseCode::GoingAway, reason }
                    })?;
                self.remember(question, verdict);
                verdict
            }
        };
        match verdict {
            Some(most) => Ok(right.min(most)),
            None => Err(Refusal::denied("the application does not let you in")),
        }
    }

    async fn answer_to(&self, space: &str, token: &str) -> Result<Verdict, String> {
        let _asking = self.asking.acquire().await.expect("the semaphore is never closed");
        let body = json!({ "space": space, "region": self.region, "claims": said_by(token)? }).to_string();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| causes(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN => return Ok(None),
            status => return Err(format!("it answers with {status}")),
        }
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| format!("its answer: {error}"))?;
        Ok(answer.allow.then_some(match answer.right {
            Some(Allowed::Read) => Right::Read,
            Some(Allowed::Write) | None => Right::Write,
        }))
    }

    fn remember(&self, question: Question, verdict: Verdict) {
        let now = Instant::now();
        let mut answers = self.answers();
        if answers.len() >= ANSWERS_MAX {
            answers.retain(|_, (_, until)| *until > now);
        }
        if answers.len() < ANSWERS_MAX {
            answers.insert(question, (verdict, now + FRESH));
        }
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<Question, (Verdict, Instant)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that a token says, which was verified.
fn said_by(token: &str) -> Result<Value, String> {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|error| error.to_string())?;
    serde_json::from_slice(&payload).map_err(|error| error.to_string())
}

/// An error with its causes: the first says only that a request failed.
fn causes(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", causes(source)),
        None => error.to_string(),
    }
}
