/**
 * Schedules when an object is called although no message comes. A timer keeps the object in memory, so it is used only
 * for deadlines that come soon after a message. An alarm wakes the object from sleep but costs storage writes, so it is
 * used only for work that must be done: to expire tokens and to reach other regions. All other deadlines wait for the
 * next message.
 */

import type { Storage } from "./platform.js";

/** Deadlines within this time get a timer. The platform puts an idle object to sleep after ten seconds. */
const SOON_MS = 15_000;
/** The same while a connection could not go on after a sleep: the rest of a commit in pieces may take this long. */
const SOON_WITH_LOSS_MS = 60_000;
/** How long after the last message deadlines still get a timer. */
const AWAKE_MS = 60_000;
/** Time between attempts to reach another region while no message comes. Each alarm costs storage writes. */
const RETRY_MS = 30_000;

export class Wakes {
  readonly #storage: Storage;
  readonly #wake: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer rings; `Infinity` if none is set. */
  #timerAt = Infinity;
  /** When the alarm rings; `Infinity` if none is set. */
  #alarm = Infinity;
  /** When the first token of a link expires. */
  #expiry = Infinity;
  #spokenAt = -Infinity;

  constructor(storage: Storage, wake: () => void) {
    this.#storage = storage;
    this.#wake = wake;
  }

  /** Reads the alarm that was set before the object lost its memory. */
  async load(): Promise<void> {
    this.#alarm = (await this.#storage.getAlarm()) ?? Infinity;
  }

  /** A message or a connection came. */
  spoken(): void {
    this.#spokenAt = Date.now();
  }

  /** The token of a link expires at that time. */
  expires(at: number): void {
    this.#expiry = Math.min(this.#expiry, at);
  }

  /**
   * Plans the next call. `owes`: another region lacks commits. `isLinked`: there is a link to another region.
   * `losesLinks`: a sleep would end a connection.
   */
  plan(
    deadline: number | undefined,
    { owes, isLinked, losesLinks }: { owes: boolean; isLinked: boolean; losesLinks: boolean },
  ): void {
    const now = Date.now();
    const isAwake = now - this.#spokenAt < AWAKE_MS;
    const soon = losesLinks ? SOON_WITH_LOSS_MS : SOON_MS;
    this.#time(deadline !== undefined && isAwake && deadline - now <= soon ? deadline : Infinity, now);
    const needed = Math.min(this.#expiry, owes ? now + RETRY_MS : Infinity);
    // Once nothing is owed, an alarm that rings soon is moved or deleted, as waking the object for nothing costs more
    // than that. Not while a region is linked: then each commit would set an alarm and delete it again.
    const isInVain = !owes && !isLinked && this.#alarm < needed && this.#alarm <= now + RETRY_MS;
    if (needed < this.#alarm || isInVain) void this.#set(needed);
  }

  /** The alarm rings. Sets the next one first, because the platform may end the object during the work that follows. */
  async ring(): Promise<void> {
    this.#expiry = Infinity;
    await this.#set(Date.now() + RETRY_MS);
  }

  /**
   * Sees to it that the timer rings at that time. One that rings sooner stays, and rings in vain: nearly each message
   * moves a deadline, and a new timer costs a tenth of what a message does.
   */
  #time(at: number, now: number): void {
    if (at !== Infinity && this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === Infinity) return;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Infinity;
        this.#wake();
      },
      Math.max(1, at - now),
    );
  }

  #set(at: number): Promise<void> {
    this.#alarm = at;
    return at === Infinity ? this.#storage.deleteAlarm() : this.#storage.setAlarm(at);
  }
}
