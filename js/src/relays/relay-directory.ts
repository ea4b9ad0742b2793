/**
 * A relay directory: a JSON document at a URL that lists a space's relays. It is asked again every few minutes, and
 * sooner when the relays of the list cannot be reached.
 */
import { clock } from "../base/clock.js";
import { EyotError, invalid, messageOf } from "../base/error.js";
import { ask, textOf } from "../base/http.js";
import { Repeat } from "../base/repeat.js";
import type { RelayContext } from "./context.js";
import { checkAddress, RELAYS_MAX } from "./options.js";

const ASK_MS = 5_000;
const LIST_BYTES_MAX = 64 * 1024;
const REFRESH_MS = 10 * 60_000;
/** After this many unreachable relays in a row the list may be out of date. */
const UNREACHABLE_MAX = 3;
const REFRESH_MS_MIN = 2_000;

export class RelayDirectory {
  /** Resolves once some relays are known; undefined after that. */
  known: Promise<void> | undefined;
  /** Why there is no list from the directory; undefined if there is one, or if nobody was asked yet. */
  error: EyotError | undefined;
  readonly #repeat: Repeat;
  readonly #context: RelayContext;
  #resolveKnown: () => void = () => undefined;
  /** The relays of the list. */
  relays: readonly string[] = [];
  #online = false;
  #hasFailed = false;
  #unreachable = 0;
  #askedAt = 0;

  constructor(url: string, context: RelayContext) {
    this.known = new Promise((resolve) => (this.#resolveKnown = resolve));
    this.#context = context;
    this.#repeat = new Repeat((signal) => this.#ask(url, signal));
  }

  /** The state of a space as long as it has no relays. */
  get state(): "connecting" | "offline" {
    return this.#online && !this.#hasFailed ? "connecting" : "offline";
  }

  /** Starts asking the directory, now and regularly, or stops. If the last request failed, `true` asks again at once. */
  setOnline(online: boolean): void {
    const wasOnline = this.#online;
    this.#online = online;
    if (!online) this.#repeat.stop();
    else if (!wasOnline || this.#hasFailed) this.#repeat.start();
  }

  /** Counts a relay that could not be reached. `isLinked`: another relay is linked, so the list is not the problem. */
  unreachable(isLinked: boolean): void {
    this.#unreachable = isLinked ? 0 : this.#unreachable + 1;
    if (this.#unreachable < UNREACHABLE_MAX || this.#hasFailed || !this.#online) return;
    this.#unreachable = 0;
    this.#repeat.start(Math.max(0, this.#askedAt + REFRESH_MS_MIN - clock.now()));
  }

  async #ask(url: string, signal: AbortSignal): Promise<number> {
    this.#askedAt = clock.now();
    try {
      this.#take(await ask(url, ASK_MS, signal, read));
      this.#settle(false, undefined);
      return REFRESH_MS;
    } catch (error) {
      if (!signal.aborted) {
        // Without a list, the relays of earlier sessions are better than none.
        if (this.relays.length === 0) this.#take(this.#context.run((engine) => engine.relaysMet()));
        this.#settle(true, this.#reason(error));
      }
      throw error;
    }
  }

  #reason(error: unknown): EyotError {
    const reason = error instanceof EyotError ? error : unreachable(error);
    // The same as before is told as the same object.
    return this.error?.message === reason.message ? this.error : reason;
  }

  #settle(hasFailed: boolean, error: EyotError | undefined): void {
    this.#hasFailed = hasFailed;
    this.error = error;
    this.#context.changed();
  }

  #take(relays: readonly string[]): void {
    if (relays.length === 0 || relays.join(" ") === this.relays.join(" ")) return;
    this.relays = relays;
    this.#context.run((engine) => engine.setRelays([...relays]));
    this.#resolveKnown();
    this.known = undefined;
  }
}

async function read(response: Response): Promise<string[]> {
  if (!response.ok) throw unusable(`it answered with status ${response.status}`);
  const text = await textOf(response, LIST_BYTES_MAX);
  if (text === undefined) throw unusable(`it is longer than ${LIST_BYTES_MAX} bytes`);
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list) || list.length === 0 || list.length > RELAYS_MAX) {
      throw invalid(`it is not a list of 1 to ${RELAYS_MAX} relays`);
    }
    return list.map((entry: { url?: unknown } | null) => {
      const url = entry?.url;
      checkAddress(url);
      return url;
    });
  } catch (error) {
    throw unusable(messageOf(error), error);
  }
}

function unreachable(cause: unknown): EyotError {
  const isLate = cause instanceof Error && cause.name === "AbortError";
  const why = isLate ? `it has not answered within ${ASK_MS / 1000} seconds` : messageOf(cause);
  return new EyotError("unavailable", `the directory of relays cannot be reached: ${why}`, { cause });
}

function unusable(why: string, cause?: unknown): EyotError {
  return invalid(`the directory of relays is of no use: ${why}`, cause);
}
