import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directory, openSpace } from "./eyot.js";
type Any = any;
const folder = await mkdtemp(join(tmpdir(), "eyot-measure-"));
const N = Number(process.argv[2] ?? 10000);
const ms = (from: number) => (performance.now() - from).toFixed(1);
let t = performance.now();
let space = await openSpace("m", { storage: directory(folder) });
console.log("open empty", ms(t));
t = performance.now();
for (let n = 0; n < N; n++) {
  const doc = space.create<Any>({ n, type: n % 3 === 0 ? "task" : "note", title: `document ${n}`, done: false });
  doc.close();
  if (n % 500 === 499) await space.saved();
}
await space.saved();
console.log("create", ms(t));
t = performance.now();
let query = space.query<Any>({ where: { type: "task" }, orderBy: "n", limit: 20 });
await query.ready;
console.log("first query, no views", ms(t), query.results.length);
t = performance.now();
await space.close();
console.log("close", ms(t));
for (let round = 0; round < 3; round++) {
  t = performance.now();
  space = await openSpace("m", { storage: directory(folder) });
  console.log("open again", ms(t));
  t = performance.now();
  console.log("documents()", space.documents().length, ms(t));
  t = performance.now();
  query = space.query<Any>({ where: { type: "task" }, orderBy: "n", limit: 20 });
  await query.ready;
  console.log("query from views", ms(t), query.results.length);
  t = performance.now();
  const all = space.query<Any>({ where: ({ done }) => !done, orderBy: "title" });
  console.log("second query", ms(t), all.results.length);
  const doc = await space.open<Any>(query.results[3]!.id);
  const times: number[] = [];
  for (let n = 0; n < 50; n++) {
    const from = performance.now();
    doc.change((draft) => void (draft.n = -n - round * 100));
    if (query.results[0]!.value.n !== -n - round * 100 && n > 0) throw new Error("not first");
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  console.log("a change, with two queries: p50", times[25]!.toFixed(2), "max", times[49]!.toFixed(2));
  t = performance.now();
  await space.close();
  console.log("close", ms(t));
}
await rm(folder, { recursive: true });
