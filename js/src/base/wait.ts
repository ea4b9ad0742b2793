/** Waiting with a limit: a timeout, an abort signal, or both. */
import { EyotError, invalid } from "./error.js";

/** How long to wait, in milliseconds, and what ends the wait early. */
export interface Wait {
  timeout?: number;
  signal?: AbortSignal;
}

/** One limit for any number of steps. Call `end` when the last step is done. */
export class Limit {
  readonly #over: Promise<never>;
  #end: () => void = () => undefined;

  constructor({ timeout, signal }: Wait = {}) {
    if (timeout !== undefined && !(timeout >= 0)) throw invalid("a timeout is a number of milliseconds");
    this.#over = new Promise((_, reject) => {
      const abort = () => reject(aborted(signal));
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      const timer =
        timeout === undefined || timeout === Infinity
          ? undefined
          : setTimeout(() => reject(new EyotError("timeout", `not done after ${timeout} ms`)), timeout);
      this.#end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
    });
    this.#over.catch(() => undefined);
  }

  /** Settles as `work` does. Rejects with `timeout` or `aborted` if the limit comes first. */
  race<R>(work: Promise<R>): Promise<R> {
    return Promise.race([this.#over, work]);
  }

  /** Like `race`, for something that has to be closed. If the limit comes first, it is closed as soon as it comes. */
  async raceOpening<R extends { close(): unknown } | undefined>(opening: Promise<R>): Promise<R> {
    try {
      return await this.race(opening);
    } catch (error) {
      opening.then(
        (opened) => opened?.close(),
        () => undefined,
      );
      throw error;
    }
  }

  end(): void {
    this.#end();
  }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

function aborted(signal: AbortSignal | undefined): EyotError {
  return new EyotError("aborted", "aborted", { cause: signal?.reason });
}
