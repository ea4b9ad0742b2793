/** Bearer tokens for relays that a function of the application provides. */
import { EyotError, messageOf } from "../base/error.js";
import { Repeat } from "../base/repeat.js";
import type { RelayContext } from "./context.js";
import { checkToken } from "./options.js";

export class Tokens {
  /** Why the application's function gave no token the last time. */
  error: EyotError | undefined;
  readonly #source: () => string | Promise<string>;
  readonly #context: RelayContext;
  readonly #renewal: Repeat;
  #asking: Promise<string> | undefined;

  constructor(source: () => string | Promise<string>, context: RelayContext) {
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
  }

  async #ask(): Promise<string> {
    try {
      const token = await this.#source();
      checkToken(token);
      this.#settle(undefined);
      return token;
    } catch (cause) {
      this.#settle(new EyotError("denied", `there is no token: ${messageOf(cause)}`, { cause }));
      throw cause;
    }
  }

  #settle(error: EyotError | undefined): void {
    if (error === this.error) return;
    this.error = error;
    this.#context.changed();
  }
}
