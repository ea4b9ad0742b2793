/** Our own commits: which of them are saved on this device, and the `Commit` that the application gets. */
import { EyotError } from "../base/error.js";
import { hex } from "../base/id.js";
import type { Wait } from "../base/wait.js";
import type { Commit } from "./types.js";

/** Tracks which commits are saved. Commits are numbered in the order in which they were made, and saved in that order. */
export class Saves {
  /** Number of our last commit. */
  last = 0;
  #savedTo = 0;
  /** Why saving fails at the moment. Until it works again, new commits are in memory only. */
  #failure: EyotError | undefined;
  /** Why nothing is saved any more. */
  #over: EyotError | undefined;
  readonly #waiters: Waiter[] = [];

  made(seq: number): void {
    this.last = Math.max(this.last, seq);
  }

  /** All commits up to this one are saved. */
  saved(seq: number): void {
    this.#savedTo = Math.max(this.#savedTo, seq);
    this.#failure = undefined;
    this.#settle(this.#waiters.splice(0));
  }

  failed(message: string): void {
    this.#failure = new EyotError("storage", message);
    this.#settle(this.#waiters.splice(0));
  }

  /** Nothing more will be saved: rejects whatever is not saved yet. */
  end(error: EyotError): void {
    this.#over ??= error;
    this.#settle(this.#waiters.splice(0));
  }

  /** Whether all commits up to this one are saved. */
  has(seq: number): boolean {
    return seq <= this.#savedTo;
  }

  /** Resolves once the commit is saved. Nobody has to handle its rejection. */
  wait(seq: number): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => this.#settle([{ seq, resolve, reject }]));
    promise.catch(() => undefined);
    return promise;
  }

  /** Resolves or rejects the waiters whose outcome is known. The others keep waiting. */
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

/** The commit of a change that changed nothing. */
export const NO_COMMIT: Commit = Object.freeze({
  id: "",
  saved: Promise.resolve(),
  durable: () => Promise.resolve(),
});
