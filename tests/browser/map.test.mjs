/** The map page over the relays of `cargo xtask demo`: every button, by the keyboard too. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { CHROMIUM } from "../chromium.mjs";
import { startXtaskDemo } from "./xtask-demo.mjs";

const PLACES = ["Virginia", "Frankfurt", "Singapore"];

let demo, browser, page;

before(async () => {
  demo = await startXtaskDemo();
  browser = await chromium.launch(CHROMIUM);
  page = await open();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

test("a ghost writes in all three places, and each shows how soon an edit is on disk, at a relay and in two regions", async () => {
  await page.getByText("ghost writes").waitFor();
  for (const place of PLACES) {
    for (const at of [0, 1, 2])
      await replica(place)
        .locator(".times dd")
        .nth(at)
        .getByText(/^\d+ ms$/)
        .waitFor();
  }
  for (const place of PLACES) {
    await textHas(place, "Guten Tag from Frankfurt. ");
    await textHas(place, "Good morning from Virginia. ");
  }
});

test("an edit takes as long as the distance asks for", async () => {
  // Virginia is the nearest other region of Frankfurt: 45 ms over the sea, and 5 at each end, there and back.
  const ms = await replica("Frankfurt").locator(".times dd").nth(2).textContent();
  assert.ok(Number.parseInt(ms) >= 100, ms);
});

test("the ghost stops when somebody writes, whose caret the others show by its place", async () => {
  await editor("Frankfurt").focus();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("It is me. ");
  await page.getByRole("button", { name: "Let the ghost write" }).waitFor();
  for (const place of PLACES) await textHas(place, "It is me. ");
  for (const place of ["Virginia", "Singapore"]) {
    await replica(place).locator(".eyot-caret", { hasText: "Frankfurt" }).waitFor();
  }
});

test("what is written offline is kept and merges with what others wrote meanwhile", async () => {
  const offline = page.getByRole("switch", { name: "Singapore online" });
  await offline.press("Space");
  await says("Singapore is offline.");
  await editor("Singapore").focus();
  await page.keyboard.press("Control+Home");
  await page.keyboard.insertText("Alone. ");
  await replica("Singapore").getByText("1 edit waits.").waitFor();
  await editor("Frankfurt").focus();
  await page.keyboard.press("Control+End");
  await page.keyboard.insertText("Together.");
  await textHas("Virginia", "Together.");
  await page.getByTestId("same").getByText("apart").waitFor();
  assert.ok(!(await text("Virginia")).includes("Alone."));
  await offline.press("Space");
  for (const place of PLACES) for (const written of ["Alone. ", "Together."]) await textHas(place, written);
  await page.getByTestId("same").getByText("equal").waitFor();
});

test("two are cut off, all three write, and all comes together", async () => {
  await page.getByRole("button", { name: "Cut two, write in all, reconnect" }).press("Enter");
  await says("All three write, each for itself.");
  await page.getByTestId("same").getByText("apart").waitFor();
  await says("The two come back: watch them merge.");
  for (const place of PLACES) {
    for (const written of [
      "Virginia wrote this offline.",
      "Frankfurt wrote this meanwhile.",
      "Singapore wrote this offline, too.",
    ]) {
      await textHas(place, written);
    }
  }
  await page.getByTestId("same").getByText("equal").waitFor();
  assert.equal(await page.getByRole("switch", { checked: true }).count(), 3);
});

test("a region is killed: its replica links to another and goes on, and the region catches up once it is back", async () => {
  await page.getByRole("button", { name: "Kill region Frankfurt" }).press("Enter");
  await says("Region Frankfurt was killed. Its replica looks for another relay.");
  await page.getByRole("img", { name: /Down: Frankfurt\.$/ }).waitFor();
  await replica("Frankfurt")
    .getByText(/^Linked to (Virginia|Singapore), /)
    .waitFor();
  await editor("Frankfurt").focus();
  await page.keyboard.insertText("Still here. ");
  for (const place of PLACES) await textHas(place, "Still here. ");
  await page.getByRole("button", { name: "Revive region Frankfurt" }).press("Enter");
  await says("Region Frankfurt is back, and is told what it missed.");
  await page.getByRole("img", { name: /All are up\.$/ }).waitFor();
  await allAreFoundIn("Frankfurt");
});

test("a region that is wiped gets everything back", async () => {
  const before = await checked();
  await page.getByRole("button", { name: "Wipe region Singapore" }).press("Enter");
  await says("Region Singapore lost its disk. The others give everything back to it.");
  await page.waitForFunction(
    (before) => document.querySelector("[data-testid=checked]").textContent !== before,
    before,
  );
  await allAreFoundIn("Singapore");
  assert.equal(await page.getByTestId("lost").locator("dd").textContent(), "0");
});

test("no task of the page takes long while a replica writes", async (t) => {
  await page.evaluate(() => {
    window.tasks = [];
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({
      type: "longtask",
    });
  });
  await page.getByRole("button", { name: "Let the ghost write" }).press("Enter");
  await page.getByText("ghost writes").waitFor();
  await page.waitForFunction(
    (before) =>
      Number(document.querySelector("[data-testid=acknowledged] dd").textContent.replace(",", "")) > before + 30,
    await acknowledged(),
  );
  const tasks = await page.evaluate(() => window.tasks);
  t.diagnostic(tasks.length === 0 ? "no task over 50 ms" : `longest task: ${Math.round(Math.max(...tasks))} ms`);
  await page.getByRole("button", { name: "Stop the ghost" }).press("Enter");
  await page.getByRole("button", { name: "Let the ghost write" }).waitFor();
});

test("all is still there after a reload without any relay", async () => {
  const held = await text("Virginia");
  for (const place of PLACES) await page.getByRole("button", { name: `Kill region ${place}` }).click();
  await page.getByRole("img", { name: /Down: Virginia, Frankfurt, Singapore\.$/ }).waitFor();
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.reload();
  for (const place of PLACES) assert.equal((await textHas(place, "It is me."), await text(place)), held);
  for (const place of PLACES) await page.getByRole("button", { name: `Revive region ${place}` }).press("Enter");
  await page.getByRole("img", { name: /All are up\.$/ }).waitFor();
});

test("who wants no motion is not shown any: the ghost waits to be asked", async () => {
  await page.getByRole("button", { name: "Let the ghost write" }).waitFor();
  assert.equal(
    await page.evaluate(() => document.getAnimations().filter(({ playState }) => playState === "running").length),
    0,
  );
});

test("starting over leaves nothing of the old note on this device", async () => {
  await page.getByRole("button", { name: "Start over" }).press("Enter");
  await page.waitForFunction(() => window.eyotSites?.every(({ note }) => note.value.text === ""));
  assert.ok((await page.getByTestId("acknowledged").textContent()).includes("0"));
});

async function open() {
  const window = await (await browser.newContext()).newPage();
  // Three replicas and three relays share what else is run here.
  window.setDefaultTimeout(60_000);
  await window.goto(demo.map);
  return window;
}

function replica(place) {
  return page.getByRole("article", { name: place });
}

function editor(place) {
  return page.getByRole("textbox", { name: `The note in ${place}` });
}

function says(news) {
  return page.getByTestId("news").getByText(news).waitFor();
}

function text(place) {
  return page.evaluate((place) => window.eyotSites.find((site) => site.place.name === place).note.value.text, place);
}

/** Resolves once the editor in that place shows it. */
function textHas(place, words) {
  return page.waitForFunction(
    ([place, words]) => {
      const shown = document.querySelector(`[aria-label="The note in ${place}"]`)?.cloneNode(true);
      for (const caret of shown?.querySelectorAll(".eyot-caret") ?? []) caret.remove();
      return shown?.textContent.includes(words);
    },
    [place, words],
  );
}

async function acknowledged() {
  return Number((await page.getByTestId("acknowledged").locator("dd").textContent()).replace(",", ""));
}

function checked() {
  return page.getByTestId("checked").textContent();
}

/** Resolves once an empty replica has read that region, and found whatever was acknowledged. */
function allAreFoundIn(place) {
  return page
    .getByTestId("checked")
    .getByText(new RegExp(`has just read ${place} and found all of`))
    .waitFor();
}
