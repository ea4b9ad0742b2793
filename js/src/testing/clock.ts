/** Time that goes on as the platform's does, and that tests can move. */
import { type Clock, platformClock } from "../base/clock.js";

interface Entry {
  at: number;
  ring: () => void;
}

/** The longest that a timer of the platform can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export class MovableClock implements Clock {
  /** How much later it is than the platform says. */
  #ahead = 0;
  readonly #entries = new Map<number, Entry>();
  #next = 1;
  /** The one timer of the platform's, for the first entry. */
  #timer: unknown;
  #timerAt = Infinity;

  now(): number {
    return platformClock.now() + this.#ahead;
  }

  setTimer(ring: () => void, ms: number): number {
    const id = this.#next++;
    this.#entries.set(id, { at: this.now() + Math.max(0, ms), ring });
    this.#arm();
    return id;
  }

  clearTimer(timer: unknown): void {
    if (this.#entries.delete(timer as number)) this.#arm();
  }

  /** When the next timer rings. */
  get due(): number | undefined {
    return this.#first()?.[1].at;
  }

  /** Makes it that late, unless it is later, and rings the timers that are due then. */
  moveTo(at: number): void {
    this.#ahead += Math.max(0, at - this.now());
    this.#ring();
  }

  /** It is as late as the platform says. Timers wait as long as they would have. */
  reset(): void {
    for (const entry of this.#entries.values()) entry.at -= this.#ahead;
    this.#ahead = 0;
    this.#arm();
  }

  #ring(): void {
    const now = this.now();
    for (let first = this.#first(); first !== undefined && first[1].at <= now; first = this.#first()) {
      this.#entries.delete(first[0]);
      first[1].ring();
    }
    this.#arm();
  }

  /** Of those that ring at one time, the one that was set first. */
  #first(): [number, Entry] | undefined {
    let found: [number, Entry] | undefined;
    for (const one of this.#entries) if (found === undefined || one[1].at < found[1].at) found = one;
    return found;
  }

  #arm(): void {
    const at = this.due ?? Infinity;
    // By the platform's clock.
    const rings = at - this.#ahead;
    if (rings === this.#timerAt) return;
    platformClock.clearTimer(this.#timer);
    this.#timerAt = rings;
    if (at === Infinity) return;
    const ms = Math.min(Math.max(0, at - this.now()), TIMER_MS_MAX);
    this.#timer = platformClock.setTimer(() => {
      this.#timerAt = Infinity;
      this.#ring();
    }, ms);
  }
}
