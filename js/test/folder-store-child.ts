/** Opens the folder in a process of its own, to be killed. */
import { FolderStore } from "../src/storage/folder-store.js";
import { EyotError } from "../src/base/error.js";

const [place, task] = process.argv.slice(2) as [string, string];
const text = (string: string) => new TextEncoder().encode(string);

try {
  const store = await FolderStore.open(place);
  process.send!("open");
  if (task === "write") {
    const [last] = await store.get([text("last")]);
    for (let number = Number(last === undefined ? 0 : new TextDecoder().decode(last)) + 1; ; number++) {
      await store.write({
        puts: [
          [text(`n${number}`), text("x".repeat(number % 4000))],
          [text("last"), text(`${number}`)],
        ],
        deletes: [],
      });
      process.send!(number);
    }
  }
  process.on("message", () => undefined);
} catch (error) {
  process.send!(error instanceof EyotError ? error.code : String(error));
}
