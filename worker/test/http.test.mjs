import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
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
  assert.match(metrics, /^eyot_connections_accepted_total 1$/m);
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

test("a client is in the region that is nearest to where the platform says it is", async (context) => {
  const place = await world(context);
  const variables = { REGION: undefined, REGIONS: "ap us eu" };
  const relay = await place.relay({ variables, placeHeader: "x-place" });
  const region = async (where, path = "/health") => {
    const headers = where === undefined ? {} : { "x-place": JSON.stringify(where) };
    return (await (await http(relay, path, { headers })).json()).region;
  };
  const cases = [
    [{ continent: "EU" }, "eu"],
    [{ continent: "AF" }, "eu"],
    [{ continent: "SA" }, "us"],
    [{ continent: "OC" }, "ap"],
    [{ continent: "AS", latitude: "25.2", longitude: "55.3" }, "eu"],
    [{ continent: "EU", latitude: "64.1", longitude: "-21.9" }, "eu"],
    [{ continent: "T1" }, "ap"],
    [{}, "ap"],
    [undefined, "ap"],
  ];
  for (const [where, expected] of cases) assert.equal(await region(where), expected, JSON.stringify(where));
  assert.equal(await region({ continent: "EU" }, "/at/us/health"), "us");
  assert.equal((await http(relay, "/at/mars/health")).status, 404);
});

test("without keys a relay serves nobody, whatever the request says it came by, unless it is said to be open", async (context) => {
  const place = await world(context);
  const silent = await place.relay({ variables: { AUTH: undefined } });
  const open = await place.relay({ data: `${place.data}/open`, variables: { AUTH: "open" } });
  const status = async ({ port }, host) => {
    const asked = request({ host: "127.0.0.1", port, path: "/health", headers: { host } }).end();
    const [response] = await once(asked, "response");
    response.resume();
    return response.statusCode;
  };
  assert.equal(await status(silent, "localhost"), 503);
  assert.equal(await status(silent, "127.0.0.1"), 503);
  assert.equal(await status(silent, "relay.example"), 503);
  assert.equal(await status(open, "relay.example"), 200);
});

test("what signs tickets is published without what is secret of it, and a space may be named like that page", async (context) => {
  const place = await world(context);
  const { privateKey } = generateKeyPairSync("ed25519");
  const { kty, crv, d, x } = privateKey.export({ format: "jwk" });
  const keys = async (relay) => {
    const answer = await http(relay, "/v1/keys");
    return answer.status === 200 ? answer.json() : answer.status;
  };
  const relay = await place.relay({ variables: { TICKET_KEY: JSON.stringify({ kty, crv, d, x }) } });
  assert.deepEqual(await keys(relay), { keys: [{ kty, crv, x, use: "sig", alg: "EdDSA" }] });
  const socket = new WebSocket(`${relay.url}/v1/keys`, "eyot.v1");
  await once(socket, "open");
  socket.terminate();
  const without = await place.relay({ data: `${place.data}/without` });
  assert.deepEqual(await keys(without), { keys: [] });
  const wrong = await place.relay({ data: `${place.data}/wrong`, variables: { TICKET_KEY: `{"d":"${d}"}` } });
  assert.equal(await keys(wrong), 500);
});

/** The status with which an upgrade is refused. */
async function refusal(socket) {
  const [request, response] = await once(socket, "unexpected-response");
  request.destroy();
  return response.statusCode;
}
