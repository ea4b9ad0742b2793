// Bad input in each place where somebody can put it, and what comes back: a status or a close code, with its text.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { before, test } from "node:test";

import WebSocket from "ws";

import { connect, eventually, greeting, world } from "./world.mjs";
import { at, keyPair, secretKey, sign, signText } from "./tokens.mjs";

const MALFORMED = 4000;
const TOO_LARGE = 4001;
const OUT_OF_ORDER = 4002;
const DENIED = 4004;
const GOING_AWAY = 4009;
const EXPIRED = 4010;
const HOUR_MS = 3_600_000;
const FRAME_BYE = 12;
const HELLO = 1;

let key;
before(async () => {
  key = await keyPair("EdDSA", "one");
});

test("each bad request gets a status and a text", async (context) => {
  const relay = await (await world(context)).relay({ variables: { ORIGINS: "https://app.example" } });
  const upgrade = {
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "sec-websocket-protocol": "eyot.v1",
  };
  const without = (name) => Object.fromEntries(Object.entries(upgrade).filter(([other]) => other !== name));
  const long = "x".repeat(257);
  const cases = [
    // The path: missing, empty, huge, not UTF-8, of another kind.
    ["GET /", {}, 404, /nothing here/],
    ["GET /v1", upgrade, 404, /nothing here/],
    ["GET /v1/", upgrade, 404, /nothing here/],
    ["GET /v1/a/b", upgrade, 404, /nothing here/],
    ["GET //v1/a", upgrade, 404, /nothing here/],
    ["GET /constructor", {}, 404, /nothing here/],
    [`GET /v1/${long}`, upgrade, 400, /at most 256 bytes/],
    [`GET /v1/${"%C3%BC".repeat(129)}`, upgrade, 400, /at most 256 bytes/],
    [`GET /v1/${"x".repeat(30_000)}`, upgrade, 400, /at most 256 bytes/],
    ["GET /v1/%ff", upgrade, 400, /at most 256 bytes/],
    ["GET /v1/%", upgrade, 400, /at most 256 bytes/],
    ["GET /at/mars/health", {}, 404, /no such region/],
    ["GET /at//health", {}, 404, /nothing here/],
    ["GET /at/%ff/health", {}, 404, /no such region/],
    // The query says nothing here.
    ["GET /health?", {}, 200, /ok/],
    [`GET /health?${long}=%ff&region=us&token=x`, {}, 200, /"eu"/],
    // The method.
    ["POST /v1/a", upgrade, 405, /only GET/],
    ["DELETE /health", {}, 405, /only GET/],
    // Headers of the upgrade.
    ["GET /v1/a", {}, 426, /WebSocket/],
    ["GET /v1/a", without("upgrade"), 426, /WebSocket/],
    ["GET /v1/a", { ...upgrade, upgrade: "h2c" }, 426, /WebSocket/],
    ["GET /v1/a", without("sec-websocket-protocol"), 400, /subprotocol eyot.v1/],
    ["GET /v1/a", { ...upgrade, "sec-websocket-protocol": "" }, 400, /subprotocol eyot.v1/],
    ["GET /v1/a", { ...upgrade, "sec-websocket-protocol": "eyot.v2, ,eyot.token.x" }, 400, /subprotocol eyot.v1/],
    ["GET /v1/a", { ...upgrade, "sec-websocket-protocol": "x".repeat(30_000) }, 400, /subprotocol eyot.v1/],
    ["GET /v1/a", { ...upgrade, "sec-websocket-protocol": "\xff\xfe" }, 400, /subprotocol eyot.v1/],
    // Origin.
    ["GET /v1/a", { ...upgrade, origin: "https://evil.example" }, 403, /origin/],
    ["GET /v1/a", { ...upgrade, origin: "null" }, 403, /origin/],
    ["GET /v1/a", { ...upgrade, origin: "\xff".repeat(10_000) }, 403, /origin/],
  ];
  for (const [line, headers, status, text] of cases) {
    await context.test(`${line.slice(0, 40)} ${JSON.stringify(headers).slice(0, 60)}`, async () => {
      const answer = await ask(relay, line, headers);
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.text, text);
    });
  }
});

