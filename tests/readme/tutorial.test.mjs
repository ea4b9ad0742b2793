/** The steps of `docs/start/tutorial.md`, as they stand there. Run alone: node --test tests/readme/tutorial.test.mjs */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { chromium } from "playwright-core";
import { CHROMIUM } from "../chromium.mjs";
import { freePorts } from "../free-ports.mjs";
import { tarball } from "../packaging/project.mjs";
import { REPOSITORY } from "./blocks.mjs";
import { follow } from "./terminal.mjs";

const timeout = 180_000;
const closing = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

it("ends with two windows in sync, a relay with tokens, and a test", { timeout }, async () => {
  const page = await readFile(join(REPOSITORY, "docs/start/tutorial.md"), "utf8");
  const [relay, server, vite] = await freePorts(3);
  const packed = await tarball();
  const { end } = await follow(page, {
    // It has been packed already.
    skipped: ["cargo xtask pack"],
    replaced: {
      "PATH/TO/eyot-0.1.0.tgz": () => packed,
      "npm install": () => "npm install --prefer-offline --no-audit --no-fund",
      "../shopping": (base) => join(base, "shopping"),
      ".eyot/shopping": (base) => join(base, "relay"),
      7701: () => relay,
      7702: () => server,
      5173: () => vite,
    },
  });
  closing.push(end);

  const browser = await chromium.launch(CHROMIUM);
  closing.push(() => browser.close());
  const [ada, bob] = await Promise.all(
    [1, 2].map(async () => {
      // A profile of its own each, so these are two replicas.
      const window = await (await browser.newContext()).newPage();
      await window.goto(`http://localhost:${vite}`);
      await window.getByRole("status").filter({ hasText: "live" }).waitFor();
      return window;
    }),
  );
  const items = async (window) => (await window.getByRole("listitem").allInnerTexts()).map((text) => text.trim());

  await ada.getByLabel("New item").fill("milk");
  await ada.getByRole("button", { name: "Add" }).click();
  await bob.getByLabel("milk").waitFor();
  await bob.getByLabel("New item").fill("eggs");
  await bob.keyboard.press("Enter");
  await ada.getByLabel("eggs").waitFor();
  assert.deepEqual(await items(ada), ["milk", "eggs"]);

  await bob.getByRole("button", { name: "Undo" }).click();
  await ada.getByLabel("eggs").waitFor({ state: "detached" });
  await bob.getByLabel("milk").check();
  await ada.getByRole("checkbox", { name: "milk", checked: true }).waitFor();
  await ada.reload();
  await ada.getByRole("checkbox", { name: "milk", checked: true }).waitFor();

  // The relay asks for a token.
  const { openSpace } = await import("eyot");
  const stranger = await openSpace("home", { relays: [`ws://127.0.0.1:${relay}`] });
  while (stranger.status.state !== "denied") await new Promise((resolve) => stranger.subscribe(resolve));
  await stranger.close();
});
