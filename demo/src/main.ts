/** The page: a note, a task list and who is here, all in one space. */
import { EyotError, openSpace, type Space } from "eyot";

import { showInside } from "./inside.js";
import { showLinks } from "./links.js";
import { showNote } from "./note.js";
import { showPeople } from "./people.js";
import { showRegions } from "./regions.js";
import { showStatus } from "./status.js";
import { showTasks } from "./tasks.js";

declare global {
  interface Window {
    eyotSpace?: Space;
  }
}

const problem = document.querySelector<HTMLElement>("#problem")!;
const params = new URLSearchParams(location.search);
// A link must not send what this device holds to just anybody's relay.
const relays = params.getAll("relay").filter(isLocal);
const configured = String(import.meta.env.VITE_RELAYS ?? "").split(",");
// Where the regions of `cargo xtask demo` are started and ended.
const control = String(import.meta.env.VITE_CONTROL ?? "");

try {
  const name = params.get("space") ?? "demo";
  const addresses = (relays.length > 0 ? relays : configured).filter((url) => url !== "");
  const space = await openSpace(name, { relays: addresses, peerToPeer: true });
  window.eyotSpace = space;
  space.subscribe((status) => {
    if (status.state === "closed") stop(status.error?.message ?? "The space was closed.");
  });
  showStatus(space);
  if (control !== "" && relays.length === 0) showRegions(space, control);
  showLinks(space);
  showPeople(space);
  showInside(space);
  await Promise.all([showNote(space), showTasks(space)]);
  document.querySelector("main")!.hidden = false;
} catch (error) {
  stop(explain(error));
}

if ("serviceWorker" in navigator && import.meta.env.PROD) {
  // Without it the page works as long as there is a network.
  navigator.serviceWorker.register(new URL("sw.js", document.baseURI)).catch((error) => console.warn(error));
}

/** An address that is none is kept, for `openSpace` to say what is wrong with it. */
function isLocal(url: string): boolean {
  try {
    return ["127.0.0.1", "localhost"].includes(new URL(url).hostname);
  } catch {
    return true;
  }
}

/** Nothing more can be written: say so, rather than lose what is typed. */
function stop(reason: string): void {
  document.querySelector("main")!.inert = true;
  document.querySelector("#status")!.textContent = "Stopped.";
  problem.hidden = false;
  problem.textContent = `${reason} What was saved is safe. `;
  const reload = Object.assign(document.createElement("button"), { type: "button", textContent: "Reload" });
  reload.addEventListener("click", () => location.reload());
  problem.append(reload);
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
