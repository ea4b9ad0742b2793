/** A replica and its region: the editor, how soon an edit is where, the switch that takes it offline, and the red buttons. */
import type { Status } from "eyot";
import { useStatus } from "eyot/react";
import { useState, type CSSProperties, type ReactNode } from "react";

import { Editor } from "./editor.js";
import { nameOf } from "./places.js";
import type { Deed, Region } from "../control.js";
import type { Site } from "./site.js";
import type { Stopwatch } from "./stopwatch.js";
import { useWatched } from "./watched.js";

interface Props {
  site: Site;
  region: Region | undefined;
  isHaunted: boolean;
  onWrite: () => void;
  act: (site: Site, deed: Deed) => Promise<void>;
  tell: (news: string) => void;
}

export function Replica({ site, region, isHaunted, onWrite, act, tell }: Props): ReactNode {
  const { place, space } = site;
  const status = useStatus(space);
  const title = `replica-${place.region}`;
  const isOnline = space.online;
  const switchTo = (online: boolean): void => {
    space.setOnline(online);
    tell(`${place.name} is ${online ? "online" : "offline"}.`);
  };
  return (
    <article
      className="replica"
      aria-labelledby={title}
      data-place={place.region}
      data-online={isOnline}
      style={{ "--place": place.color } as CSSProperties}
    >
      <header>
        <h2 id={title}>{place.name}</h2>
        {isHaunted && <span className="haunted">ghost writes</span>}
        <label className="switch">
          <input
            type="checkbox"
            role="switch"
            checked={isOnline}
            aria-label={`${place.name} online`}
            onChange={({ target }) => switchTo(target.checked)}
          />
          <span className="track" aria-hidden="true" />
          <span aria-hidden="true">{isOnline ? "Online" : "Offline"}</span>
        </label>
      </header>
      <Editor site={site} onWrite={onWrite} />
      <dl className="times">
        <Time what="to disk" watch={site.disk} />
        <Time what="to a relay" watch={site.relay} />
        <Time what="to 2 regions" watch={site.second} />
      </dl>
      <p className="link" data-tone={status.state === "live" ? "good" : "away"}>
        {describe(status)}
      </p>
      <RegionRow site={site} region={region} act={act} />
    </article>
  );
}

function Time({ what, watch }: { what: string; watch: Stopwatch }): ReactNode {
  const { ms, isWaiting } = useWatched(watch.reading);
  return (
    <div data-waiting={isWaiting}>
      <dt>{what}</dt>
      <dd>{ms === undefined ? "–" : `${Math.round(ms)} ms`}</dd>
    </div>
  );
}

function RegionRow({ site, region, act }: Pick<Props, "site" | "region" | "act">): ReactNode {
  const [isBusy, setBusy] = useState(false);
  const { name } = site.place;
  const run = (deed: Deed): void => {
    // A button that is disabled would lose the focus.
    if (isBusy || region === undefined) return;
    setBusy(true);
    void act(site, deed).finally(() => setBusy(false));
  };
  const isUp = region?.up === true;
  return (
    <div className="region" data-up={isUp} role="group" aria-label={`Region ${name}`}>
      <span>{region === undefined ? "Region unknown" : isUp ? "Region is up" : "Region is down"}</span>
      <button
        type="button"
        className={isUp ? "kill" : "revive"}
        aria-disabled={isBusy || region === undefined}
        aria-label={`${isUp ? "Kill" : "Revive"} region ${name}`}
        onClick={() => run(isUp ? "kill" : "revive")}
      >
        {isUp ? "Kill" : "Revive"}
      </button>
      <button
        type="button"
        className="wipe"
        aria-disabled={isBusy || region === undefined}
        aria-label={`Wipe region ${name}`}
        onClick={() => run("wipe")}
      >
        Wipe
      </button>
    </div>
  );
}

function describe({ state, relay, unsent, error }: Status): string {
  if (error?.code === "storage") return "This device cannot save right now.";
  const waits = unsent === 0 ? "" : unsent === 1 ? " 1 edit waits." : ` ${unsent} edits wait.`;
  const region = relay === undefined ? "" : nameOf(relay.region);
  switch (state) {
    case "live":
      return `Linked to ${region}, ${Math.round(relay?.rttMs ?? 0)} ms there and back.${waits}`;
    case "syncing":
      return `Catching up with ${region}.${waits}`;
    case "connecting":
      return `Looking for a relay.${waits}`;
    case "closed":
      return "Closed.";
    default:
      return `Offline.${waits || " Write on: it is kept here."}`;
  }
}
