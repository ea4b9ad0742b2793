/** What this folder needs of the space whose links to replicas it looks after. */
import type { Engine } from "../engine/instance.js";

export interface PeerContext {
  /** Whether the engine may still be called. */
  readonly isUsable: boolean;
  /** The addresses of the relays, as far as they are known. */
  readonly relays: readonly string[];
  run<R>(fn: (engine: Engine) => R): R;
  /** What the status says about links may have changed. */
  changed(): void;
}
