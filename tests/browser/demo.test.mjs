/** The demo as it is built: two windows, one of them offline, and the page from its service worker. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startRelay } from "../relay.mjs";
import { goToStart, noteIs, rewrite, serveDemo, statusSays } from "./demo.mjs";

let relay, demo, ada, bob;

before(async () => {
  relay = await startRelay();
  demo = await serveDemo();
  const query = `?space=demo-test&relay=${encodeURIComponent(relay.url)}`;
  ada = await demo.open("ada", query);
  bob = await demo.open("bob", query);
});

after(async () => {
  await demo?.close();
  await relay?.stop();
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
  await goToStart(ada);
  for (let at = 0; at < 5; at++) await ada.window.keyboard.press("ArrowRight");
  await goToStart(bob);
  await bob.window.keyboard.type("Ada: ");
  await noteIs(ada, "Ada: Bring the boat.");
  await ada.window.keyboard.type("!");
  await noteIs(bob, "Ada: Bring! the boat.");
  await ada.window.keyboard.press("Control+z");
  await noteIs(bob, "Ada: Bring the boat.");
});

test("each sees the other's caret, by the name that is among those who are here", async () => {
  await ada.window.locator("#note .eyot-caret").waitFor();
  const [name, people] = await ada.window.evaluate(() => [
    document.querySelector("#note .eyot-caret").textContent,
    [...document.querySelectorAll("#people li")].map(({ textContent }) => textContent),
  ]);
  assert.ok(people.includes(`${name}, at the note`), `${name} of ${people.join("; ")}`);
});

test("what is written offline survives a reload without a network and arrives later", async () => {
  await bob.window.locator(".switch").click();
  await goToStart(bob);
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
    await rewrite(ada, text);
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

test("two windows that have met go on when the relay is gone", async () => {
  for (const { window } of [ada, bob]) await window.locator('#badges li[data-to="replica"]').waitFor();
  await relay.stop();
  relay = undefined;
  await statusSays(ada, "Offline");
  await rewrite(ada, "No relay, ");
  await noteIs(bob, "No relay, ");
  await rewrite(bob, "No relay, no matter.");
  await noteIs(ada, "No relay, no matter.");
});

test("somebody can look inside the replica", async () => {
  await ada.window.getByText("Look inside this replica").click();
  await ada.window.getByRole("img", { name: /^This replica: region eu/ }).waitFor();
  await ada.window.getByRole("tab", { name: "Documents" }).click();
  await ada.window.getByRole("row", { name: /^note/ }).waitFor();
  await ada.window.getByText("Look inside this replica").click();
  await ada.window.getByRole("img").waitFor({ state: "hidden" });
});

test("what stands in the address in place of a relay is told of", async () => {
  const { window, errors } = await demo.visit("typo", "?space=typo&relay=nonsense");
  await window.locator("#problem", { hasText: "a relay's address is ws://… or wss://…" }).waitFor();
  assert.deepEqual(errors, []);
});

test("by plain HTTP, without a clipboard, tasks can be added and the link is shown", async () => {
  const { window, errors } = await demo.visit("plain", "?space=plain", { isSecure: false });
  assert.equal(
    await window.evaluate(() => isSecureContext || "randomUUID" in crypto || "clipboard" in navigator),
    false,
  );
  await window.getByTestId("new-task").fill("Bake bread");
  await window.keyboard.press("Enter");
  await window.getByTestId("task").waitFor();
  await window.locator("#share").click();
  await window.locator("#share", { hasText: "space=plain" }).waitFor();
  assert.deepEqual(errors, []);
});

test("without its service worker the page works, and nothing is left unhandled", async () => {
  const bare = await serveDemo(undefined, ["sw.js"]);
  try {
    const { window, errors } = await bare.visit("bare", "?space=bare");
    const refused = window.waitForEvent("console", (message) => /service ?worker/i.test(message.text()));
    await window.reload();
    await refused;
    await window.getByTestId("note").waitFor();
    assert.deepEqual(errors, []);
  } finally {
    await bare.close();
  }
});
