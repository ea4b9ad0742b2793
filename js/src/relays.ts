/** Where a space's relays are: in a list, or in a directory, a document on the web that lists them. */
import { EyotError, invalid, messageOf } from "./error.js";
import { ask } from "./http.js";
import { Repeat } from "./repeat.js";
import type { SpaceOptions } from "./types.js";

const RELAYS_MAX = 64;
const ASK_MS = 5_000;
const REFRESH_MS = 10 * 60_000;
/** So many relays that can't be reached in a row, and the list may be old. */
const UNREACHABLE_MAX = 3;
const REFRESH_MS_MIN = 2_000;

/** Throws for what is neither, without repeating it: somebody may have put a secret there. */
export function checkRelays(relays: unknown): asserts relays is NonNullable<SpaceOptions["relays"]> {
  if (Array.isArray(relays)) relays.forEach(checkAddress);
  else checkDirectory((relays as { directory?: unknown } | null)?.directory);
}

/** A token never goes into an address, as those end up in logs. */
function checkAddress(relay: unknown): asserts relay is string {
  const is = typeof relay === "string" && /^wss?:\/\/[^\s?#@]+$/i.test(relay) && parsed(relay) !== undefined;
  if (!is) throw invalid("a relay's address is ws://… or wss://…, without credentials, query and fragment");
}

function checkDirectory(directory: unknown): asserts directory is string {
  const url = typeof directory === "string" ? parsed(directory) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw invalid("relays is a list of addresses, or a directory's URL: http://… or https://…, without credentials");
  }
}

function parsed(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

/** What a directory's lists are for. */
export interface Listed {
  /** These are the relays from now on. */
  use(relays: readonly string[]): void;
  /** The relays known of old. */
  met(): readonly string[];
  /** `state` or `error` may be different. */
  changed(): void;
}

export class RelayDirectory {
  /** Resolves once there are relays to go by; undefined from then on. */
  known: Promise<void> | undefined;
  /** Why what the directory answers is no list, if that is so. */
  error: EyotError | undefined;
  readonly #repeat: Repeat;
  readonly #listed: Listed;
  #know: () => void = () => undefined;
  #relays: readonly string[] = [];
  #online = false;
  #failed = false;
  #unreachable = 0;
  #askedAt = 0;

  constructor(url: string, listed: Listed) {
    this.known = new Promise((resolve) => (this.#know = resolve));
    this.#listed = listed;
    this.#repeat = new Repeat((signal) => this.#ask(url, signal));
  }

  /** How a space is that has no relays as yet. */
  get state(): "connecting" | "offline" {
    return this.#online && !this.#failed ? "connecting" : "offline";
  }

  /** Asks at once, and from then on; or no more. Said again, it asks at once where that has failed. */
  setOnline(online: boolean): void {
    const wasOnline = this.#online;
    this.#online = online;
    if (!online) this.#repeat.stop();
    else if (!wasOnline || this.#failed) this.#repeat.start();
  }

  /** A relay could not be reached, while another was or was not. */
  unreachable(isLinked: boolean): void {
    this.#unreachable = isLinked ? 0 : this.#unreachable + 1;
    if (this.#unreachable < UNREACHABLE_MAX || this.#failed || !this.#online) return;
    this.#unreachable = 0;
    this.#repeat.start(Math.max(0, this.#askedAt + REFRESH_MS_MIN - Date.now()));
  }

  async #ask(url: string, signal: AbortSignal): Promise<number> {
    this.#askedAt = Date.now();
    try {
      this.#use(await ask(url, ASK_MS, signal, read));
      this.#say(false, undefined);
      return REFRESH_MS;
    } catch (error) {
      if (!signal.aborted) {
        if (this.#relays.length === 0) this.#use(this.#listed.met());
        this.#say(true, error instanceof EyotError ? error : undefined);
      }
      throw error;
    }
  }

  #say(failed: boolean, error: EyotError | undefined): void {
    this.#failed = failed;
    this.error = error;
    this.#listed.changed();
  }

  #use(relays: readonly string[]): void {
    if (relays.length === 0 || relays.join(" ") === this.#relays.join(" ")) return;
    this.#relays = relays;
    this.#listed.use(relays);
    this.#know();
    this.known = undefined;
  }
}

async function read(response: Response): Promise<string[]> {
  if (!response.ok) throw noList(`it answered with status ${response.status}`);
  const text = await response.text();
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
    throw noList(messageOf(error), error);
  }
}

function noList(why: string, cause?: unknown): EyotError {
  return invalid(`the directory of relays is of no use: ${why}`, cause);
}
