/** `eyot/inspector` on a page with a strict policy, with another replica in Node that writes and shows itself. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, it } from "node:test";
import { chromium } from "playwright-core";
import { memory, openSpace } from "eyot";
import { CHROMIUM } from "../chromium.mjs";
import { startRelay } from "../relay.mjs";
import { serveSite } from "./site.mjs";

const timeout = 60_000;
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: http:; img-src data:; require-trusted-types-for 'script'";
const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>inspector</title><link rel="icon" href="data:,">
<meta http-equiv="Content-Security-Policy" content="${POLICY}"><meta name="color-scheme" content="light dark">
<button>before</button><eyot-inspector></eyot-inspector><button>after</button>
<script type="module" src="/inspected.js"></script></html>`;
const SCRIPT = `
import { memory, openSpace } from "/index.js";
document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => violations.push(violatedDirective));
globalThis.violations = [];
const relay = location.hash.slice(1);
globalThis.space = await openSpace("inspected", { relays: [relay], storage: memory() });
globalThis.list = await space.named("list", { title: "", items: [] });
const inspector = document.querySelector("eyot-inspector");
inspector.space = space; // the element need not be there yet
await import("/inspector.js");
globalThis.inspector = inspector;`;

let site, browser, relay, page, other, theirs;
before(
  async () => {
    [site, browser] = await Promise.all([
      serveSite({ "inspected.html": PAGE, "inspected.js": SCRIPT }),
      chromium.launch(CHROMIUM),
    ]);
  },
  { timeout },
);
beforeEach(
  async () => {
    relay = await startRelay();
    page = await (await browser.newContext()).newPage();
    await page.goto(`${site.url}inspected.html#${relay.url}`);
    await page.getByRole("heading", { name: "Space inspected" }).waitFor({ timeout: 15000 });
    other = await openSpace("inspected", { relays: [relay.url], storage: memory() });
    theirs = await other.named("list", { title: "", items: [] });
  },
  { timeout },
);
afterEach(async () => {
  const refused = await page.evaluate(() => violations).catch(String);
  await page.context().close();
  await other?.close();
  await relay.stop();
  assert.deepEqual(refused, [], "the policy refuses something");
});
after(async () => {
  await browser?.close();
  await site?.close();
});

const panel = (name) => page.getByRole("tabpanel", { name });
const choose = (name) => page.getByRole("tab", { name }).click();

it("shows documents with sizes and, unfolded, heads, value and history as they change", { timeout }, async () => {
  await choose("Documents");
  theirs.change((draft) => (draft.title = "Shopping"), { message: "title" });
  const row = panel("Documents").getByRole("row", { name: /^list/ });
  await panel("Documents")
    .getByRole("row", { name: /^list \(.*\) 1 \d+ B$/ })
    .waitFor();

  await row.getByRole("button", { expanded: false }).click();
  const value = panel("Documents").getByRole("region", { name: "Value" });
  await value.filter({ hasText: '"title": "Shopping"' }).waitFor();
  await panel("Documents")
    .getByText(/operations by .*: title$/)
    .waitFor();
  const [head] = await page.evaluate(() => list.heads);
  assert.ok((await panel("Documents").innerText()).includes(head.slice(0, 10)));

  theirs.change((draft) => draft.items.push("milk", new Uint8Array(3)));
  await value.filter({ hasText: '"milk",\n    "(3 bytes)"' }).waitFor();
  await row.getByRole("button", { expanded: true }).click();
  await value.waitFor({ state: "detached" });

  other.delete(theirs.id);
  await row.waitFor({ state: "detached" });
});

it("tells what happens, what is on its way to a region, and what each link carries", { timeout }, async () => {
  const picture = page.getByRole("img");
  await page.getByRole("img", { name: /region eu linked/ }).waitFor();
  await choose("Log");
  theirs.change((draft) => (draft.title = "Shopping"));
  await panel("Log")
    .getByText(/list: 1 commit, \d+ B/)
    .waitFor();
  other.presence.set({ name: "Ada" });
  await panel("Log").getByText("is here").waitFor();
  await choose("Who is here");
  await panel("Who is here").getByText('{ "name": "Ada" }').waitFor();
  await choose("Links");
  const link = panel("Links").getByRole("row", { name: /^relay eu websocket/ });
  await link.waitFor();
  assert.match(await link.innerText(), /k?B/);

  await choose("Space");
  await page.evaluate(() => {
    space.setOnline(false);
    for (const title of ["a", "b", "c"]) list.change((draft) => (draft.title = title));
  });
  await page.getByRole("img", { name: /region eu not linked from here, 3 commits waiting/ }).waitFor();
  await panel("Space").getByText("3 commits to be stored by any region").waitFor();
  await panel("Space").getByRole("row", { name: "eu 3" }).waitFor();
  assert.match(await picture.textContent(), /3 waiting/);
  await page.evaluate(() => space.setOnline(true));
  await panel("Space").getByText("nothing waits").waitFor();
  await panel("Space").getByRole("row", { name: "eu none" }).waitFor();
});

it("is used by keyboard, and what has the focus keeps it when things change", { timeout }, async () => {
  await page.evaluate(() => list.change((draft) => (draft.title = "first")));
  const focused = () =>
    page.evaluate(() => {
      const { activeElement } = inspector.shadowRoot;
      return activeElement?.getAttribute("aria-label") ?? activeElement?.textContent;
    });
  await page.getByRole("button", { name: "before" }).focus();
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Space");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await focused(), "Who is here");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  assert.equal(await focused(), "Documents");
  assert.equal(await page.getByRole("tab", { name: "Documents" }).getAttribute("aria-selected"), "true");

  await page.keyboard.press("Tab"); // the panel
  await page.keyboard.press("Tab"); // the table, which can be scrolled
  assert.equal(await focused(), "Documents that this replica holds");
  await page.keyboard.press("Tab");
  const button = await focused();
  assert.match(button, /^list/);
  await page.keyboard.press("Enter");
  await panel("Documents").getByRole("region", { name: "Value" }).filter({ hasText: "first" }).waitFor();
  await page.evaluate(() => {
    space.create({ before: "or behind the row that has the focus" });
    list.change((draft) => (draft.title = "second"));
  });
  await panel("Documents").getByRole("region", { name: "Value" }).filter({ hasText: "second" }).waitFor();
  await panel("Documents").getByRole("button").nth(1).waitFor();
  assert.equal(await focused(), button);
});

it("shows another space when told to, and lets go of the one before", { timeout }, async () => {
  await page.evaluate(async () => {
    const { memory, openSpace } = await import("/index.js");
    globalThis.second = await openSpace("second", { storage: memory() });
    inspector.space = second;
  });
  await page.getByRole("heading", { name: "Space second" }).waitFor();
  await page.evaluate(() => second.close());
  await panel("Space").getByText("closed").waitFor();
  await page.evaluate(() => (inspector.space = undefined));
  await page.getByText("No space is set.").waitFor();
  await page.evaluate(() => inspector.remove());
  await page.evaluate(() => space.close());
});
