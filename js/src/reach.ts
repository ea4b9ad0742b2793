/** What a space needs to reach its relays, beside the engine: where they are, how they are, and what lets it in. */
import type { Engine, EngineOptions, EngineStatus } from "./engine.js";
import { ask } from "./http.js";
import { RelayDirectory } from "./relays.js";
import { Tokens } from "./tokens.js";
import type { SpaceOptions, Status } from "./types.js";

const PROBE_MS = 2_000;

/** What this needs of the space. */
export interface Reaching {
  run<R>(fn: (engine: Engine) => R): R;
  /** The status may be different. */
  changed(): void;
}

export class Reach {
  /** Whether there are relays to be reached. */
  readonly isWanted: boolean;
  readonly options: Pick<EngineOptions, "relays" | "token" | "probe">;
  readonly #directory: RelayDirectory | undefined;
  readonly #tokens: Tokens | undefined;
  readonly #end = new AbortController();

  constructor(space: Reaching, { relays = [], token }: Pick<SpaceOptions, "relays" | "token">) {
    const changed = () => space.changed();
    const list = "directory" in relays ? [] : relays;
    if ("directory" in relays) {
      this.#directory = new RelayDirectory(relays.directory, {
        use: (relays) => space.run((engine) => engine.setRelays([...relays])),
        met: () => space.run((engine) => engine.relaysMet()),
        changed,
      });
    }
    if (typeof token === "function") {
      const use = (token: string) => space.run((engine) => engine.setToken(token));
      this.#tokens = new Tokens(token, use, changed);
    }
    const tokens = this.#tokens;
    const asked = tokens === undefined ? (token as string | undefined) : () => tokens.ask();
    this.isWanted = "directory" in relays || relays.length > 0;
    this.options = {
      relays: [...list],
      ...(asked !== undefined && { token: asked }),
      probe: (relay) => probe(relay, this.#end.signal),
    };
  }

  /** Resolves once there are relays to go by; undefined where that is not to be waited for. */
  get known(): Promise<void> | undefined {
    return this.#directory?.known;
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

  /** How it goes: what the engine says, and what it can't know. */
  status({ state }: EngineStatus): Pick<Status, "state" | "error"> {
    const error = this.#tokens?.error ?? this.#directory?.error;
    return { state: state === "local" ? (this.#directory?.state ?? state) : state, error };
  }

  end(): void {
    this.#directory?.setOnline(false);
    this.#tokens?.end();
    this.#end.abort();
  }
}

async function probe(relay: string, signal: AbortSignal): Promise<boolean> {
  const url = `${relay.replace(/^ws/i, "http").replace(/\/+$/, "")}/health`;
  return ask(url, PROBE_MS, signal, async (response) => {
    // Read to its end, so that the next goes the same way.
    await response.arrayBuffer();
    return response.ok;
  });
}
