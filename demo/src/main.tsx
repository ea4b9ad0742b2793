/** The application page: a note, tasks and a board, and who is here, all in one space. */
import { openSpace, type Space } from "eyot";
import { SpaceProvider } from "eyot/react";
import { createRoot } from "react-dom/client";

import { App } from "./app.js";
import { Boundary } from "./problem.js";

declare global {
  interface Window {
    eyotSpace?: Space;
  }
}

const params = new URLSearchParams(location.search);
// A link must not send what this device holds to just anybody's relay.
const named = params.getAll("relay").filter(isLocal);
const configured = String(import.meta.env.VITE_RELAYS ?? "").split(",");
const relays = (named.length > 0 ? named : configured).filter((url) => url !== "");

async function open(): Promise<Space> {
  const space = await openSpace(params.get("space") ?? "demo", { relays, peerToPeer: true });
  window.eyotSpace = space;
  return space;
}

createRoot(document.querySelector("#app")!).render(
  <Boundary>
    <SpaceProvider open={open} fallback={<p>Opening…</p>}>
      <App hasOwnRelays={named.length > 0} />
    </SpaceProvider>
  </Boundary>,
);

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
