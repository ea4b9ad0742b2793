/**
 * Queues calls of the application's listeners. `flush` makes them one at a time, in order, once the library's own state
 * is up to date. A listener may edit a document: the calls that this causes come last.
 */
export class Outbox {
  readonly #waiting: (() => void)[] = [];
  #busy = false;

  post(notice: () => void): void {
    this.#waiting.push(notice);
  }

  flush(): void {
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) tell(next);
    this.#busy = false;
  }
}

/** Calls a listener. If it throws, the platform reports the error, and the other listeners are called all the same. */
function tell(notice: () => void): void {
  try {
    notice();
  } catch (error) {
    if (typeof reportError === "function") reportError(error);
    else {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
