/** What the parts of a space share: the engine, the queue of listener calls, and whether the space is closed. */
import type { EngineGuard } from "../engine/guard.js";
import type { Engine, Made } from "../engine/instance.js";
import type { Outbox } from "./outbox.js";
import type { Commit } from "./types.js";

export interface SpaceContext {
  readonly engine: EngineGuard;
  readonly outbox: Outbox;
  /** Whether `close` was called. */
  readonly isClosed: boolean;
  /** Throws if `close` was called. */
  check(): void;
  /** Calls the engine, and `then` with the result. Events that the engine sends meanwhile are handled after that. */
  run<R>(fn: (engine: Engine) => R, then?: (result: R) => void): R;
  /** The public form of a commit that the engine has made. */
  commit(made: Made): Commit;
}

/** Where a space is kept, see `Status.storage`. */
export interface Kept {
  readonly kind: string;
  /** Closes the storage when the engine has failed and cannot. */
  abandon(): Promise<void>;
  /** Removes everything from the storage, once nobody has it open. */
  wipe(): Promise<void>;
}
