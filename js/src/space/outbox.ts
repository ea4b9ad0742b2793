/**
 * Queues calls of the application's listeners. `flush` makes them one at a time, in order, once the library's own state
 * is up to date. A listener may edit a document: the calls that this causes come last.
 */
export class Outbox {
  /** Calls of the engine under way. Nothing is flushed before they are done. */
  calls = 0;
  readonly #waiting: (() => void)[] = [];
  #isFlushing = false;

  post(notice: () => void): void {
    this.#waiting.push(notice);
  }

  flush(): void {
    if (this.#isFlushing || this.calls > 0) return;
    this.#isFlushing = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) tell(next);
    this.#isFlushing = false;
  }
}

/**
 * Calls a listener. If it throws, the platform reports the error, and the other listeners are called all the same. Node
 * has no `reportError`: there the error is logged, as an uncaught one would end the process and all that it keeps.
 */
function tell(notice: () => void): void {
  try {
    notice();
  } catch (error) {
    if (typeof reportError === "function") reportError(error);
    else console.error("A listener of eyot has thrown:", error);
  }
}
