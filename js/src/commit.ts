/** What becomes of our own commits: which are on this device's disk, and which could not be saved. */
import { EyotError } from "./error.js";
import { hex } from "./id.js";
import type { Commit, Wait } from "./types.js";

/** Commits are numbered in the order they were made, and saved in that order. */
export class Saves {
  #savedTo = 0;
  /** Why nothing can be saved at the moment. What is made meanwhile is in memory only. */
  #failure: EyotError | undefined;
  #over: EyotError | undefined;
  readonly #waiters: Waiter[] = [];

  saved(seq: number): void {
    this.#savedTo = Math.max(this.#savedTo, seq);
    this.#failure = undefined;
    this.#settle(this.#waiters.splice(0));
  }

  failed(message: string): void {
    this.#failure = new EyotError("storage", message);
    this.#settle(this.#waiters.splice(0));
  }

  /** Nothing more will be heard of any commit. */
  end(error: EyotError): void {
    this.#over ??= error;
    this.#settle(this.#waiters.splice(0));
  }

  /** Whether all commits up to this one are in storage. */
  has(seq: number): boolean {
    return seq <= this.#savedTo;
  }

  wait(seq: number): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => this.#settle([{ seq, resolve, reject }]));
    promise.catch(() => undefined);
    return promise;
  }

  /** Answers those whose commit's fate is known; the others wait on. */
  #settle(waiters: readonly Waiter[]): void {
    const error = this.#failure ?? this.#over;
    for (const waiter of waiters) {
      if (this.has(waiter.seq)) waiter.resolve();
      else if (error !== undefined) waiter.reject(error);
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
  readonly #id: Uint8Array;
  readonly #seq: number;
  readonly #saves: Saves;
  readonly #durable: (seq: number, options: DurableOptions) => Promise<void>;
  #saved: Promise<void> | undefined;

  constructor(
    made: { id: Uint8Array; seq: number },
    saves: Saves,
    durable: (seq: number, options: DurableOptions) => Promise<void>,
  ) {
    this.#id = made.id;
    this.#seq = made.seq;
    this.#saves = saves;
    this.#durable = durable;
  }

  get id(): string {
    return hex(this.#id);
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
