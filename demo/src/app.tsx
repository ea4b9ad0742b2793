/** The page, once its space is open. */
import { useSpace, useStatus } from "eyot/react";
import { Suspense, type ReactNode } from "react";

import { Board } from "./board.js";
import { HAS_CONTROL } from "./control.js";
import { Inside } from "./inside.js";
import { DirectLinks } from "./links.js";
import { Note } from "./note.js";
import { People } from "./people.js";
import { Problem } from "./problem.js";
import { RegionList } from "./regions.js";
import { StatusBar } from "./status.js";
import { Tasks } from "./tasks.js";

/** `hasOwnRelays`: the page's address names them, so those of `cargo xtask demo` are not meant. */
export function App({ hasOwnRelays }: { hasOwnRelays: boolean }): ReactNode {
  const { state, error } = useStatus(useSpace());
  const isClosed = state === "closed";
  return (
    <>
      <header>
        <div>
          <h1>eyot</h1>
          <p className="lead">Write together. Go offline. Nothing is lost.</p>
        </div>
        <nav>
          <a href="./map.html">Three replicas on a map</a>
        </nav>
        <People />
      </header>
      <StatusBar />
      {HAS_CONTROL && !hasOwnRelays && <RegionList />}
      <DirectLinks />
      {isClosed && <Problem>{error?.message ?? "The space was closed."}</Problem>}
      <Suspense fallback={<p>Opening…</p>}>
        <main inert={isClosed}>
          <Note />
          <Tasks />
          <Board />
        </main>
      </Suspense>
      <Inside />
      <footer>
        <p>
          Every window is a replica of its own. It keeps what you write on this device at once, and a relay passes it on
          when there is a network. Turn the switch off, or the network, and reload: it is all still here.
        </p>
      </footer>
    </>
  );
}
