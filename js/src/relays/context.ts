/** What this folder needs of the space whose relays it looks after. */
import type { Engine } from "../engine/instance.js";

export interface RelayContext {
  run<R>(fn: (engine: Engine) => R): R;
  /** What the status says about relays may have changed. */
  changed(): void;
}
