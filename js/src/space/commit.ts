/** Our own commits: which of them are saved on this device, and the `Commit` that the application gets. */
import { optionsOf } from "../base/check.js";
import { EyotError, invalid } from "../base/error.js";
import { hex } from "../base/id.js";
import { WAIT, type Wait } from "../base/wait.js";
import type { Commit, RegionsWait } from "./types.js";

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
  /** Needs no `this`, like all public methods. */
  readonly durable: (options?: RegionsWait) => Promise<void>;
  #saved: Promise<void> | undefined;

  constructor(
    made: { id: Uint8Array; seq: number },
    saves: Saves,
    durable: (seq: number, options?: RegionsWait) => Promise<void>,
  ) {
    this.#id = made.id;
    this.#seq = made.seq;
    this.#saves = saves;
    this.durable = (options) => durable(made.seq, options);
  }

  get id(): string {
    return hex(this.#id);
  }

  get saved(): Promise<void> {
    return (this.#saved ??= this.#saves.wait(this.#seq));
  }
}

/** The commit of a change that changed nothing. Wrong options are refused all the same. */
export const NO_COMMIT: Commit = Object.freeze({
  id: "",
  saved: Promise.resolve(),
  durable: async (options?: RegionsWait) => void regionsOf("durable()", options, 1),
});

const REGIONS = ["regions", ...WAIT] as const;

/** The options of a function that waits for regions. The engine counts in 32 bits, so more than those become as many. */
export function regionsOf(where: string, given: unknown, least?: number): { regions: number; wait: Wait } {
  const { regions = least, ...wait } = optionsOf<RegionsWait>(where, given, REGIONS);
  if (typeof regions !== "number" || !Number.isInteger(regions) || regions < 1) {
    throw invalid(`${where}: regions is a whole number from 1`);
  }
  return { regions: Math.min(regions, 2 ** 32 - 1), wait };
}
