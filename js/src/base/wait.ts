/** Waiting with a limit: a timeout, an abort signal, or both. */
import { optionsOf } from "./check.js";
import { clock } from "./clock.js";
import { EyotError, invalid } from "./error.js";

/** How long to wait, in milliseconds, and what ends the wait early. */
export interface Wait {
  timeout?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** The names of the options in `Wait`. */
export const WAIT = ["timeout", "signal"] as const;

/** The longest that a timer of the platform can wait. It takes a longer time for none at all. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** One limit for any number of steps. Call `end` when the last step is done. */
export class Limit {
  readonly #over: Promise<never>;
  #timer: unknown;
  #end: () => void = () => undefined;

  constructor({ timeout, signal }: Wait = {}) {
    if (timeout !== undefined && !(typeof timeout === "number" && timeout >= 0)) {
      throw invalid("timeout is a number of milliseconds, from 0");
    }
    checkSignal(signal);
    this.#over = new Promise((_, reject) => {
      const abort = () => reject(aborted(signal));
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      if (timeout !== undefined && timeout !== Infinity) {
        this.#ring(timeout, () => reject(new EyotError("timeout", `not done after ${timeout} ms`)));
      }
      this.#end = () => {
        clock.clearTimer(this.#timer);
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
      // Nobody waits for what is closed here, so nobody is told if that fails.
      opening.then((opened) => opened?.close()).catch(() => undefined);
      throw error;
    }
  }

  end(): void {
    this.#end();
  }

  /** Calls `done` after `ms` milliseconds, by as many timers in a row as that takes. */
  #ring(ms: number, done: () => void): void {
    const rest = ms - TIMER_MS_MAX;
    this.#timer = clock.setTimer(() => (rest > 0 ? this.#ring(rest, done) : done()), Math.min(ms, TIMER_MS_MAX));
  }
}

/** The options of a function that waits, and does nothing else. */
export function waitOf(where: string, given: unknown): Wait {
  return optionsOf<Wait>(where, given, WAIT);
}

export function checkSignal(signal: unknown): asserts signal is AbortSignal | undefined {
  if (signal === undefined) return;
  // Not by its class: a signal may come from another realm, or from a polyfill.
  const { aborted, addEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  if (typeof aborted !== "boolean" || typeof addEventListener !== "function") {
    throw invalid("signal is an AbortSignal");
  }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

function aborted(signal: AbortSignal | undefined): EyotError {
  return new EyotError("aborted", "aborted", { cause: signal?.reason as unknown });
}
