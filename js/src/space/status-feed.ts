/** A space's status: read from the engine when somebody asks, and sent to subscribers when it has changed. */
import { checkFunction } from "../base/check.js";
import type { Peers } from "../peers/peers.js";
import type { Reach } from "../relays/reach.js";
import type { EyotError } from "../base/error.js";
import type { SpaceContext } from "./context.js";
import { lastStatus, nextStatus, STATUS_AT_FIRST } from "./status.js";
import type { Status, Unsubscribe } from "./types.js";

export class StatusFeed {
  readonly #context: SpaceContext;
  readonly #reach: Reach;
  readonly #peers: Peers;
  readonly #listeners = new Set<{ listener: (status: Status) => void }>();
  #status: Status = STATUS_AT_FIRST;
  /** Whether `#status` may be out of date. */
  #isStale = true;
  #isScheduled = false;

  #storage: Status["storage"];

  constructor(context: SpaceContext, reach: Reach, peers: Peers, storage: Status["storage"]) {
    this.#context = context;
    this.#reach = reach;
    this.#peers = peers;
    this.#storage = storage;
  }

  /** The browser has said whether it may evict what is stored. */
  setPersisted(persisted: boolean): void {
    this.#storage = { ...this.#storage, persisted };
    this.changed();
  }

  get status(): Status {
    const { engine } = this.#context;
    if (this.#isStale && engine.dead === undefined && engine.hold === undefined) {
      this.#isStale = false;
      const now = engine.call((engine) => engine.status());
      this.#status = nextStatus(this.#status, now, this.#reach.status(now), this.#storage, this.#peers.error);
    }
    return this.#status;
  }

  subscribe(listener: (status: Status) => void): Unsubscribe {
    checkFunction("a listener of the status", listener);
    const entry = { listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  /** The status may have changed. Many calls in a row lead to one look at the engine. */
  changed(): void {
    this.#isStale = true;
    if (this.#listeners.size === 0 || this.#isScheduled) return;
    this.#isScheduled = true;
    const seen = this.#status;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (this.#context.engine.dead !== undefined) return;
      if (this.status !== seen) this.#tell();
    });
  }

  /** The space is closed, or has failed with `error`: this is the final status. */
  end(error?: EyotError): void {
    // After a failure the engine cannot be asked any more.
    this.#status = lastStatus(error === undefined ? this.status : this.#status, error);
    this.#isStale = false;
    this.#tell();
  }

  #tell(): void {
    const status = this.#status;
    for (const entry of this.#listeners) {
      this.#context.outbox.post(() => (this.#listeners.has(entry) ? entry.listener(status) : undefined));
    }
    this.#context.outbox.flush();
  }
}
