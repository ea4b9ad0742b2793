/** The demo's button that cuts all relays. Two windows go on, and a third joins by what a camera reads of QR codes. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { startRelay } from "../relay.mjs";
import { carried, noteIs, paste, rewrite, scanned, serveDemo, statusSays } from "./demo.mjs";

const timeout = 120_000;

let relay, control, demo;
before(
  async () => {
    relay = await startRelay();
    control = await serveControl();
    demo = await serveDemo({ VITE_RELAYS: relay.url, VITE_CONTROL: control.url });
  },
  { timeout },
);
after(async () => {
  await demo?.close();
  await control?.close();
  await relay?.stop();
});

test(
  "all relays are cut, two windows go on, a third joins by QR codes, and a relay revived is told all",
  { timeout },
  async () => {
    const [ada, bob] = [await demo.open("ada"), await demo.open("bob")];
    for (const { window } of [ada, bob]) await regionIs(window, "up, linked");
    for (const who of [ada, bob]) await linkedTo(who, 1);
    await ada.window.getByTestId("cut").click();
    for (const { window } of [ada, bob]) await regionIs(window, "down");
    await statusSays(ada, "Offline");
    await rewrite(ada, "No relay, ");
    await noteIs(bob, "No relay, ");
    await rewrite(bob, "No relay, no matter.");
    await noteIs(ada, "No relay, no matter.");

    const eve = await demo.open("eve");
    await statusSays(eve, "Offline");
    // By keyboard alone.
    await ada.window.getByTestId("invite").focus();
    await ada.window.keyboard.press("Enter");
    const invitation = await scanned(ada, "#qr");
    assert.equal(invitation, await carried(ada));
    await paste(eve, invitation);
    await carried(eve);
    await paste(ada, await scanned(eve, "#qr"));
    await linkedTo(eve, 1);
    for (const { window } of [ada, eve]) await window.getByTestId("qr").waitFor({ state: "hidden" });
    await noteIs(eve, "No relay, no matter.");
    for (const who of [ada, bob, eve]) await peopleAre(who, 3);

    await bob.window.getByRole("button", { name: "Revive eu" }).click();
    for (const who of [ada, bob, eve]) await statusSays(who, "Stored in");
  },
);

function linkedTo({ window }, others) {
  return window.waitForFunction(
    (others) => document.querySelectorAll('#badges li[data-to="replica"]').length >= others,
    others,
  );
}

function peopleAre({ window }, count) {
  return window.waitForFunction((count) => document.querySelectorAll("#people li").length === count, count);
}

function regionIs(window, state) {
  return window.locator(`#region-list li[data-state="${state}"]`).waitFor();
}

/** What `cargo xtask demo` answers the demo, for one relay. */
async function serveControl() {
  let up = true;
  const server = createServer(async ({ method, url }, response) => {
    if (method === "POST" && url === "/regions/eu/kill") {
      await relay.kill();
      up = false;
    } else if (method === "POST" && url === "/regions/eu/revive") {
      await relay.restart();
      up = true;
    }
    response.setHeader("access-control-allow-origin", "*");
    response.end(JSON.stringify([{ region: "eu", url: relay.url, up }]));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}
