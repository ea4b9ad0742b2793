/** Direct links to other windows and devices: which there are, and how two meet by texts that people carry. */
import type { LinkInfo } from "eyot";
import { useSpace, useStatus } from "eyot/react";
import { useEffect, useState, type ReactNode } from "react";

import { Meet } from "./meet.js";

const LOOK_EVERY_MS = 2_000;

export function DirectLinks(): ReactNode {
  const space = useSpace();
  const status = useStatus(space);
  const [, lookAgain] = useState(0);
  useEffect(() => {
    // How fast and how much a link is, is told to who asks.
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") lookAgain((count) => count + 1);
    }, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const all = status.state === "closed" ? [] : space.links();
  const direct = all.filter(({ to }) => to === "replica").length;
  return (
    <section id="direct" aria-labelledby="direct-title">
      <h2 id="direct-title">Direct links</h2>
      <p id="links" data-testid="links" role="status" data-tone={direct === 0 ? "away" : "good"}>
        {summary(direct)}
      </p>
      <ul id="badges" data-testid="badges" aria-label="All links of this window">
        {all.map((link, at) => (
          <li key={at} data-to={link.to}>
            {describe(link)}
          </li>
        ))}
      </ul>
      <Meet links={direct} />
    </section>
  );
}

function summary(count: number): string {
  if (count === 0) return "None yet. Open this page in another browser, or invite somebody.";
  return count === 1 ? "Linked directly to one other." : `Linked directly to ${count} others.`;
}

/** With whom, how far, and how much has gone over it. */
function describe({ to, via, region, rttMs, bytesIn, bytesOut, right }: LinkInfo): string {
  const whom = to === "relay" ? `Relay ${region ?? ""}${via === "tab" ? ", by another tab" : ""}` : "Direct";
  const far = rttMs > 0 ? ` ${Math.round(rttMs)} ms` : "";
  const reads = right === "read" ? ", one way" : "";
  const much = via === "tab" ? "" : `, ${size(bytesIn)} in, ${size(bytesOut)} out`;
  return `${whom}${far}${much}${reads}`;
}

function size(bytes: number): string {
  return bytes < 1_000 ? `${bytes} B` : `${Math.round(bytes / 1_000)} kB`;
}
