/** A replica in a thread of its own: it answers "ping" with "pong". */
import { parentPort } from "node:worker_threads";
import { memory, openSpace } from "./eyot.js";

const space = await openSpace("peers", { storage: memory() });
const doc = await space.named<{ list: string[] }>("note", { list: [] });
doc.subscribe(({ list }) => {
  if (list.includes("ping") && !list.includes("pong")) doc.change(({ list }) => void list.push("pong"));
});
parentPort!.on("message", (message: MessagePort | "close") => {
  if (message !== "close") space.connect(message);
  else void space.close().then(() => parentPort!.close());
});
