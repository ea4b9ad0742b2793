/** The demo's regions: which are up, which of them this window is linked to, what each lacks, and buttons to kill and revive them. */
import { useSpace, useStatus } from "eyot/react";
import type { ReactNode } from "react";

import { useRegions, type Region } from "./control.js";

export function RegionList(): ReactNode {
  const { relay, behind } = useStatus(useSpace());
  const { list, isLost, act } = useRegions();
  const cutAll = (): void => {
    for (const { region, up } of list) if (up) void act(region, "kill");
  };
  return (
    <section id="regions" aria-labelledby="regions-title">
      <h2 id="regions-title">Regions</h2>
      <ul id="region-list" inert={isLost}>
        {list.map(({ region, url, up }) => {
          const state = !up ? "down" : relay?.url === url ? "up, linked" : "up";
          return (
            <li key={region} data-region={region} data-state={state}>
              <strong>{region}</strong>
              <span className="state">{state}</span>
              <span className="behind">{lacks(behind[region])}</span>
              <button
                type="button"
                aria-label={`${up ? "Kill" : "Revive"} ${region}`}
                onClick={() => void act(region, up ? "kill" : "revive")}
              >
                {up ? "Kill" : "Revive"}
              </button>
            </li>
          );
        })}
      </ul>
      <p id="region-news" role="status">
        {isLost ? "cargo xtask demo does not answer." : list.length > 0 && summary(list, relay?.region)}
      </p>
      <button id="cut" data-testid="cut" type="button" onClick={cutAll}>
        Cut all relays
      </button>
    </section>
  );
}

function summary(regions: readonly Region[], linked: string | undefined): string {
  const down = regions.filter(({ up }) => !up).map(({ region }) => region);
  const state = down.length === 0 ? "All are up" : `${down.join(" and ")} ${down.length === 1 ? "is" : "are"} down`;
  return `${state}. This window is linked to ${linked ?? "none"}.`;
}

function lacks(edits: number | undefined): string {
  if (edits === undefined) return "not heard of yet";
  if (edits === 0) return "has all your edits";
  return edits === 1 ? "1 edit behind" : `${edits} edits behind`;
}
