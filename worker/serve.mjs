// One relay on this machine, in the foreground: node serve.mjs --region eu --port 7701 --data DIR

import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { bundle, start } from "./workerd.mjs";

const PARENT_CHECK_MS = 500;

const { values } = parseArgs({
  options: {
    region: { type: "string", default: "local" },
    port: { type: "string", default: "0" },
    data: { type: "string" },
    origin: { type: "string", multiple: true, default: [] },
    peer: { type: "string", multiple: true, default: [] },
    "peer-token": { type: "string" },
    "jwt-key": { type: "string" },
    "jwt-secret": { type: "string" },
    "ticket-key": { type: "string" },
  },
});
if (values.data === undefined) {
  console.error(`usage: node serve.mjs --data DIR [--region NAME] [--port NUMBER] [--origin URL …]
                    [--peer REGION=URL …] [--peer-token FILE] [--jwt-key FILE | --jwt-secret FILE]
                    [--ticket-key FILE]`);
  process.exit(2);
}

/** What the Worker is told, see src/index.ts. */
async function variables() {
  const file = async (path) => (await readFile(path, "utf8")).trim();
  const key = values["jwt-key"] && (await file(values["jwt-key"]));
  const secret = values["jwt-secret"] && (await file(values["jwt-secret"]));
  if (key !== undefined && secret !== undefined) throw new Error("only one of --jwt-key and --jwt-secret can be");
  // A public key that is no JSON must not be taken for a secret, because everybody knows it.
  if (key !== undefined && !/^[{[]/.test(key))
    throw new Error("--jwt-key: keys are given as JSON: a JWK, several or a JWKS");
  const isOpen = key === undefined && secret === undefined;
  if (isOpen)
    console.error("warning: without --jwt-key or --jwt-secret, whoever reaches this relay may read and write");
  return {
    REGION: values.region,
    ...(values.origin.length > 0 && { ORIGINS: values.origin.join(" ") }),
    ...(values.peer.length > 0 && { PEERS: values.peer.join(" ") }),
    ...(values["peer-token"] && { PEER_TOKEN: await file(values["peer-token"]) }),
    TICKET_KEY: await ticketKey(),
    ...(isOpen ? { AUTH: "open" } : { JWT_KEYS: key, JWT_SECRET: secret }),
  };
}

/** The key that signs tickets: without a file of its own, one that is kept with the data. */
async function ticketKey() {
  if (values["ticket-key"] !== undefined) return readFile(values["ticket-key"], "utf8");
  const file = join(values.data, "ticket-key.json");
  const { privateKey } = generateKeyPairSync("ed25519");
  await mkdir(values.data, { recursive: true });
  const made = writeFile(file, JSON.stringify(privateKey.export({ format: "jwk" })), { flag: "wx", mode: 0o600 });
  await made.catch((error) => {
    if (error.code !== "EEXIST") throw error;
  });
  return readFile(file, "utf8");
}

const parent = process.ppid;
const told = await variables().catch(({ message }) => {
  console.error(message);
  process.exit(1);
});
const folder = await bundle();
try {
  const relay = await start({ folder, data: values.data, port: Number(values.port), variables: told });
  console.log(`workerd pid ${relay.pid}`);
  console.log(`ready ${relay.url}`);

  let stopping = false;
  const stop = () => {
    stopping = true;
    void relay.stop();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop).once("SIGHUP", stop);
  // Whoever started this may have been killed without a word.
  const watch = setInterval(() => process.ppid === parent || stop(), PARENT_CHECK_MS);
  await relay.exited;
  clearInterval(watch);
  if (!stopping) {
    console.error("workerd has ended by itself");
    process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
