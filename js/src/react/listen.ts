/** Subscriptions for effects, which may run once more after what they follow was closed. */
import { EyotError } from "../base/error.js";
import type { Unsubscribe } from "../space/types.js";

/** Subscribes. What is closed, or has failed, does not change any more, so there is nothing to hear. */
export function listen(subscribe: (listener: () => void) => Unsubscribe, listener: () => void): Unsubscribe {
  try {
    return subscribe(listener);
  } catch (error) {
    if (error instanceof EyotError) return () => undefined;
    throw error;
  }
}
