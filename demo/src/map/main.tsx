/** The map page: opens the three replicas of this page, each with its own store and its own way to the relays. */
import { EyotError } from "eyot";
import { createRoot } from "react-dom/client";
import type { ReactNode } from "react";

import { randomId } from "../id.js";
import { Acknowledged } from "./acknowledged.js";
import { Audit } from "./audit.js";
import { Ghost } from "./ghost.js";
import { Page } from "./page.js";
import { PLACES } from "./places.js";
import { askRegions, HAS_CONTROL, type Region } from "../control.js";
import { openSite, type Site } from "./site.js";

declare global {
  interface Window {
    eyotSites?: readonly Site[];
  }
}

/** Where this browser keeps the name of its space: another for everybody who opens the page. */
const NAME_KEY = "eyot-map";

const root = createRoot(document.querySelector("#map")!);

try {
  root.render(HAS_CONTROL ? await open(await askRegions()) : <NoRelays />);
} catch (error) {
  root.render(<Problem error={error} />);
}

async function open(regions: readonly Region[]): Promise<ReactNode> {
  const name =
    new URLSearchParams(location.search).get("space") ?? localStorage.getItem(NAME_KEY) ?? `map-${randomId()}`;
  localStorage.setItem(NAME_KEY, name);
  const acknowledged = new Acknowledged();
  const sites = await Promise.all(PLACES.map((place) => openSite(place, name, regions, acknowledged)));
  window.eyotSites = sites;
  const ghost = new Ghost(sites);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) ghost.start();
  /** Nothing of this space stays on this device. */
  const startOver = async (): Promise<void> => {
    ghost.stop();
    await Promise.all(sites.map(({ space }) => space.destroy({ force: true })));
    localStorage.removeItem(NAME_KEY);
    location.assign(location.pathname);
  };
  const audit = new Audit(acknowledged, sites);
  return <Page {...{ sites, regions, acknowledged, audit, ghost, startOver }} />;
}

function NoRelays(): ReactNode {
  return (
    <section className="problem" role="alert">
      <h2>The map needs three relays</h2>
      <p>
        These pages came from a plain web host, and the regions that you would cut off and kill here are programs. Start
        them and this page on your machine: <code>cargo xtask demo</code> in the repository of eyot.
      </p>
      <p>
        <a href="./">The application</a> works here as it is, in as many tabs as you like.
      </p>
    </section>
  );
}

function Problem({ error }: { error: unknown }): ReactNode {
  const isAlone = error instanceof TypeError;
  return (
    <section className="problem" role="alert">
      <h2>The map could not start</h2>
      <p>
        {isAlone
          ? "The relays of this page do not answer: cargo xtask demo has ended."
          : error instanceof EyotError
            ? error.message
            : String(error)}{" "}
        What was saved is safe.
      </p>
      <button type="button" onClick={() => location.reload()}>
        Reload
      </button>
    </section>
  );
}
