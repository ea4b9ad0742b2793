/** A task that is run again and again, and after a failure later each time. */

const BACKOFF_MS_MIN = 1_000;
const BACKOFF_MS_MAX = 60_000;

export class Repeat {
  /** How often it has failed in a row. */
  failures = 0;
  readonly #task: (signal: AbortSignal) => Promise<number | undefined>;
  #running: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The task says in how many milliseconds it is due again, if it is. */
  constructor(task: (signal: AbortSignal) => Promise<number | undefined>) {
    this.#task = task;
  }

  /** Runs it after so many milliseconds, unless it is running. */
  start(ms = 0): void {
    clearTimeout(this.#timer);
    if (this.#running === undefined) this.#timer = setTimeout(() => void this.#run(), ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = undefined;
  }

  async #run(): Promise<void> {
    const running = (this.#running = new AbortController());
    let next: number | undefined;
    try {
      next = await this.#task(running.signal);
      this.failures = 0;
    } catch {
      next = backoff(this.failures);
      this.failures += 1;
    }
    if (running.signal.aborted) return;
    this.#running = undefined;
    if (next !== undefined) this.start(next);
  }
}

function backoff(failures: number): number {
  const most = Math.min(BACKOFF_MS_MIN * 2 ** failures, BACKOFF_MS_MAX);
  // Not all that failed at once try again at once.
  return most * (0.5 + Math.random() / 2);
}
