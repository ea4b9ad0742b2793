/** The pages in `docs/` that show a page, in a browser. Run alone: node --test tests/readme/start.test.mjs */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { serveSite } from "../browser/site.mjs";
import { CHROMIUM } from "../chromium.mjs";
import { freePorts } from "../free-ports.mjs";
import { tarball } from "../packaging/project.mjs";
import { startRelay } from "../relay.mjs";
import { REPOSITORY, shown } from "./blocks.mjs";
import { follow } from "./terminal.mjs";

const timeout = 120_000;
const RELAY = "cargo xtask relay --region eu --port 7701 --data .eyot/eu";
let browser, relay;
before(
  async () => {
    browser = await chromium.launch(CHROMIUM);
    relay = await startRelay();
  },
  { timeout },
);
after(async () => {
  await browser?.close();
  await relay?.stop();
});

/** A window of a browser of its own. */
async function visit(url) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  return page;
}

it(
  "the page of `start/page.md` is in sync in two browsers, and keeps what is written without a relay",
  { timeout },
  async () => {
    const page = await readFile(join(REPOSITORY, "docs/start/page.md"), "utf8");
    const [[vite], packed] = [await freePorts(1), await tarball()];
    const { end } = await follow(page, {
      // A relay like that is there.
      skipped: [RELAY],
      replaced: {
        "PATH/TO/eyot-0.1.0.tgz": () => packed,
        "npm install": () => "npm install --prefer-offline --no-audit --no-fund",
        7701: () => relay.port,
        5173: () => vite,
      },
    });
    try {
      const url = `http://localhost:${vite}`;
      const [ada, bob] = [await visit(url), await visit(url)];
      await ada.getByRole("status").filter({ hasText: "live" }).waitFor();
      await bob.getByRole("status").filter({ hasText: "live" }).waitFor();
      await ada.getByLabel("Note").fill("from Ada");
      await bob.waitForFunction(() => document.querySelector("#note").value === "from Ada");

      await relay.kill();
      await bob
        .getByRole("status")
        .filter({ hasText: /connecting|offline/ })
        .waitFor();
      await bob.getByLabel("Note").fill("from Ada, and Bob");
      await relay.restart();
      await ada.waitForFunction(() => document.querySelector("#note").value === "from Ada, and Bob");
    } finally {
      await end();
    }
  },
);

/** A page with this as its script, bundled with the packages of this workspace. */
async function serveScript(contents, body = "") {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL("..", import.meta.url)), loader: "jsx" },
    jsx: "automatic",
    bundle: true,
    format: "esm",
    write: false,
    logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const html = `<!doctype html><meta charset="utf-8"><title>page</title><link rel="icon" href="data:,">
    <body>${body}<script type="module" src="/app.js"></script>`;
  return serveSite({ "app.html": html, "app.js": outputFiles[0].text });
}

it("the page of `guide/inspector.md` shows its space", { timeout }, async () => {
  const site = await serveScript(await shown("guide/inspector.md", "page.js"));
  try {
    const page = await visit(`${site.url}app.html`);
    await page.getByRole("heading", { name: "Space team" }).waitFor();
  } finally {
    await site.close();
  }
});

it("the application of `guide/react.md` runs, and keeps what is typed", { timeout }, async () => {
  const app = (await shown("guide/react.md", "app.jsx")).replaceAll("wss://relay.example", relay.url);
  const render = `
    import { createRoot } from "react-dom/client";
    createRoot(document.querySelector("#root")).render(<App />);`;
  const site = await serveScript(app + render, '<div id="root"></div>');
  try {
    const page = await visit(`${site.url}app.html`);
    await page.getByRole("textbox").fill("milk");
    const other = await visit(`${site.url}app.html`);
    await other.waitForFunction(() => document.querySelector("textarea")?.value === "milk");
    assert.equal(await page.getByRole("textbox").inputValue(), "milk");
  } finally {
    await site.close();
  }
});
