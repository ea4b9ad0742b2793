/** What lets a replica in at relays, where a function of the application's gives it. */
import { EyotError, invalid, messageOf } from "./error.js";
import { Repeat } from "./repeat.js";

const TOKEN_BYTES_MAX = 8 * 1024;

/** Throws for what is no token, without repeating it. */
export function checkToken(token: unknown): asserts token is string {
  if (typeof token !== "string" || token === "" || token.length > TOKEN_BYTES_MAX) {
    throw invalid(`a token is a string of at most ${TOKEN_BYTES_MAX} bytes`);
  }
}

export class Tokens {
  /** Why there is no token, if that is so. */
  error: EyotError | undefined;
  readonly #source: () => string | Promise<string>;
  readonly #changed: () => void;
  readonly #renewal: Repeat;
  #asking: Promise<string> | undefined;

  /** `use` takes a token before the one before it expires; `changed` hears that `error` may be different. */
  constructor(source: () => string | Promise<string>, use: (token: string) => void, changed: () => void) {
    this.#source = source;
    this.#changed = changed;
    this.#renewal = new Repeat(async (signal) => {
      const token = await this.ask();
      if (!signal.aborted) use(token);
      return undefined;
    });
  }

  /** A fresh token. Whoever asks while the application is being asked gets the same. */
  ask(): Promise<string> {
    return (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)));
  }

  /** The token expires: asks for another until there is one. */
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
      this.#say(undefined);
      return token;
    } catch (cause) {
      this.#say(new EyotError("denied", `there is no token: ${messageOf(cause)}`, { cause }));
      throw cause;
    }
  }

  #say(error: EyotError | undefined): void {
    if (error === this.error) return;
    this.error = error;
    this.#changed();
  }
}
