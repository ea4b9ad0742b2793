/** Runs a task repeatedly, with exponential backoff after failures. */
import { clock } from "./clock.js";

const BACKOFF_MS_MIN = 1_000;
const BACKOFF_MS_MAX = 60_000;

export class Repeat {
  /** Failures in a row. */
  #failures = 0;
  readonly #task: (signal: AbortSignal) => Promise<number | undefined>;
  #running: AbortController | undefined;
  #timer: unknown;

  /** The task resolves with the milliseconds until its next run, or with undefined if it is done. */
  constructor(task: (signal: AbortSignal) => Promise<number | undefined>) {
    this.#task = task;
  }

  /** Runs the task after `ms` milliseconds, unless it is running now. */
  start(ms = 0): void {
    clock.clearTimer(this.#timer);
    if (this.#running === undefined) this.#timer = clock.setTimer(() => void this.#run(), ms);
  }

  stop(): void {
    clock.clearTimer(this.#timer);
    this.#running?.abort();
    this.#running = undefined;
  }

  async #run(): Promise<void> {
    const running = (this.#running = new AbortController());
    let next: number | undefined;
    try {
      next = await this.#task(running.signal);
      this.#failures = 0;
    } catch {
      next = backoff(this.#failures);
      this.#failures += 1;
    }
    if (running.signal.aborted) return;
    this.#running = undefined;
    if (next !== undefined) this.start(next);
  }
}

function backoff(failures: number): number {
  const most = Math.min(BACKOFF_MS_MIN * 2 ** failures, BACKOFF_MS_MAX);
  // Random, so that clients that failed at the same time do not all try again at the same time.
  return most * (0.5 + Math.random() / 2);
}
