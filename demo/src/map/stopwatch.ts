/** How long a promise of the space takes to be kept, measured with one edit at a time. */
import { EyotError } from "eyot";

import { Watched } from "./watched.js";

export interface Reading {
  /** Of the last edit that was measured. */
  ms: number | undefined;
  isWaiting: boolean;
}

export class Stopwatch {
  readonly reading = new Watched<Reading>({ ms: undefined, isWaiting: false });
  readonly #wait: () => Promise<void>;
  #again = false;

  constructor(wait: () => Promise<void>) {
    this.#wait = wait;
  }

  /** An edit was made just now. While another is waited for, it is waited for too, but not measured. */
  start(): void {
    if (this.reading.value.isWaiting) this.#again = true;
    else void this.#measure();
  }

  async #measure(): Promise<void> {
    const started = performance.now();
    let { ms } = this.reading.value;
    this.reading.value = { ms, isWaiting: true };
    try {
      await this.#wait();
      ms = performance.now() - started;
      this.reading.value = { ms, isWaiting: true };
      while (this.#again) {
        this.#again = false;
        await this.#wait();
      }
    } catch (error) {
      // The space is closed, or its device does not save: its status says so.
      if (!(error instanceof EyotError)) throw error;
    }
    this.#again = false;
    this.reading.value = { ms, isWaiting: false };
  }
}
