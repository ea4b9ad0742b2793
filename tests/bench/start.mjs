// A process that has never seen the package: prints the milliseconds from `import` to its first change.

import { performance } from "node:perf_hooks";

const started = performance.now();
const { memory, openSpace } = await import("eyot");
const space = await openSpace("start", { storage: memory() });
space.create({ count: 0 }).change((draft) => (draft.count = 1));
console.log(performance.now() - started);
await space.close();
