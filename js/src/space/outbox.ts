/**
 * Queues calls of the application's listeners. `flush` makes them one at a time, in order, once the library's own state
 * is up to date. A listener may edit a document: the calls that this causes come last.
 */
export class Outbox {
  /** Calls of the engine under way. Nothing is flushed before they are done. */
  calls = 0;
  readonly #waiting: (() => unknown)[] = [];
  #isFlushing = false;

  post(notice: () => unknown): void {
    this.#waiting.push(notice);
  }

  flush(): void {
    if (this.#isFlushing || this.calls > 0) return;
    this.#isFlushing = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) tell(next);
    this.#isFlushing = false;
  }
}

/** Calls a listener. If it throws, or rejects as an async one does, the other listeners are called all the same. */
function tell(notice: () => unknown): void {
  try {
    const result = notice();
    if (result instanceof Promise) result.catch(report);
  } catch (error) {
    report(error);
  }
}

/**
 * Reports an error as the platform does. Node has no `reportError`: there it is logged, as an uncaught one would end the
 * process and all that it keeps.
 */
function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error("A listener of eyot has failed:", error);
}
