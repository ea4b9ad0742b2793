// Sizes and speeds of the package as built, so that they are seen to move.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { performance } from "node:perf_hooks";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "esbuild";
import { memory, openSpace, splice } from "eyot";
import { chromium } from "playwright-core";

import { CHROMIUM } from "../chromium.mjs";
import { countingProxy } from "../proxy.mjs";
import { startRelay } from "../relay.mjs";

const STARTS = 7;
const CHANGES = 5_000;
const RELAYED_COMMITS = 5_000;
const TYPED = 500;

const { values: options } = parseArgs({ options: { "simulated-steps-per-second": { type: "string" } } });
const dist = fileURLToPath(new URL("../../js/dist/", import.meta.url));
const rows = [];

await sizes();
await starts();
await changes();
await relayed();
row("simulated steps", Number(options["simulated-steps-per-second"]), "/s");
print();

async function sizes() {
  compressed("Wasm", await readFile(join(dist, "eyot.wasm")));
  compressed("Wasm of eyot/cloudflare", await readFile(join(dist, "eyot-relay.wasm")));
  const bundled = await build({
    entryPoints: [join(dist, "index.js")],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false,
    // It says that what has no side effects is left out, which is what this is for.
    logOverride: { "ignored-bare-import": "silent" },
  });
  compressed("JavaScript, bundled and minified", Buffer.from(bundled.outputFiles[0].contents));
}

function compressed(name, bytes) {
  row(name, bytes.length, "bytes");
  row(`${name}, gzip`, gzipSync(bytes, { level: 9 }).length, "bytes");
  row(`${name}, brotli`, brotliCompressSync(bytes).length, "bytes");
}

/** From `import` to the first change that has been made, in a process or page that has never seen the package. */
async function starts() {
  const start = new URL("./start.mjs", import.meta.url);
  const node = await repeated(async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [fileURLToPath(start)]);
    return Number(stdout);
  });
  row("import to first change, Node", node, "ms");

  const server = createServer(serveDist);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address();
  const browser = await chromium.launch(CHROMIUM);
  const page = await repeated(async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${port}/`);
    const took = await page.evaluate(async () => {
      const started = performance.now();
      const { memory, openSpace } = await import("/index.js");
      const space = await openSpace("start", { storage: memory() });
      space.create({ count: 0 }).change((draft) => (draft.count = 1));
      return performance.now() - started;
    });
    await context.close();
    return took;
  });
  row("import to first change, Chromium", page, "ms");
  await browser.close();
  server.close();
}

async function serveDist({ url }, response) {
  if (url === "/") return response.setHeader("content-type", "text/html").end("<!doctype html><title>start</title>");
  try {
    const body = await readFile(join(dist, url));
    const type = { ".js": "text/javascript", ".wasm": "application/wasm" }[extname(url)];
    response.setHeader("content-type", type ?? "application/octet-stream").end(body);
  } catch {
    response.writeHead(404).end();
  }
}

/** Changes made one after another, each its own commit, in memory. */
async function changes() {
  const space = await openSpace("changes", { storage: memory() });
  const map = space.create({ count: 0 });
  row(
    "changes of one map key",
    perSecond(CHANGES, (i) => map.change((draft) => (draft.count = i))),
    "/s",
  );
  const text = space.create({ text: "" });
  row(
    "changes of one character",
    perSecond(CHANGES, (i) => type(text, i)),
    "/s",
  );
  await space.close();
}

async function relayed() {
  const relay = await startRelay();
  const proxy = await countingProxy(relay.port);
  const space = await openSpace("relayed", { relays: [proxy.url], storage: memory() });
  const map = space.create({ count: 0 });
  await space.durable();
  const started = performance.now();
  for (let i = 1; i <= RELAYED_COMMITS; i++) map.change((draft) => (draft.count = i));
  await space.durable();
  row("commits stored and acknowledged by the relay", (RELAYED_COMMITS * 1000) / (performance.now() - started), "/s");

  const text = space.create({ text: "" });
  await space.durable();
  const before = { ...proxy.bytes };
  for (let i = 0; i < TYPED; i++) await type(text, i).durable();
  row("wire bytes sent for a typed character", (proxy.bytes.sent - before.sent) / TYPED, "bytes");
  row("wire bytes received for it", (proxy.bytes.received - before.received) / TYPED, "bytes");
  await space.close();
  proxy.close();
  await relay.stop();
}

function type(doc, index) {
  return doc.change((draft) => splice(draft, ["text"], index, 0, "abcdefgh ij klmno "[index % 18]));
}

function perSecond(count, once) {
  for (let i = 0; i < count / 10; i++) once(i);
  const started = performance.now();
  for (let i = 0; i < count; i++) once(i);
  return (count * 1000) / (performance.now() - started);
}

/** The median. */
async function repeated(once) {
  const all = [];
  for (let i = 0; i < STARTS; i++) all.push(await once());
  return all.sort((a, b) => a - b)[STARTS >> 1];
}

function row(name, value, unit) {
  rows.push({ name, value, unit });
}

function print() {
  const wide = Math.max(...rows.map(({ name }) => name.length));
  const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  console.log();
  for (const { name, value, unit } of rows) {
    const digits = unit === "bytes" && Number.isInteger(value) ? value.toLocaleString("en") : number.format(value);
    console.log(`  ${name.padEnd(wide)}  ${digits.padStart(11)} ${unit}`);
  }
  console.log();
}
