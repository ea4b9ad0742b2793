/** What the parts of a space need of it: the engine, the order in which events and listeners run, and whether it is closed. */
import type { EngineGuard } from "../engine/guard.js";
import type { Engine, Made } from "../engine/instance.js";
import type { Commit } from "./types.js";

export interface SpaceContext {
  readonly engine: EngineGuard;
  /** Whether `close` was called. */
  readonly isClosed: boolean;
  /** Throws if `close` was called. */
  check(): void;
  /** Calls the engine, and `then` with the result. Events that the engine sends meanwhile are handled after that. */
  run<R>(fn: (engine: Engine) => R, then?: (result: R) => void): R;
  /** The public form of a commit that the engine has made. */
  commit(made: Made): Commit;
  /** Queues a call of a listener of the application's. */
  post(notice: () => void): void;
  /** Makes the queued calls, unless the engine is being called. Then they follow that call. */
  flush(): void;
}
