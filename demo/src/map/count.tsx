/** The count that runs, and how it was checked. */
import { useEffect, useState, type ReactNode } from "react";

import type { Acknowledged } from "./acknowledged.js";
import type { Audit, Findings } from "./audit.js";
import { nameOf } from "./places.js";
import type { Site } from "./site.js";
import { useWatched } from "./watched.js";

interface Props {
  acknowledged: Acknowledged;
  audit: Audit;
  sites: readonly Site[];
}

const ON_THE_WAY_MS = 1_000;

export function Count({ acknowledged, audit, sites }: Props): ReactNode {
  const count = useWatched(acknowledged.count);
  const findings = useWatched(audit.findings);
  const areSame = useSame(sites);
  const lost = findings?.lost ?? 0;
  return (
    <section className="count" aria-label="What became of all edits">
      <dl>
        <div data-testid="acknowledged">
          <dt>acknowledged</dt>
          <dd>{count.toLocaleString("en")}</dd>
        </div>
        <div data-testid="lost" data-tone={lost === 0 ? "good" : "bad"}>
          <dt>lost</dt>
          <dd>{lost.toLocaleString("en")}</dd>
        </div>
        <div data-testid="same" data-tone={areSame ? "good" : "away"}>
          <dt>the three texts</dt>
          <dd>{areSame ? "equal" : "apart"}</dd>
        </div>
      </dl>
      <p data-testid="checked">{describe(findings)}</p>
    </section>
  );
}

function describe(findings: Findings | undefined): string {
  if (findings === undefined)
    return "Each acknowledged edit is looked up: a new, empty replica reads a region and must find all.";
  const { region, looked, found } = findings;
  const all = `${looked.toLocaleString("en")} acknowledged ${looked === 1 ? "edit" : "edits"}`;
  if (found === looked) return `A new, empty replica has just read ${nameOf(region)} and found all of ${all}.`;
  return `A new, empty replica has just read ${nameOf(region)} and found ${found.toLocaleString("en")} of ${all}.`;
}

/** Whether all show the same text. What is only on its way for a moment does not count. */
function useSame(sites: readonly Site[]): boolean {
  const [areSame, setSame] = useState(true);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = (): void => {
      if (sites.every(({ note }) => note.value.text === sites[0]!.note.value.text)) {
        clearTimeout(timer);
        timer = undefined;
        setSame(true);
      } else {
        timer ??= setTimeout(() => {
          timer = undefined;
          setSame(false);
        }, ON_THE_WAY_MS);
      }
    };
    const stops = sites.map(({ note }) => note.subscribe(look));
    look();
    return () => {
      clearTimeout(timer);
      for (const stop of stops) stop();
    };
  }, [sites]);
  return areSame;
}
