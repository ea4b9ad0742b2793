/** `cargo xtask demo` as it is started: a region is killed and revived from the page while somebody types. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { CHROMIUM } from "../chromium.mjs";
import { noteIs } from "./demo.mjs";
import { startXtaskDemo } from "./xtask-demo.mjs";

const REGIONS = ["eu", "us", "ap"];

let demo, browser, ada, bob, killed;

before(async () => {
  demo = await startXtaskDemo();
  browser = await chromium.launch(CHROMIUM);
  ada = await open();
  bob = await open();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

test("every region shows, one of them linked, and each comes to have what is typed", async () => {
  await ada.getByTestId("note").pressSequentially("Bring the boat.");
  await noteIs({ window: bob }, "Bring the boat.");
  for (const region of REGIONS) await says(ada, region, "has all your edits");
  killed = await linked(ada);
});

test("typing goes on while the linked region is killed, and reaches the other page through another", async () => {
  const note = ada.getByTestId("note");
  await note.press("End");
  await note.pressSequentially(" And lan");
  // By the keyboard, as somebody without a mouse would.
  await ada.getByRole("button", { name: `Kill ${killed}` }).press("Enter");
  await note.pressSequentially("terns.");
  await says(ada, killed, "down");
  await noteIs({ window: bob }, "Bring the boat. And lanterns.");
  const other = await linked(ada);
  assert.notEqual(other, killed);
  assert.notEqual(await linked(bob), killed);
  await says(ada, killed, "behind");
  const news = `${killed} is down. This window is linked to ${other}.`;
  await ada.locator("#region-news", { hasText: news }).waitFor();
});

test("a revived region gets what it missed", async () => {
  await ada.getByRole("button", { name: `Revive ${killed}` }).click();
  await says(ada, killed, "up");
  await ada.waitForFunction((regions) => {
    const { behind, unsent } = window.eyotSpace.status;
    return unsent === 0 && regions.every((region) => behind[region] === 0);
  }, REGIONS);
  for (const region of REGIONS) await says(ada, region, "has all your edits");
});

async function open() {
  const context = await browser.newContext();
  const window = await context.newPage();
  await window.goto(demo.demo);
  await window.getByTestId("note").waitFor();
  await linked(window);
  return window;
}

/** The region that this window is linked to, once it is. */
async function linked(window) {
  const row = window.locator('#region-list [data-state="up, linked"]');
  await row.waitFor();
  return row.getAttribute("data-region");
}

function says(window, region, words) {
  return window.locator(`#region-list [data-region="${region}"]`, { hasText: words }).waitFor();
}
