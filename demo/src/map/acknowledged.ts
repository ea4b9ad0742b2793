/**
 * Every change that two regions have acknowledged, by its hash. They are looked up afterwards, at the relays, by a replica that
 * has nothing.
 */
import { EyotError, type Space } from "eyot";

import { Watched } from "./watched.js";

export class Acknowledged {
  /** By their hashes, in the order of their acknowledgements. */
  readonly hashes: string[] = [];
  readonly count = new Watched(0);
  readonly #waiting = new Map<Space, string[]>();

  /** The replica has just made this change. */
  follow(space: Space, hashes: readonly string[]): void {
    const waiting = this.#waiting.get(space);
    if (waiting !== undefined) {
      waiting.push(...hashes);
      return;
    }
    const first = [...hashes];
    this.#waiting.set(space, first);
    void this.#wait(space, first);
  }

  async #wait(space: Space, waiting: string[]): Promise<void> {
    try {
      while (waiting.length > 0) {
        // What is made from here on is not part of this promise.
        const count = waiting.length;
        await space.durable({ regions: 2 });
        this.hashes.push(...waiting.splice(0, count));
        this.count.value = this.hashes.length;
      }
    } catch (error) {
      // A space that is closed is told nothing any more, so nothing counts.
      if (!(error instanceof EyotError)) throw error;
    } finally {
      this.#waiting.delete(space);
    }
  }
}
