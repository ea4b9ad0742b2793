/** The page: the count, the map, and the three replicas side by side below it. */
import { useCallback, useEffect, useState, type ReactNode } from "react";

import type { Acknowledged } from "./acknowledged.js";
import type { Audit } from "./audit.js";
import { Count } from "./count.js";
import { cutWriteMerge, step, type Step } from "./experiment.js";
import type { Ghost } from "./ghost.js";
import { useRegions, type Deed, type Region } from "../control.js";
import { Replica } from "./replica.js";
import type { Site } from "./site.js";
import { useWatched } from "./watched.js";
import { World } from "./world.js";

interface Props {
  sites: readonly Site[];
  regions: readonly Region[];
  acknowledged: Acknowledged;
  audit: Audit;
  ghost: Ghost;
  startOver: () => Promise<void>;
}

const STEPS: Readonly<Record<Step, string>> = {
  cut: "Virginia and Singapore are cut off.",
  writing: "All three write, each for itself.",
  apart: "Three texts now, and nobody had to wait.",
  merging: "The two come back: watch them merge.",
};
const DONE: Readonly<Record<Deed, string>> = {
  kill: "was killed. Its replica looks for another relay.",
  revive: "is back, and is told what it missed.",
  wipe: "lost its disk. The others give everything back to it.",
};

export function Page({ sites, regions: first, acknowledged, audit, ghost, startOver }: Props): ReactNode {
  const { list, isLost, act } = useRegions(first);
  const haunted = useWatched(ghost.place);
  const isHaunting = useWatched(ghost.isOn);
  const running = useWatched(step);
  const [news, tell] = useState("");
  useEffect(() => void (audit.regions = list), [audit, list]);

  const onWrite = useCallback(() => ghost.someoneWrites(), [ghost]);
  const onDeed = useCallback(
    async ({ place }: Site, deed: Deed) => {
      await act(place.region, deed);
      tell(`Region ${place.name} ${DONE[deed]}`);
    },
    [act],
  );
  const experiment = (): void => {
    ghost.stop();
    tell("");
    void cutWriteMerge(sites);
  };
  return (
    <>
      <Count acknowledged={acknowledged} audit={audit} sites={sites} />
      <section className="acts" aria-label="Try it">
        <button type="button" className="main-act" aria-disabled={running !== undefined} onClick={experiment}>
          Cut two, write in all, reconnect
        </button>
        <button type="button" onClick={() => (isHaunting ? ghost.stop() : ghost.start())}>
          {isHaunting ? "Stop the ghost" : "Let the ghost write"}
        </button>
        <button type="button" onClick={() => void startOver()}>
          Start over
        </button>
        <p role="status" data-testid="news">
          {isLost ? "cargo xtask demo does not answer." : running !== undefined ? STEPS[running] : news}
        </p>
      </section>
      <World sites={sites} regions={list} />
      <main className="replicas">
        {sites.map((site) => (
          <Replica
            key={site.place.region}
            site={site}
            region={list.find(({ region }) => region === site.place.region)}
            isHaunted={haunted === site.place.region}
            onWrite={onWrite}
            act={onDeed}
            tell={tell}
          />
        ))}
      </main>
    </>
  );
}
