//! The metrics page, made no more often than it is worth.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Mutex;

use super::context::ConnectionContext;

/// The pages may take this part of the time, so that who asks for them all the time costs little.
const SHARE: u32 = 50;
const AGE_MAX: Duration = Duration::from_secs(1);

/// The page as it was made last.
#[derive(Debug, Default)]
pub struct MetricsPage(Mutex<Option<Made>>);

#[derive(Debug)]
struct Made {
    page: Bytes,
    at: Instant,
    /// How long it took.
    took: Duration,
}

impl MetricsPage {
    /// The page; at most a second old, and new unless it was made a moment ago.
    pub(super) async fn get(&self, context: &ConnectionContext) -> Bytes {
        // One makes it, and others who ask meanwhile get the same.
        let mut made = self.0.lock().await;
        if let Some(made) = &*made
            && made.at.elapsed() < (made.took * SHARE).min(AGE_MAX)
        {
            return made.page.clone();
        }
        let started = Instant::now();
        let page = Bytes::from(context.metrics.page(&context.inboxes.gauges().await));
        *made = Some(Made { page: page.clone(), at: Instant::now(), took: started.elapsed() });
        page
    }
}
