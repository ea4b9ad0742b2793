import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import WebSocket from "ws";

import { connect, world } from "./world.mjs";

const http = (relay, path, init) => fetch(relay.url.replace("ws:", "http:") + path, init);

test("the relay says its region, its directory and its counters over plain HTTP", async (context) => {
  const relay = await (await world(context)).relay();

  const health = await http(relay, "/health", { headers: { origin: "https://app.example" } });
  assert.equal(health.status, 200);
  assert.equal(health.headers.get("access-control-allow-origin"), "https://app.example");
  assert.deepEqual(await health.json(), { status: "ok", region: "eu" });

  assert.deepEqual(await (await http(relay, "/v1/regions")).json(), [{ region: "eu", url: relay.url }]);

  const { socket, closed } = await connect(relay);
  socket.close();
  await closed;
  const metrics = await (await http(relay, "/metrics")).text();
  assert.match(metrics, /^eyot_connections_total\{event="accepted"\} 1$/m);
});

test("what is no request of a relay's is refused with the fitting status", async (context) => {
  const relay = await (await world(context)).relay();
  const status = async (path, init) => (await http(relay, path, init)).status;
  assert.equal(await status("/"), 404);
  assert.equal(await status("/v1/a/b"), 404);
  assert.equal(await status("/health", { method: "POST" }), 405);
  assert.equal(await status("/v1/space"), 426);
  assert.equal(await status(`/v1/${"x".repeat(257)}`), 400);
  assert.equal(await status("/v1/%ff"), 400);
  assert.equal(await refusal(new WebSocket(`${relay.url}/v1/space`)), 400);
  assert.equal(await refusal(new WebSocket(`${relay.url}/v1/space`, "other.v1")), 400);
});

test("a page of an origin that is not allowed is refused before the upgrade", async (context) => {
  const relay = await (await world(context)).relay({ variables: { ORIGINS: "https://app.example" } });
  const from = (origin) => new WebSocket(`${relay.url}/v1/space`, "eyot.v1", { headers: { origin } });
  assert.equal(await refusal(from("https://evil.example")), 403);
  const { socket } = await connect(relay, "space", { origin: "https://app.example" });
  assert.equal(socket.protocol, "eyot.v1");
  socket.terminate();
});

/** The status with which an upgrade is refused. */
async function refusal(socket) {
  const [request, response] = await once(socket, "unexpected-response");
  request.destroy();
  return response.statusCode;
}
