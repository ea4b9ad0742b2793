//! The page that a replica lives in: whether it is shown, and when it may end.

use wasm_bindgen::prelude::*;
use web_sys::{Event, EventTarget};

use crate::base::{js, platform};

/// What happens to a page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It may end, or be frozen, at the end of this task.
    Leaves,
    /// It can't be seen any more. It may be ended without another word.
    Hides,
    /// It goes on, and may be seen.
    Shows,
}

/// Which object tells of what.
const EVENTS: [(&str, &[&str]); 2] =
    [("window", &["pagehide", "pageshow"]), ("document", &["freeze", "resume", "visibilitychange"])];

pub struct Page {
    listener: Closure<dyn FnMut(Event)>,
}

impl Page {
    /// Tells what happens to the page; `None` outside of pages.
    pub fn watch(mut tell: impl FnMut(Moment) + 'static) -> Option<Self> {
        if platform::global("document").is_undefined() {
            return None;
        }
        let listener = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            tell(match event.type_().as_str() {
                "pagehide" | "freeze" => Moment::Leaves,
                "visibilitychange" if !is_visible() => Moment::Hides,
                _ => Moment::Shows,
            });
        });
        let page = Self { listener };
        page.each(|target, kind, listener| {
            let _ = target.add_event_listener_with_callback(kind, listener);
        });
        Some(page)
    }

    fn each(&self, mut visit: impl FnMut(&EventTarget, &str, &js_sys::Function)) {
        for (object, kinds) in EVENTS {
            let Ok(target) = platform::global(object).dyn_into::<EventTarget>() else { continue };
            for kind in kinds {
                visit(&target, kind, self.listener.as_ref().unchecked_ref());
            }
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.each(|target, kind, listener| {
            let _ = target.remove_event_listener_with_callback(kind, listener);
        });
    }
}

/// Whether this is in sight. What is no page, a worker for example, is neither hidden nor slowed down.
pub fn is_visible() -> bool {
    js::get(&platform::global("document"), "visibilityState")
        .as_string()
        .is_none_or(|state| state == "visible")
}
