/** Opens a space on any platform. What differs between platforms is passed in as `Platform`. */
import { checkBoolean, checkName, optionsOf } from "../base/check.js";
import { coded, EyotError, messageOf } from "../base/error.js";
import { hostAt, onReachable } from "../base/in-process.js";
import { checkSignal, Limit, throwIfAborted } from "../base/wait.js";
import { load, type EngineOptions } from "../engine/instance.js";
import type { WasmSource } from "../engine/wasm-source.js";
import { peersOf } from "../peers/options.js";
import type { Network } from "../relays/network.js";
import { checkToken, relaysOf } from "../relays/options.js";
import { chosenOf, openStorage, type Folders } from "../storage/open.js";
import { wipeStorage } from "../storage/wipe.js";
import { OpenSpace, type CheckedOptions, type Surroundings } from "./space.js";
import type { Space, SpaceOptions } from "./types.js";

/** What an entry of this package provides for its platform. */
export interface Platform extends Surroundings {
  wasm: () => WasmSource | Promise<WasmSource>;
  folders?: Folders;
  /** The function that opens a WebSocket, where there is no global class for it. */
  socket?: () => Promise<EngineOptions["connect"]>;
}

type Connect = NonNullable<EngineOptions["connect"]>;

/** The longest name of a space, in bytes, see `crate/core/docs/protocol.md`. */
const NAME_BYTES_MAX = 256;

const OPTIONS = ["relays", "token", "storage", "persist", "peerToPeer", "signal"] as const;

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
  const connect = options.relays === undefined ? undefined : await connector(platform);
  const storage = await inStorage("opened", () => openStorage(name, options.storage, platform.folders));
  const kept = {
    kind: options.storage?.kind ?? storage.kind,
    abandon: async () => {
      if (storage.kind === "store") await storage.store.close().catch(() => undefined);
    },
    wipe: () => inStorage("wiped", () => wipeStorage(name, chosenOf(options.storage), platform.folders)),
  };
  try {
    return await OpenSpace.open(name, options, { storage, connect }, kept, { ...platform, network: network(platform) });
  } catch (error) {
    await kept.abandon();
    throw error;
  }
}

/** Opens WebSockets, and links to relays of this process. */
async function connector({ socket }: Platform): Promise<Connect> {
  const open: Connect = (await socket?.()) ?? ((url, protocols) => new WebSocket(url, protocols));
  return (url, protocols) =>
    (hostAt(url)?.connect(new URL(url), protocols) as WebSocket | undefined) ?? open(url, protocols);
}

/** What the platform says of the network, and relays of this process. */
function network({ network }: Platform): Network {
  return (hint) => {
    const stops = [network?.(hint), onReachable(hint)];
    return () => stops.forEach((stop) => stop?.());
  };
}

/** Does something with the storage of the application's choice; all that goes wrong is an `EyotError`. */
async function inStorage<R>(what: string, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EyotError) throw error;
    const code = coded(error)?.code ?? "storage";
    throw new EyotError(code, `storage cannot be ${what}: ${messageOf(error)}`, { cause: error });
  }
}

/** A checked copy of the options. */
function spaceOptions(given: unknown): CheckedOptions {
  const options = optionsOf<SpaceOptions>("openSpace()", given, OPTIONS);
  const { relays, token, peerToPeer, persist, signal } = options;
  if (token !== undefined && typeof token !== "function") checkToken(token);
  if (persist !== undefined) checkBoolean("persist", persist);
  checkSignal(signal);
  return {
    ...options,
    ...(relays !== undefined && { relays: relaysOf(relays) }),
    peerToPeer: peerToPeer === undefined ? undefined : peersOf(peerToPeer),
  };
}
