/** How much a replica passes on for one that is linked, and hears by its way. What is more is dropped: it is said again. */

const PER_SECOND = 8;
const AT_ONCE_MAX = 64;

export class Passer {
  #left = AT_ONCE_MAX;
  #at = -Infinity;

  /** Whether one more may pass; it is counted then. */
  may(now: number): boolean {
    const earned = Number.isFinite(this.#at) ? ((now - this.#at) / 1_000) * PER_SECOND : 0;
    this.#left = Math.min(AT_ONCE_MAX, this.#left + Math.max(0, earned));
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
