/** What an application makes of the claims of a token, before a relay is asked. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { SignJWT } from "jose";
import { admit, type Authorize } from "../src/access/admission.js";
import { Refused } from "../src/access/refused.js";
import { checkOptions } from "../src/cloudflare/options.js";

const secret = "0123456789abcdef0123456789abcdef";
const now = Math.floor(Date.now() / 1000);

const token = (claims: Record<string, unknown>): Promise<string> =>
  new SignJWT({ exp: now + 60, sub: "ada", ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(secret));

async function claimsOf(authorize: Authorize, claims: Record<string, unknown> = {}) {
  const comer = await admit(await token(claims), "notes", { secret }, false, authorize);
  return comer.claims;
}

it("it is given all that the token says, and what it returns counts", async () => {
  let given: unknown;
  const claims = await claimsOf(
    (said) => {
      given = said;
      return { sub: "team", spaces: { "*": "write" } };
    },
    { role: "editor", spaces: { notes: "read" } },
  );
  assert.deepEqual(given, { exp: now + 60, sub: "ada", role: "editor", spaces: { notes: "read" } });
  assert.deepEqual([claims.subject, claims.spaces], ["team", [["*", "write"]]]);
});

it("it can make a token live shorter, and not longer", async () => {
  const until = async (exp?: number) =>
    (await claimsOf(() => ({ sub: "ada", spaces: { notes: "read" }, ...(exp && { exp }) }))).expiresAt!;
  const asTheToken = await until();
  assert.equal(await until(now + 30), asTheToken - 30_000);
  assert.equal(await until(now + 3_600), asTheToken);
});

it("without tokens it says alone who comes in, for as long as it says", async () => {
  const open = (authorize: Authorize) => admit(undefined, "notes", "open", false, authorize);
  const { claims } = await open((said) => ({ ...said, sub: "guest", spaces: { notes: "read" } }));
  assert.deepEqual(claims, { subject: "guest", spaces: [["notes", "read"]], isRelay: false });
  await assert.rejects(
    open(() => ({ sub: "guest", spaces: { others: "read" } })),
    Refused,
  );
});

it("what it throws, and what are no claims, refuse without a word of it", async (test) => {
  test.mock.method(console, "error", () => undefined);
  for (const authorize of [
    () => assert.fail("secret"),
    async () => Promise.reject(new Error("secret")),
    () => undefined,
    () => "ada",
  ]) {
    await assert.rejects(claimsOf(authorize as unknown as Authorize), (error) => {
      assert.ok(error instanceof Refused);
      assert.deepEqual([error.code, error.message], [4004, "the application does not let you in"]);
      return true;
    });
  }
  for (const claims of [{}, { sub: "ada" }, { sub: "", spaces: {} }, { sub: "ada", spaces: { notes: "own" } }]) {
    await assert.rejects(
      claimsOf(() => claims),
      Refused,
    );
  }
});

it("it is a function, or the Worker is not set up as it should be", () => {
  assert.throws(() => checkOptions({ authorize: {} as never }), /authorize is a function/);
});
