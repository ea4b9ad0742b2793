/** Opens a space on any platform. What differs between platforms is passed in as `Platform`. */
import { checkName, optionsOf } from "../base/check.js";
import { coded, EyotError, messageOf } from "../base/error.js";
import { checkSignal, Limit, throwIfAborted } from "../base/wait.js";
import { load, type EngineOptions } from "../engine/instance.js";
import type { WasmSource } from "../engine/wasm-source.js";
import { peersOf } from "../peers/options.js";
import { checkToken, relaysOf } from "../relays/options.js";
import { openStorage, type OpenFolder } from "../storage/open.js";
import { OpenSpace, type CheckedOptions, type Surroundings } from "./space.js";
import type { Space, SpaceOptions } from "./types.js";

/** What an entry of this package provides for its platform. */
export interface Platform extends Surroundings {
  wasm: () => WasmSource | Promise<WasmSource>;
  openFolder?: OpenFolder;
  /** The function that opens a WebSocket, where there is no global class for it. */
  socket?: () => Promise<EngineOptions["connect"]>;
}

/** The longest name of a space, in bytes, see `crate/core/docs/protocol.md`. */
const NAME_BYTES_MAX = 256;

export async function openOn(platform: Platform, name: string, given?: SpaceOptions): Promise<Space> {
  checkName("a space's name", name, NAME_BYTES_MAX);
  const options = spaceOptions(given);
  throwIfAborted(options.signal);
  const limit = new Limit({ signal: options.signal });
  try {
    return await limit.raceOpening(start(platform, name, options));
  } finally {
    limit.end();
  }
}

async function start(platform: Platform, name: string, options: CheckedOptions): Promise<Space> {
  await load(platform.wasm);
  const connect = options.relays === undefined ? undefined : await platform.socket?.();
  const storage = await storageFor(platform, name, options);
  const abandon = async (): Promise<void> => {
    if (storage.kind === "store") await storage.store.close().catch(() => undefined);
  };
  try {
    const kind = options.storage?.kind ?? storage.kind;
    return await OpenSpace.open(name, options, { storage, connect }, kind, platform, abandon);
  } catch (error) {
    await abandon();
    throw error;
  }
}

async function storageFor(
  platform: Platform,
  name: string,
  options: CheckedOptions,
): Promise<EngineOptions["storage"]> {
  try {
    return await openStorage(name, options.storage, platform.openFolder);
  } catch (error) {
    if (error instanceof EyotError) throw error;
    const code = coded(error)?.code ?? "storage";
    throw new EyotError(code, `storage cannot be opened: ${messageOf(error)}`, { cause: error });
  }
}

/** A checked copy of the options. */
function spaceOptions(given: unknown): CheckedOptions {
  const options = optionsOf<SpaceOptions>("openSpace()", given, ["relays", "token", "storage", "peerToPeer", "signal"]);
  const { relays, token, peerToPeer, signal } = options;
  if (token !== undefined && typeof token !== "function") checkToken(token);
  checkSignal(signal);
  return {
    ...options,
    ...(relays !== undefined && { relays: relaysOf(relays) }),
    peerToPeer: peerToPeer === undefined ? undefined : peersOf(peerToPeer),
  };
}
