//! The metrics page, made no more often than it is worth.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::metrics::Metrics;
use crate::queues::Inboxes;

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
    pub(super) async fn get(&self, metrics: &Metrics, inboxes: &Inboxes) -> Bytes {
        // One makes it, and others who ask meanwhile get the same.
        let mut made = self.0.lock().await;
        if let Some(made) = &*made
            && made.is_fresh(Instant::now())
        {
            return made.page.clone();
        }
        let started = Instant::now();
        let page = Bytes::from(metrics.page(&inboxes.gauges().await));
        *made = Some(Made { page: page.clone(), at: Instant::now(), took: started.elapsed() });
        page
    }
}

impl Made {
    fn is_fresh(&self, now: Instant) -> bool {
        now.duration_since(self.at) < (self.took * SHARE).min(AGE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;
    use crate::queues::{Inbox, ShardEvent};

    #[test]
    fn a_page_takes_a_fiftieth_of_the_time_or_is_made_once_a_second() {
        let at = Instant::now();
        for (took, fresh_for) in [(0, 0), (1, 50), (20, 1_000), (300, 1_000)] {
            let made = Made { page: Bytes::new(), at, took: Duration::from_millis(took) };
            let fresh_for = Duration::from_millis(fresh_for);
            assert!(!made.is_fresh(at + fresh_for), "{took} ms");
            assert_eq!(made.is_fresh(at + fresh_for / 2), took > 0, "{took} ms");
        }
    }

    #[test]
    fn however_many_ask_for_the_page_while_it_is_made_the_shards_are_asked_once() {
        let (inbox, events) = Inbox::new();
        let (page, metrics, inboxes) =
            (MetricsPage::default(), Metrics::default(), Inboxes::new(vec![inbox]));
        let mut asked = Box::pin(join_all((0..1_000).map(|_| page.get(&metrics, &inboxes))));
        assert!((&mut asked).now_or_never().is_none());
        let Some(ShardEvent::Gauges(answer)) = events.try_take() else { panic!("it is asked") };
        assert!(events.try_take().is_none());
        drop((answer, events));
        let pages = asked.now_or_never().expect("all are answered");
        assert_eq!(pages.len(), 1_000);
    }
}
