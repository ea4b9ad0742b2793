/** What becomes of our own commits: which are on this device's disk, and which could not be saved. */
import { EyotError } from "./error.js";
import { hex } from "./id.js";
import type { Commit, Wait } from "./types.js";

/** Commits are numbered in the order they were made, and saved in that order. */
export class Saves {
  #savedTo = 0;
  #over: EyotError | undefined;
  readonly #failures: { from: number; to: number; error: EyotError }[] = [];
  readonly #waiters: Waiter[] = [];

  saved(seq: number): void {
    this.#savedTo = Math.max(this.#savedTo, seq);
    this.#settle(this.#waiters.splice(0));
  }

  failed(seq: number, message: string): void {
    const last = this.#failures[this.#failures.length - 1];
    const from = Math.max(this.#savedTo, last?.to ?? 0) + 1;
    if (seq < from) return;
    if (last !== undefined && last.to + 1 === from && last.error.message === message) last.to = seq;
    else this.#failures.push({ from, to: seq, error: new EyotError("storage", message) });
    this.#settle(this.#waiters.splice(0));
  }

  /** Nothing more will be heard of any commit. */
  end(error: EyotError): void {
    this.#over ??= error;
    this.#settle(this.#waiters.splice(0));
  }

  /** Whether all commits up to this one are in storage. */
  has(seq: number): boolean {
    return seq <= this.#savedTo && this.#failures.length === 0;
  }

  wait(seq: number): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => this.#settle([{ seq, resolve, reject }]));
    promise.catch(() => undefined);
    return promise;
  }

  /** Answers those whose commit's fate is known; the others wait on. */
  #settle(waiters: readonly Waiter[]): void {
    for (const waiter of waiters) {
      const failure = this.#failures.find(({ from, to }) => from <= waiter.seq && waiter.seq <= to);
      if (failure !== undefined) waiter.reject(failure.error);
      else if (waiter.seq <= this.#savedTo) waiter.resolve();
      else if (this.#over !== undefined) waiter.reject(this.#over);
      else this.#waiters.push(waiter);
    }
  }
}

interface Waiter {
  seq: number;
  resolve: () => void;
  reject: (error: EyotError) => void;
}

export class OwnCommit implements Commit {
  readonly id: string;
  readonly #seq: number;
  readonly #saves: Saves;
  readonly #durable: (seq: number, options: DurableOptions) => Promise<void>;
  #saved: Promise<void> | undefined;

  constructor(
    made: { id: Uint8Array; seq: number },
    saves: Saves,
    durable: (seq: number, options: DurableOptions) => Promise<void>,
  ) {
    this.id = hex(made.id);
    this.#seq = made.seq;
    this.#saves = saves;
    this.#durable = durable;
  }

  get saved(): Promise<void> {
    return (this.#saved ??= this.#saves.wait(this.#seq));
  }

  durable(options: DurableOptions = {}): Promise<void> {
    return this.#durable(this.#seq, options);
  }
}

export type DurableOptions = Wait & { regions?: number };

/** Nothing was to be done, so nothing is to be waited for. */
export const NO_COMMIT: Commit = Object.freeze({
  id: "",
  saved: Promise.resolve(),
  durable: () => Promise.resolve(),
});
