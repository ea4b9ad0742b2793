/** The demo as it is built: two windows, one of them offline, and the page from its service worker. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { CHROMIUM } from "../chromium.mjs";
import { startRelay } from "../relay.mjs";

const DEMO = fileURLToPath(new URL("../../demo/", import.meta.url));
const VITE = fileURLToPath(new URL("../../node_modules/vite/bin/vite.js", import.meta.url));

let relay, server, page, profiles, ada, bob;

before(async () => {
  relay = await startRelay();
  const port = await freePort();
  server = spawn(process.execPath, [VITE, "preview", "--host", "127.0.0.1", "--strictPort", "--port", String(port)], {
    cwd: DEMO,
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(server.stdout, "data");
  page = `http://127.0.0.1:${port}/?space=demo-test&relay=${encodeURIComponent(relay.url)}`;
  profiles = await mkdtemp(join(tmpdir(), "eyot-demo-"));
  ada = await open("ada");
  bob = await open("bob");
});

after(async () => {
  await Promise.all([ada?.context.close(), bob?.context.close()]);
  server?.kill();
  await relay?.stop();
  await rm(profiles, { recursive: true, force: true });
});

test("two windows converge as one types, and see who is here", async () => {
  await ada.window.getByTestId("note").pressSequentially("Bring the boat.");
  await noteIs(bob, "Bring the boat.");
  await ada.window.getByTestId("new-task").fill("Bake bread");
  await ada.window.keyboard.press("Enter");
  await bob.window.getByTestId("task").waitFor();
  await bob.window.waitForFunction(() => document.querySelectorAll("#people li").length === 2);
});

test("the caret stays where it was while another types before it", async () => {
  const note = ada.window.getByTestId("note");
  await note.evaluate((area) => (area.focus(), area.setSelectionRange(5, 5)));
  await bob.window.getByTestId("note").evaluate((area) => (area.focus(), area.setSelectionRange(0, 0)));
  await bob.window.keyboard.type("Ada: ");
  await noteIs(ada, "Ada: Bring the boat.");
  assert.equal(await note.evaluate((area) => area.selectionStart), 10);
});

test("what is written offline survives a reload without a network and arrives later", async () => {
  await bob.window.locator(".switch").click();
  await bob.window.getByTestId("note").evaluate((area) => (area.focus(), area.setSelectionRange(0, 0)));
  await bob.window.keyboard.type("(train) ");
  await statusSays(bob, "wait");
  await bob.window.waitForFunction(() => window.eyotSpace.status.unsaved === 0);
  await bob.window.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  await bob.context.setOffline(true);
  await bob.window.reload();
  await noteIs(bob, "(train) Ada: Bring the boat.");
  await bob.context.setOffline(false);
  await noteIs(ada, "(train) Ada: Bring the boat.");
  await statusSays(bob, "Stored in");
});

test("an emoji replaced by another stays whole", async () => {
  for (const text of ["x😀y", "x😁y"]) {
    await ada.window.getByTestId("note").fill(text);
    await noteIs(bob, text);
  }
});

test("a task that two move at once stays one task", async () => {
  for (const title of ["Borrow the boat", "Ask about lanterns"]) {
    await ada.window.getByTestId("new-task").fill(title);
    await ada.window.keyboard.press("Enter");
  }
  await bob.window.getByTestId("task").nth(2).waitFor();
  for (const { window } of [ada, bob]) {
    await window.locator(".switch").click();
    await window.getByRole("button", { name: "Move Ask about lanterns up" }).click();
  }
  await bob.window.getByRole("textbox", { name: "Rename Ask about lanterns" }).fill("Hang lanterns");
  for (const { window } of [ada, bob]) await window.locator(".switch").click();
  await ada.window.getByRole("textbox", { name: "Rename Hang lanterns" }).waitFor();
  await statusSays(ada, "Stored in");
  assert.equal(await ada.window.getByTestId("task").count(), 3);
  const held = await ada.window.evaluate(async () => {
    const list = await window.eyotSpace.named("task list", { tasks: {} });
    return Object.keys(list.value.tasks).length;
  });
  assert.equal(held, 3);
});

test("two windows that met by an invitation go on when the relay is gone", async () => {
  await ada.window.getByTestId("invite").click();
  const invitation = await carried(ada);
  await paste(bob, invitation);
  const answer = await carried(bob);
  await paste(ada, answer);
  for (const { window } of [ada, bob]) {
    await window.waitForFunction(() => document.querySelector("#links").textContent.includes("1 direct: by WebRTC"));
  }
  await relay.stop();
  relay = undefined;
  await statusSays(ada, "Offline");
  await ada.window.getByTestId("note").fill("No relay, ");
  await noteIs(bob, "No relay, ");
  await bob.window.getByTestId("note").fill("No relay, no matter.");
  await noteIs(ada, "No relay, no matter.");
});

async function open(name) {
  const context = await chromium.launchPersistentContext(join(profiles, name), {
    ...CHROMIUM,
  });
  const window = await context.newPage();
  await window.goto(page);
  await window.getByTestId("note").waitFor();
  return { context, window };
}

/** The text that a window asks its person to carry. */
async function carried({ window }) {
  await window.waitForFunction(() => document.querySelector("#carried").value !== "");
  return window.getByTestId("carried").inputValue();
}

async function paste({ window }, text) {
  await window.getByTestId("pasted").fill(text);
  await window.keyboard.press("Enter");
}

function noteIs({ window }, text) {
  return window.waitForFunction((text) => document.querySelector("#note")?.value === text, text);
}

function statusSays({ window }, words) {
  return window.waitForFunction((words) => document.querySelector("#status")?.textContent.includes(words), words);
}

async function freePort() {
  const listener = createServer();
  await once(listener.listen(0, "127.0.0.1"), "listening");
  const { port } = listener.address();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}
