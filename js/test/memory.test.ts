/** A space that is closed gives back the memory that it took. In a file of its own, as all spaces share one memory. */
import assert from "node:assert/strict";
import { it } from "node:test";
import init from "../wasm/eyot_web_replica.js";
import { memory, openSpace } from "./eyot.js";

const TEXT = "a text that is long enough to be noticed. ".repeat(500);

const wasm = async () => init({ module_or_path: new Uint8Array() });
const bytes = async () => (await wasm()).memory.buffer.byteLength;

it("fifty spaces that were opened, filled and closed one after another take no more memory than ten", async () => {
  for (let n = 0; n < 10; n++) await useOne(n);
  const before = await bytes();
  for (let n = 10; n < 50; n++) await useOne(n);
  const grown = (await bytes()) - before;
  assert.ok(grown < 20 * TEXT.length, `${grown} bytes for 40 spaces of ${TEXT.length}`);
});

async function useOne(n: number): Promise<void> {
  const space = await openSpace(`space ${n}`, { storage: memory() });
  const doc = space.create({ text: TEXT, list: [] as number[] });
  doc.subscribe(() => undefined);
  await doc.change((draft) => void draft.list.push(n)).saved;
  await space.open(doc.id);
  await space.close();
}
