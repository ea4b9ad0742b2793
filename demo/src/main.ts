/** The page: a note, a task list and who is here, all in one space. */
import { EyotError, openSpace, type Space } from "eyot";

import { showNote } from "./note.js";
import { showPeople } from "./people.js";
import { showStatus } from "./status.js";
import { showTasks } from "./tasks.js";

declare global {
  interface Window {
    eyotSpace?: Space;
  }
}

const problem = document.querySelector<HTMLElement>("#problem")!;
const params = new URLSearchParams(location.search);
const relays = params.getAll("relay").flatMap((list) => list.split(","));
const configured = String(import.meta.env.VITE_RELAYS ?? "").split(",");

try {
  const name = params.get("space") ?? "demo";
  const addresses = (relays.length > 0 ? relays : configured).filter((url) => url !== "");
  const space = await openSpace(name, { relays: addresses });
  window.eyotSpace = space;
  showStatus(space);
  await Promise.all([showNote(space), showTasks(space), showPeople(space)]);
  document.querySelector("main")!.hidden = false;
} catch (error) {
  problem.hidden = false;
  problem.textContent = explain(error);
}

if ("serviceWorker" in navigator && import.meta.env.PROD) {
  void navigator.serviceWorker.register(new URL("/sw.js", location.href));
}

function explain(error: unknown): string {
  if (!(error instanceof EyotError)) return `The page could not start: ${String(error)}`;
  switch (error.code) {
    case "wasm":
      return `This browser could not start eyot's WebAssembly. ${error.message}`;
    case "storage":
    case "corrupt":
      return `What is kept on this device cannot be read. ${error.message}`;
    default:
      return error.message;
  }
}
