/** `eyot relay`: puts the parts together, and stops in an orderly way. */
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import type { Keys } from "../access/keys.js";
import { publishedKeys, TICKET_KEY } from "../access/ticket-key.js";
import { CLOSE_GOING_AWAY, CLOSE_STORAGE } from "../base/close-codes.js";
import { messageOf } from "../base/error.js";
import { Mistake } from "./command-line.js";
import { readKeys, readSecret, readText, readToken, reasonOf, within } from "./files.js";
import type { Settings } from "./flags.js";
import { addressOf, httpServer } from "./http.js";
import { Spaces } from "./spaces.js";
import { findSqlite } from "./sqlite.js";
import { Stores } from "./store.js";

const DATABASE = "relay.sqlite";
const TICKET_FILE = "ticket-key.json";
/** How long connections have to send what is left and to close. */
const STOP_MS = 2_500;

/** Serves until SIGTERM or SIGINT. Rejects with a `Mistake` where it can't start. Resolves with the exit code. */
export async function serve(settings: Settings, module: WebAssembly.Module): Promise<number> {
  const { peerToken, host, port } = settings;
  if (peerToken !== undefined) readToken(peerToken);
  let keys = readAccess(settings);
  const open = await findSqlite().catch((error: unknown) => {
    throw new Mistake(messageOf(error));
  });
  makeFolder(settings.data);
  let failed: (error: unknown) => void = () => undefined;
  const failure = new Promise<unknown>((resolve) => (failed = resolve));
  const stores = openStores(settings.data, () => new Stores(open, join(settings.data, DATABASE), failed));
  const ticketKey = await readTicketKey(settings);
  const options = {
    module,
    region: settings.region,
    peers: settings.peers,
    peerToken: () => (peerToken === undefined ? undefined : readToken(peerToken)),
    keys: () => keys,
    ticketKey,
  };
  const spaces = new Spaces(options, stores);
  const accept = spaces.accept.bind(spaces);
  const changes = spaces.changes.bind(spaces);
  const server = httpServer({ ...settings, isOpen: keys === "open", ticketKey, accept, changes });
  try {
    await listen(server, host, port);
  } catch (error) {
    stores.close();
    throw error;
  }
  process.on("SIGHUP", () => {
    try {
      keys = readAccess(settings);
      console.error("eyot: the keys were read again");
    } catch (error) {
      console.error(`eyot: the keys can't be read again; the old ones stay in use: ${messageOf(error)}`);
    }
  });
  spaces.resume();
  console.log(`ready ws://${addressOf(server)}`);
  const why = await Promise.race([failure, once(process, "SIGTERM"), once(process, "SIGINT")]);
  const hasFailed = !Array.isArray(why);
  if (hasFailed) console.error(`error: ${join(settings.data, DATABASE)}: ${messageOf(why)}`);
  server.close();
  if (hasFailed) spaces.end(CLOSE_STORAGE, "this relay's files are gone");
  else spaces.end(CLOSE_GOING_AWAY, "this relay is stopping");
  stores.close();
  await closed(server);
  return hasFailed ? 2 : 0;
}

function readAccess({ jwtKey, jwtSecret, isOpen, host }: Settings): Keys | "open" {
  if (jwtKey !== undefined) return readKeys(jwtKey);
  if (jwtSecret !== undefined) return readSecret(jwtSecret);
  if (isOpen) return "open";
  if (!/^127\.|^::1$/.test(host)) {
    throw new Mistake(
      "without tokens this address is open to everybody: give --jwt-key FILE or --jwt-secret FILE, or --auth open",
    );
  }
  console.error("eyot: every program on this machine may read and write every space; use --jwt-key to require tokens");
  return "open";
}

function makeFolder(folder: string): void {
  within(folder, () => mkdirSync(folder, { recursive: true }));
}

function openStores(folder: string, open: () => Stores): Stores {
  try {
    return open();
  } catch (error) {
    if (/locked|busy/i.test(messageOf(error))) throw new Mistake(`${folder} is used by another process`);
    throw new Mistake(`${join(folder, DATABASE)}: ${reasonOf(error)}`);
  }
}

/** The key that signs tickets. A folder of a relay that was given none keeps one of its own. */
async function readTicketKey({ ticketKey, data }: Settings): Promise<string> {
  const file = ticketKey ?? join(data, TICKET_FILE);
  if (ticketKey === undefined && !existsSync(file)) {
    const { privateKey } = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
    const jwk = JSON.stringify(await crypto.subtle.exportKey("jwk", privateKey));
    within(file, () => writeFileSync(file, jwk, { mode: 0o600, flag: "wx" }));
  }
  return within(file, () => {
    const text = readText(file);
    publishedKeys({ [TICKET_KEY]: text });
    return text;
  });
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    throw new Mistake(`${host.includes(":") ? `[${host}]` : host}:${port}: ${reasonOf(error)}`);
  }
}

async function closed(server: Server): Promise<void> {
  server.closeIdleConnections();
  const late = setTimeout(() => server.closeAllConnections(), STOP_MS);
  if (server.listening) await once(server, "close");
  clearTimeout(late);
}