test("each bad variable makes the relay answer that it is not set up, and tell nothing else", async (context) => {
  const place = await world(context);
  const { secret } = secretKey();
  const { jwk } = key;
  const cases = [
    ["no keys at all", { AUTH: undefined }, 503, /was given no keys/],
    ["JWT_KEYS, empty", { JWT_KEYS: "" }],
    ["JWT_KEYS, no JSON", { JWT_KEYS: "ssh-ed25519 AAAA" }],
    ["JWT_KEYS, JSON of another kind", { JWT_KEYS: "42" }],
    ["JWT_KEYS, null", { JWT_KEYS: "null" }],
    ["JWT_KEYS, a list of nothing", { JWT_KEYS: "[]" }],
    ["JWT_KEYS, a list of null", { JWT_KEYS: "[null]" }],
    ["JWT_KEYS, keys of no kind", { JWT_KEYS: '{"keys":42}' }],
    ["JWT_KEYS, of another algorithm", { JWT_KEYS: '{"kty":"RSA","n":"x","e":"AQAB"}' }],
    ["JWT_KEYS, without its point", { JWT_KEYS: JSON.stringify({ ...jwk, x: undefined }) }],
    ["JWT_KEYS, with a point that is none", { JWT_KEYS: JSON.stringify({ ...jwk, x: 42 }) }],
    ["JWT_KEYS, a short secret", { JWT_KEYS: '{"kty":"oct","k":"c2hvcnQ"}' }],
    ["JWT_KEYS, a secret that is no text", { JWT_KEYS: '{"kty":"oct","k":42}' }],
    ["JWT_KEYS, no URL", { JWT_KEYS: "https://[" }],
    ["JWT_SECRET, empty", { JWT_SECRET: "" }],
    ["JWT_SECRET, short", { JWT_SECRET: "x".repeat(31) }],
    ["JWT_SECRET, a public key as PEM", { JWT_SECRET: `-----BEGIN ${"x".repeat(32)}` }],
    ["JWT_SECRET, a public key of SSH", { JWT_SECRET: `ssh-ed25519 ${"A".repeat(68)}` }],
    ["JWT_SECRET, a public key as JSON", { JWT_SECRET: JSON.stringify(jwk) }],
    ["JWT_SECRET, the same with a byte-order mark", { JWT_SECRET: `\ufeff${JSON.stringify(jwk)}` }],
    ["JWT_SECRET, the same in quotes", { JWT_SECRET: JSON.stringify(JSON.stringify(jwk)) }],
    ["JWT_SECRET, the address of keys", { JWT_SECRET: "https://keys.example/.well-known/jwks.json" }],
    ["two of them", { JWT_SECRET: secret, JWT_KEYS: JSON.stringify(jwk) }],
    ["one of them, and open", { JWT_SECRET: secret, AUTH: "open" }],
    ["AUTH, empty", { AUTH: "" }],
    ["AUTH, something else", { AUTH: "none" }],
    ["REGIONS, empty", { REGIONS: "" }],
    ["REGIONS, outside of the jurisdiction", { REGIONS: "weur apac", JURISDICTION: "eu" }],
    ["JURISDICTION, none that there is", { JURISDICTION: "mars" }],
    ["JURISDICTION, empty", { JURISDICTION: "" }],
    ["REGIONS, a long name", { REGIONS: "x".repeat(49) }],
    ["REGIONS, too many", { REGIONS: Array.from({ length: 65 }, (_, index) => `r${index}`).join(" ") }],
    ["PEERS, without an address", { PEERS: "us" }],
    ["PEERS, without a region", { PEERS: "=wss://us.example" }],
    ["PEERS, with an address of another kind", { PEERS: "us=https://us.example" }],
    ["PEERS, with no address", { PEERS: "us=wss://[" }],
    ["PEERS, with credentials", { PEERS: "us=wss://ada:secret@us.example" }],
    ["PEERS, with a token", { PEERS: "us=wss://us.example?token=secret" }],
  ];
  for (const [name, variables, status = 500, text = /not set up as it should be; its log says why/] of cases) {
    await context.test(name, async () => {
      const relay = await place.relay({ variables, data: `${place.data}/one` });
      const answer = await ask(relay, "GET /health", {});
      assert.equal(answer.status, status, answer.text);
      assert.match(answer.text, text);
      await relay.stop();
    });
  }
});

