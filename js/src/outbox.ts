/**
 * Calls the application's listeners one at a time, in the order of what they hear of, and never while
 * something is half done. A listener may edit: what that leads to is told after the rest.
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

/** A listener's own error is its own: the others still hear, and the platform reports it. */
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
