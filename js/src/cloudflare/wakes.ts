/**
 * When an object is called without anybody speaking to it. A timer keeps it in memory, so there is one only for
 * what is due soon after somebody spoke. What must be done in any case is left to an alarm, which survives the loss
 * of its memory; what is due later than soon besides that waits until somebody speaks.
 */

import type { Storage } from "./platform.js";

/** Later than this is not soon. The platform puts an object to sleep after ten seconds. */
const SOON_MS = 15_000;
/** How long after somebody spoke the object stays awake for what is due. */
const AWAKE_MS = 60_000;
/** How often an object that nobody speaks to tries again to reach another region. Each alarm costs rows. */
const RETRY_MS = 30_000;

export class Wakes {
  readonly #storage: Storage;
  readonly #wake: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the alarm rings, if it does. */
  #alarm = Infinity;
  /** When the first of the links' tokens expires. */
  #expiry = Infinity;
  #spokenAt = -Infinity;

  constructor(storage: Storage, wake: () => void) {
    this.#storage = storage;
    this.#wake = wake;
  }

  /** Learns which alarm an earlier life of this object has set. */
  async load(): Promise<void> {
    this.#alarm = (await this.#storage.getAlarm()) ?? Infinity;
  }

  /** Somebody spoke. */
  spoken(): void {
    this.#spokenAt = Date.now();
  }

  /** A link ends at that time, if it is still there. */
  expires(at: number): void {
    this.#expiry = Math.min(this.#expiry, at);
  }

  /** Sees to it that the object is called at the deadline if that is soon, and before long if it owes another region something. */
  plan(deadline: number | undefined, { owes, isLinked }: { owes: boolean; isLinked: boolean }): void {
    clearTimeout(this.#timer);
    const now = Date.now();
    const isAwake = now - this.#spokenAt < AWAKE_MS;
    if (deadline !== undefined && isAwake && deadline - now <= SOON_MS) {
      this.#timer = setTimeout(this.#wake, Math.max(1, deadline - now));
    }
    const needed = Math.min(this.#expiry, owes ? now + RETRY_MS : Infinity);
    // An alarm costs less than what it rings for in vain, but not less than one for each commit.
    const isInVain = !owes && !isLinked && this.#alarm < needed && this.#alarm <= now + RETRY_MS;
    if (needed < this.#alarm || isInVain) void this.#set(needed);
  }

  /** The alarm rings. The next one is set first: what follows may end this object. */
  async ring(): Promise<void> {
    this.#expiry = Infinity;
    await this.#set(Date.now() + RETRY_MS);
  }

  #set(at: number): Promise<void> {
    this.#alarm = at;
    return at === Infinity ? this.#storage.deleteAlarm() : this.#storage.setAlarm(at);
  }
}