test("each bad claim of a token is refused with a code and a reason", async (context) => {
  const relay = await (await world(context)).relay({ variables: { JWT_KEYS: JSON.stringify(key.jwk) } });
  const huge = { length: 150 };
  const cases = [
    ["no token", undefined, DENIED, /a token is needed/],
    ["an empty token", "", DENIED, /malformed/],
    ["a token of dots", "..", DENIED, /malformed/],
    ["a token over the limit", "x".repeat(8_193), TOO_LARGE, /a token over the limit/],
    ["a token that is no JSON", `${btoa("{").replaceAll("=", "")}.e30.AA`, DENIED, /malformed/],
    ["sub, missing", await sign(key, { sub: undefined }), DENIED, /no subject/],
    ["sub, empty", await sign(key, { sub: "" }), DENIED, /no subject/],
    ["sub, a number", await sign(key, { sub: 42 }), DENIED, /no subject/],
    ["exp, missing", await sign(key, { exp: undefined }), DENIED, /no time of expiry/],
    ["exp, a text", await sign(key, { exp: "tomorrow" }), DENIED, /no time of expiry/],
    ["exp, 0", await sign(key, { exp: 0 }), EXPIRED, /expired/],
    ["exp, below 0", await sign(key, { exp: -1e300 }), EXPIRED, /expired/],
    ["exp, twice", await signText(key, (text) => text.replace("{", '{"exp":9999999999,')), DENIED, /malformed/],
    [
      "exp, twice, one escaped",
      await signText(key, (text) => text.replace("{", '{"\\u0065xp":1,')),
      DENIED,
      /malformed/,
    ],
    ["nbf, later", await sign(key, { nbf: at(HOUR_MS) }), DENIED, /not valid yet/],
    ["nbf, a text", await sign(key, { nbf: "now" }), DENIED, /malformed/],
    ["spaces, missing", await sign(key, { spaces: undefined }), DENIED, /no spaces/],
    ["spaces, null", await sign(key, { spaces: null }), DENIED, /no spaces/],
    ["spaces, a list", await sign(key, { spaces: ["space"] }), DENIED, /no spaces/],
    ["spaces, a text", await sign(key, { spaces: "space" }), DENIED, /no spaces/],
    ["spaces, empty", await sign(key, { spaces: {} }), DENIED, /not for this space/],
    ["spaces, huge", await sign(key, { spaces: spaces(huge) }), DENIED, /not for this space/],
    ["spaces, of an unknown right", await sign(key, { spaces: { space: "own" } }), DENIED, /neither read nor write/],
    ["spaces, of no right", await sign(key, { spaces: { space: null } }), DENIED, /neither read nor write/],
    ["relay, a text", await sign(key, { relay: "true" }), DENIED, /malformed/],
    ["relay, a number", await sign(key, { relay: 1 }), DENIED, /malformed/],
    ["relay, null", await sign(key, { relay: null }), DENIED, /malformed/],
    ["not UTF-8", await signText(key, () => Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), DENIED, /./],
    ["no object", await signText(key, () => "[]"), DENIED, /malformed/],
  ];
  for (const [name, token, code, reason] of cases) {
    await context.test(name, async () => {
      const { socket, closed } = await connect(relay, "space", { token });
      const [bye] = await once(socket, "message");
      const close = await closed;
      assert.equal(close.code, code, close.reason);
      assert.match(close.reason, reason);
      // A client learns the reason from the frame Bye.
      assert.equal(bye[1], FRAME_BYE);
      assert.equal(bye.readUInt16BE(5), code);
      assert.equal(bye.subarray(10).toString(), close.reason);
    });
  }
});

