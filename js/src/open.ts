/** Opening a space, wherever this runs: what differs by platform comes in as `Platform`. */
import { load, type EngineOptions } from "./engine.js";
import { EyotError, invalid, isCode, messageOf } from "./error.js";
import { checkRelays } from "./relays.js";
import { OpenSpace, type Network } from "./space.js";
import { openStorage, type AsyncStore, type EngineStorage } from "./storage.js";
import { checkToken } from "./tokens.js";
import type { Space, SpaceOptions, WasmSource } from "./types.js";
import { Limit, throwIfAborted } from "./wait.js";

/** What the entries of this package know of where they run. */
export interface Platform {
  wasm: () => WasmSource | Promise<WasmSource>;
  openDirectory?: (path: string) => Promise<AsyncStore>;
  /** How to open a WebSocket where there is no global class for it. */
  socket?: () => Promise<EngineOptions["connect"]>;
  /** Calls back when the network is believed to have come or gone. Returns how to stop that. */
  network?: Network;
}

export async function openOn(platform: Platform, name: string, options: SpaceOptions = {}): Promise<Space> {
  check(name, options);
  throwIfAborted(options.signal);
  const limit = new Limit({ signal: options.signal });
  const opening = start(platform, name, options);
  try {
    return await limit.race(opening);
  } catch (error) {
    // Aborted before it was open: then nobody will close it.
    opening.then(
      (space) => space.close(),
      () => undefined,
    );
    throw error;
  } finally {
    limit.end();
  }
}

async function start(platform: Platform, name: string, options: SpaceOptions): Promise<Space> {
  await load(platform.wasm);
  const connect = options.relays === undefined ? undefined : await platform.socket?.();
  const storage = await storageFor(platform, options);
  const abandon = async (): Promise<void> => {
    if (storage.kind === "store") await storage.store.close().catch(() => undefined);
  };
  try {
    const engine = { storage, ...(connect !== undefined && { connect }) };
    return await OpenSpace.open(name, options, engine, platform.network, abandon);
  } catch (error) {
    await abandon();
    throw error;
  }
}

async function storageFor(platform: Platform, options: SpaceOptions): Promise<EngineStorage> {
  try {
    return await openStorage(options.storage, platform.openDirectory);
  } catch (error) {
    if (error instanceof EyotError) throw error;
    const code = error instanceof Error && "code" in error && isCode(error.code) ? error.code : "storage";
    throw new EyotError(code, `storage cannot be opened: ${messageOf(error)}`, { cause: error });
  }
}

function check(name: string, { relays, token }: SpaceOptions): void {
  if (typeof name !== "string" || name === "") throw invalid("a space has a name");
  if (relays !== undefined) checkRelays(relays);
  if (token !== undefined && typeof token !== "function") checkToken(token);
}
