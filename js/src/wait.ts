/** Waiting with a limit: a time, a signal, or both. */
import { EyotError, invalid } from "./error.js";
import type { Wait } from "./types.js";

/** One limit over any number of steps. End it when the last is done. */
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

  /** Settles as `work` does, unless the limit comes first. */
  race<R>(work: Promise<R>): Promise<R> {
    return Promise.race([this.#over, work]);
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