test("each bad first frame is answered with a code and a reason, also one that never comes", async (context) => {
  const relay = await (await world(context)).relay();
  const hello = await greeting("space");
  const changed = (find, put) => {
    const text = Buffer.from(hello).toString("latin1");
    assert.notEqual(text.indexOf(find), -1);
    return Buffer.from(text.replace(find, put), "latin1");
  };
  const cases = [
    ["never", undefined, GOING_AWAY, /not greeted in time/],
    ["empty", Buffer.alloc(0), MALFORMED, /malformed/],
    ["huge", Buffer.alloc(40_000, hello), TOO_LARGE, /limit/],
    ["text", "hello", MALFORMED, /text/],
    ["ends early", hello.subarray(0, 20), MALFORMED, /malformed/],
    ["goes on", Buffer.concat([hello, hello]), MALFORMED, /malformed/],
    ["of no type", Uint8Array.of(0x81, 0xf6), MALFORMED, /malformed/],
    ["of an unknown type", Uint8Array.of(0x82, 0x18, 0x63, 0xa0), GOING_AWAY, /not greeted in time/],
    ["of another type", Uint8Array.of(0x82, 7, 0xa0), MALFORMED, /malformed/],
    ["a Credit", Uint8Array.of(0x82, 5, 1), OUT_OF_ORDER, /before the greeting/],
    ["a Hello of nothing", Uint8Array.of(0x82, HELLO, 0xa0), MALFORMED, /malformed/],
    ["an array of 2^32", Uint8Array.of(0x82, HELLO, 0xa1, 9, 0x9a, 0xff, 0xff, 0xff, 0xff), MALFORMED, /malformed/],
    ["nested deep", Uint8Array.of(0x82, ...Array.from({ length: 20_000 }, () => 0x81)), MALFORMED, /malformed/],
    ["its space, not UTF-8", changed("espace", "e\xff\xfeace"), MALFORMED, /malformed/],
    ["its space, another", changed("espace", "eSPACE"), DENIED, /another space/],
    ["of a later version", Uint8Array.of(0x82, HELLO, 0xa2, 0, 9, 1, 9, ...hello.subarray(7)), MALFORMED, /malformed/],
  ];
  for (const [name, frame, code, reason] of cases) {
    // Whoever says nothing has five seconds, and not the half minute after which a silent link ends.
    await context.test(name, { timeout: 20_000 }, async () => {
      const { socket, closed } = await connect(relay);
      if (frame !== undefined) socket.send(frame);
      const close = await closed;
      assert.equal(close.code, code, close.reason);
      assert.match(close.reason, reason);
    });
  }
});

/** Rights in many other spaces. */
function spaces(many) {
  return Object.fromEntries(Array.from(many, (_, index) => [`elsewhere-${index}`, "read"]));
}

/** What comes back for a request written as it is: clients of HTTP refuse to send some of these. */
async function ask({ port }, line, headers) {
  const lines = Object.entries({ host: "relay.example", ...headers }).map(([name, value]) => `${name}: ${value}`);
  const socket = connectTcp(port, "127.0.0.1");
  socket.end(Buffer.from(`${[`${line} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n`, "latin1"));
  const chunks = await socket.toArray();
  const text = Buffer.concat(chunks).toString();
  return { status: Number(text.split(" ")[1]), text: text.slice(text.indexOf("\r\n\r\n")) };
}

test("of many that are refused at once some are told why, and all others to come again", async (context) => {
  const place = await world(context);
  const relay = await place.relay({ variables: { JWT_KEYS: JSON.stringify([key.jwk]) } });
  const comes = () => {
    const socket = new WebSocket(`${relay.url}/v1/space`, ["eyot.v1"]);
    return new Promise((resolve) => {
      socket.on("close", (code) => resolve(code));
      socket.on("unexpected-response", (_request, response) => resolve(`status ${response.statusCode}`));
      socket.on("error", (error) => resolve(error.message));
    });
  };
  const answers = await Promise.all(Array.from({ length: 400 }, comes));
  assert.deepEqual(new Set(answers), new Set([DENIED, "status 429"]));
  // An allowance comes back with time, and nobody waits longer for it than a second.
  await eventually(async () => (await comes()) === DENIED, "somebody is told why again");
});
