/**
 * When an object is called without anybody speaking to it. A timer keeps it in memory, so there is one only for
 * what is due soon after somebody spoke; all else is left to an alarm, which survives the loss of its memory.
 */

import type { Storage } from "./platform.js";

/** Later than this is not soon. The platform puts an object to sleep after ten seconds. */
const SOON_MS = 10_000;
/** How long after somebody spoke the object stays awake for what is due. */
const AWAKE_MS = 60_000;
/** How often an object that nobody speaks to tries again to reach another region. Each alarm costs rows. */
const RETRY_MS = 30_000;

export class Wakes {
  readonly #storage: Storage;
  readonly #wake: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the alarm rings, and by when it last had to. */
  #alarm = Infinity;
  #needed = Infinity;
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

  /** Sees to it that the object is called at the deadline, and before long where it owes something to another region. */
  plan(deadline: number | undefined, owes: boolean): void {
    clearTimeout(this.#timer);
    const now = Date.now();
    const isAwake = now - this.#spokenAt < AWAKE_MS;
    this.#needed = owes ? now + RETRY_MS : Infinity;
    if (deadline !== undefined && isAwake && deadline - now <= SOON_MS) {
      this.#timer = setTimeout(this.#wake, Math.max(1, deadline - now));
    } else if (deadline !== undefined) {
      this.#needed = Math.min(this.#needed, isAwake ? deadline : Math.max(deadline, now + RETRY_MS));
    }
    if (this.#needed < this.#alarm) void this.#set(this.#needed);
  }

  /** The alarm rings. The next one is set first: what follows may end this object. */
  async ring(then: () => void): Promise<void> {
    await this.#set(Date.now() + RETRY_MS);
    this.#needed = Infinity;
    then();
    if (this.#needed > this.#alarm) await this.#set(this.#needed);
  }

  #set(at: number): Promise<void> {
    this.#alarm = at;
    return at === Infinity ? this.#storage.deleteAlarm() : this.#storage.setAlarm(at);
  }
}
