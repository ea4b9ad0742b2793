/** The demo as `cargo xtask demo --static` builds it: a folder that any web host serves, wherever it puts it. */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { CHROMIUM } from "../chromium.mjs";
import { buildDemo, noteIs } from "./demo.mjs";

const PLACE = "/some/where/";
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

let folder, server, browser, page;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "eyot-static-"));
  await buildDemo(folder, {});
  server = createServer(async ({ url }, response) => {
    const { pathname } = new URL(url, "http://host");
    const name = pathname === PLACE ? "index.html" : pathname.slice(PLACE.length);
    const body = pathname.startsWith(PLACE) ? await readFile(join(folder, name)).catch(() => undefined) : undefined;
    response.writeHead(body === undefined ? 404 : 200, { "content-type": TYPES[extname(name)] ?? "text/plain" });
    response.end(body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  browser = await chromium.launch(CHROMIUM);
  page = await browser.newPage();
});

after(async () => {
  await browser?.close();
  await new Promise((resolve) => server.close(resolve).closeAllConnections());
  await rm(folder, { recursive: true, force: true });
});

test("the map says that it needs relays, and leads to the application, which needs none", async () => {
  await page.goto(`http://127.0.0.1:${server.address().port}${PLACE}map.html`);
  await page.getByRole("alert").getByText("The map needs three relays").waitFor();
  await page.getByRole("alert").getByRole("link", { name: "The application" }).click();
  await page.getByTestId("note").pressSequentially("Kept here.");
  await page.getByTestId("status").getByText("Saved on this device. No relay is set.").waitFor();
});

test("both pages come without a network", async () => {
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  await page.context().setOffline(true);
  await page.reload();
  await noteIs({ window: page }, "Kept here.");
  await page.getByRole("link", { name: "Three replicas on a map" }).click();
  await page.getByRole("alert").getByText("The map needs three relays").waitFor();
});
