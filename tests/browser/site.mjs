/** The built package in real browsers: a server of it, and browser profiles that outlive their windows. */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { CHROMIUM } from "../chromium.mjs";

const DIST = fileURLToPath(new URL("../../js/dist/", import.meta.url));
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };
const PAGE = `<!doctype html><meta charset="utf-8"><title>eyot</title><link rel="icon" href="data:,">
<script type="module">import * as eyot from "/index.js"; globalThis.eyot = eyot;</script>`;

/** A page with the package as `eyot`, and nothing else; and further files, by name. */
export async function serveSite(files = {}) {
  const server = createServer(async ({ url }, response) => {
    const name = basename(url);
    const body = url === "/" ? PAGE : (files[name] ?? (await readFile(join(DIST, name)).catch(() => undefined)));
    response.writeHead(body === undefined ? 404 : 200, { "content-type": TYPES[extname(name)] ?? "text/html" });
    response.end(body ?? "not found");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}

/** A folder for all that a browser keeps, and the browser on it, which may end and start again. */
export async function newProfile() {
  const folder = await mkdtemp(join(tmpdir(), "eyot-profile-"));
  let browser;
  return {
    /** A page of the site; starts the browser where it does not run. */
    async visit(url) {
      browser ??= await chromium.launchPersistentContext(folder, CHROMIUM);
      const page = await browser.newPage();
      await page.goto(url);
      await page.waitForFunction(() => globalThis.eyot !== undefined);
      return page;
    },
    /** Ends the browser as a power cut does. */
    async kill() {
      const session = await browser.browser().newBrowserCDPSession();
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      const closed = once(browser, "close");
      for (const { id } of processInfo) process.kill(id, "SIGKILL");
      await closed;
      browser = undefined;
    },
    async remove() {
      await browser?.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Opens a space in a page, as `space`, and its document `doc`, as `doc`. */
/** `inMemory`: nothing is stored. */
export function open(page, name, relays = [], options = {}) {
  return page.evaluate(
    async ([name, relays, { inMemory, ...options }]) => {
      if (inMemory) options.storage = eyot.memory();
      globalThis.space = await eyot.openSpace(name, { relays, ...options });
      globalThis.doc = await space.named("doc", { text: "", list: [] });
    },
    [name, relays, options],
  );
}

/** One invites, the other joins; the texts pass through this test as through people. */
export async function meet(one, other, options) {
  const text = await one.evaluate(async (options) => {
    globalThis.invitation = await space.invite(options);
    return invitation.text;
  }, options);
  const { answer } = await other.evaluate((text) => space.join(text), text);
  await one.evaluate((answer) => invitation.accept(answer), answer);
}

/** Resolves once the page's document is as wanted; `wanted` runs there, on its value and the argument. */
export function until(page, wanted, argument) {
  return page.evaluate(
    ([wanted, argument]) => {
      const test = (0, eval)(wanted);
      return new Promise((resolve) => {
        const look = (value) => test(value, argument) && (stop(), resolve());
        const stop = doc.subscribe(look);
        look(doc.value);
      });
    },
    [String(wanted), argument],
  );
}

/** Resolves once the page's status is as wanted. */
export function untilStatus(page, wanted) {
  return page.evaluate((wanted) => {
    const test = (0, eval)(wanted);
    return new Promise((resolve) => {
      const look = (status) => test(status) && (stop(), resolve());
      const stop = space.subscribe(look);
      look(space.status);
    });
  }, String(wanted));
}

export const push = (page, ...items) =>
  page.evaluate((items) => void doc.change((draft) => void draft.list.push(...items)), items);

export const value = (page) => page.evaluate(() => ({ ...doc.value }));

/** The heads of a document are the same where the histories are. */
export const heads = (page) => page.evaluate(() => doc.heads);

/** From now on the page knows its WebRTC connections. */
export function watchWays(page) {
  return page.evaluate(() => {
    globalThis.connections = [];
    const Real = RTCPeerConnection;
    globalThis.RTCPeerConnection = function (...given) {
      const connection = new Real(...given);
      connections.push(connection);
      return connection;
    };
  });
}

/**
 * The network of the first page has changed. Resolves once its link to the other one, which stays, has found another way. Where
 * two have just met they may still take another connection in place of the first: then it changes once more.
 */
export async function findAnotherWay(...pages) {
  for (let isSame = false; !isSame;) {
    const ways = await Promise.all(pages.map((page) => page.evaluate(wayOf)));
    await pages[0].evaluate(() => void dispatchEvent(new Event("online")));
    const found = await Promise.all(pages.map((page, at) => page.evaluate(foundAnother, ways[at])));
    isSame = found.every(Boolean);
  }
}

/** In the page: the name in ICE of this end of its connection, once that is the only one. */
async function wayOf() {
  for (;;) {
    const [connection, ...more] = connections.filter(({ connectionState }) => connectionState !== "closed");
    const isSettled = connection?.signalingState === "stable" && connection.connectionState === "connected";
    if (isSettled && more.length === 0) {
      globalThis.watched = connection;
      return /ice-ufrag:(\S+)/.exec(connection.localDescription.sdp)[1];
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** In the page: resolves once its connection is connected by another way. False: there is another connection. */
async function foundAnother(before) {
  for (;;) {
    if (connections.some((one) => one !== watched && one.connectionState !== "closed")) return false;
    if (watched.connectionState === "closed") return false;
    const isSettled = watched.signalingState === "stable" && watched.connectionState === "connected";
    if (isSettled && !watched.localDescription.sdp.includes(`ice-ufrag:${before}`)) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
