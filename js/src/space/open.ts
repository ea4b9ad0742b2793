/** Opens a space on any platform. What differs between platforms is passed in as `Platform`. */
import { coded, EyotError, invalid, messageOf } from "../base/error.js";
import { Limit, throwIfAborted } from "../base/wait.js";
import { load, type EngineOptions } from "../engine/instance.js";
import type { WasmSource } from "../engine/wasm-source.js";
import type { Network } from "../relays/network.js";
import { checkRelays, checkToken } from "../relays/options.js";
import { openStorage, type OpenFolder } from "../storage/open.js";
import { OpenSpace } from "./space.js";
import type { Space, SpaceOptions } from "./types.js";

/** What an entry of this package provides for its platform. */
export interface Platform {
  wasm: () => WasmSource | Promise<WasmSource>;
  openFolder?: OpenFolder;
  /** The function that opens a WebSocket, where there is no global class for it. */
  socket?: () => Promise<EngineOptions["connect"]>;
  network?: Network;
}

export async function openOn(platform: Platform, name: string, options: SpaceOptions = {}): Promise<Space> {
  check(name, options);
  throwIfAborted(options.signal);
  const limit = new Limit({ signal: options.signal });
  try {
    return await limit.raceOpening(start(platform, name, options));
  } finally {
    limit.end();
  }
}

async function start(platform: Platform, name: string, options: SpaceOptions): Promise<Space> {
  await load(platform.wasm);
  const connect = options.relays === undefined ? undefined : await platform.socket?.();
  const storage = await storageFor(platform, name, options);
  const abandon = async (): Promise<void> => {
    if (storage.kind === "store") await storage.store.close().catch(() => undefined);
  };
  try {
    return await OpenSpace.open(name, options, { storage, connect }, platform.network, abandon);
  } catch (error) {
    await abandon();
    throw error;
  }
}

async function storageFor(platform: Platform, name: string, options: SpaceOptions): Promise<EngineOptions["storage"]> {
  try {
    return await openStorage(name, options.storage, platform.openFolder);
  } catch (error) {
    if (error instanceof EyotError) throw error;
    const code = coded(error)?.code ?? "storage";
    throw new EyotError(code, `storage cannot be opened: ${messageOf(error)}`, { cause: error });
  }
}

const OPTIONS: ReadonlySet<string> = new Set<keyof SpaceOptions>(["relays", "signal", "storage", "token"]);

function check(name: string, options: SpaceOptions): void {
  if (typeof name !== "string" || name === "") throw invalid("a space has a name");
  // An option that is ignored may be one that the caller relies on.
  const unknown = Object.keys(options).find((key) => !OPTIONS.has(key));
  if (unknown !== undefined) throw invalid(`openSpace has no option ${unknown}`);
  const { relays, token } = options;
  if (relays !== undefined) checkRelays(relays);
  if (token !== undefined && typeof token !== "function") checkToken(token);
}
