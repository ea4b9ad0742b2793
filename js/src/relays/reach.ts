/**
 * What a space does outside the engine to reach its relays: it asks the relay directory and the application's token
 * function, and measures relays over HTTP.
 */
import type { EyotError } from "../base/error.js";
import { ask } from "../base/http.js";
import type { EngineOptions, EngineStatus } from "../engine/instance.js";
import type { RelayContext } from "./context.js";
import type { Relays, TokenSource } from "./options.js";
import { RelayDirectory } from "./relay-directory.js";
import { Tokens } from "./tokens.js";

const PROBE_MS = 2_000;

export class Reach {
  /** Whether the application gave any relays. */
  readonly isWanted: boolean;
  readonly options: Pick<EngineOptions, "relays" | "token" | "probe">;
  readonly #directory: RelayDirectory | undefined;
  readonly #tokens: Tokens | undefined;
  readonly #end = new AbortController();

  constructor(context: RelayContext, { relays = [], token }: { relays?: Relays; token?: TokenSource }) {
    const list = "directory" in relays ? [] : relays;
    if ("directory" in relays) this.#directory = new RelayDirectory(relays.directory, context);
    const tokens = typeof token === "function" ? new Tokens(token, context) : undefined;
    this.#tokens = tokens;
    this.isWanted = "directory" in relays || relays.length > 0;
    this.options = {
      relays: [...list],
      token: tokens === undefined ? (token as string | undefined) : () => tokens.ask(),
      probe: (relay) => probe(relay, this.#end.signal),
    };
  }

  /** Resolves once the relay directory has answered; undefined where there is nothing to wait for. */
  get known(): Promise<void> | undefined {
    return this.#directory?.known;
  }

  /** The addresses of the relays, as far as they are known. */
  get relays(): readonly string[] {
    return this.#directory?.relays ?? this.options.relays;
  }

  setOnline(online: boolean): void {
    this.#directory?.setOnline(online);
  }

  unreachable(isLinked: boolean): void {
    this.#directory?.unreachable(isLinked);
  }

  tokenExpiring(): void {
    this.#tokens?.renew();
  }

  /** The engine's state, corrected by what only this side knows, and this side's error. */
  status({ state }: EngineStatus): { state: EngineStatus["state"]; error: EyotError | undefined } {
    const error = this.#tokens?.error ?? this.#directory?.error;
    return { state: state === "local" ? (this.#directory?.state ?? state) : state, error };
  }

  end(): void {
    this.#directory?.setOnline(false);
    this.#tokens?.end();
    this.#end.abort();
  }
}

/** Asks a relay whether it is healthy. The engine measures how long that takes. */
async function probe(relay: string, signal: AbortSignal): Promise<boolean> {
  const url = `${relay.replace(/^ws/i, "http").replace(/\/+$/, "")}/health`;
  return ask(url, PROBE_MS, signal, async (response) => {
    // A response that is read to its end leaves the connection free for the next request.
    await response.arrayBuffer();
    return response.ok;
  });
}
