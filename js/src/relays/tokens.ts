/** Bearer tokens for relays that a function of the application provides. */
import { EyotError, messageOf } from "../base/error.js";
import { Repeat } from "../base/repeat.js";
import { Limit } from "../base/wait.js";
import type { RelayContext } from "./context.js";
import { checkToken } from "./options.js";

/** How long the application's function may take. It may have to ask a person. */
const ASK_MS = 30_000;

export class Tokens {
  /** Why the application's function gave no token the last time. */
  error: EyotError | undefined;
  readonly #source: () => string | Promise<string>;
  readonly #context: RelayContext;
  readonly #renewal: Repeat;
  readonly #askMs: number;
  #asking: Promise<string> | undefined;
  readonly #end = new AbortController();

  constructor(source: () => string | Promise<string>, context: RelayContext, askMs = ASK_MS) {
    this.#askMs = askMs;
    this.#source = source;
    this.#context = context;
    this.#renewal = new Repeat(async (signal) => {
      const token = await this.ask();
      if (!signal.aborted) context.run((engine) => engine.setToken(token));
      return undefined;
    });
  }

  /** A fresh token. Calls at the same time share one call of the application's function. */
  ask(): Promise<string> {
    return (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)));
  }

  /** Asks for a new token, again and again until there is one, because the current one expires soon. */
  renew(): void {
    this.#renewal.start();
  }

  end(): void {
    this.#renewal.stop();
    this.#end.abort();
  }

  async #ask(): Promise<string> {
    const limit = new Limit({ timeout: this.#askMs, signal: this.#end.signal });
    try {
      // In a function, so that what it throws rejects.
      const token = await limit.race((async () => this.#source())());
      checkToken(token);
      this.#settle(undefined);
      return token;
    } catch (cause) {
      const isLate = cause instanceof EyotError && cause.code === "timeout";
      const why = isLate ? `the function that gives it has not answered in time (${cause.message})` : messageOf(cause);
      this.#settle(new EyotError("denied", `there is no token: ${why}`, { cause }));
      throw cause;
    } finally {
      limit.end();
    }
  }

  #settle(error: EyotError | undefined): void {
    if (error === this.error || this.#end.signal.aborted) return;
    this.error = error;
    this.#context.changed();
  }
}
