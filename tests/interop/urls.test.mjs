/** Document URLs are automerge-repo's. Run alone: node --test tests/interop/urls.test.mjs */
import {
  generateAutomergeUrl,
  isValidAutomergeUrl,
  parseAutomergeUrl,
  stringifyAutomergeUrl,
} from "@automerge/automerge-repo";
import assert from "node:assert/strict";
import { it } from "node:test";
import { memory, openSpace } from "eyot";

it("eyot's URLs are valid to automerge-repo and written the same", async () => {
  const space = await openSpace("urls", { storage: memory() });
  const docs = [...Array.from({ length: 20 }, () => space.create({})), await space.named("named", {})];
  for (const doc of docs) {
    assert.ok(isValidAutomergeUrl(doc.url), doc.url);
    const { documentId, binaryDocumentId } = parseAutomergeUrl(doc.url);
    assert.equal(documentId, doc.id);
    assert.equal(binaryDocumentId.length, 16);
    assert.equal(stringifyAutomergeUrl(binaryDocumentId), doc.url);
  }
  await space.close();
});

it("automerge-repo's URLs are ids to eyot, and a mistyped one is not", async () => {
  const space = await openSpace("urls", { storage: memory() });
  for (let n = 0; n < 20; n++) {
    const url = generateAutomergeUrl();
    await assert.rejects(space.open(url), { code: "not-found" });
    const mistyped = url.slice(0, -1) + (url.endsWith("x") ? "y" : "x");
    await assert.rejects(space.open(mistyped), { code: "invalid" });
  }
  await space.close();
});
