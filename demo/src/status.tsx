/** What is saved where, in words; the switch that takes this replica offline; undo; how others join. */
import type { Status } from "eyot";
import { useSpace, useStatus, useUndo } from "eyot/react";
import { useState, type ReactNode } from "react";

import { Share } from "./share.js";

export function StatusBar(): ReactNode {
  const space = useSpace();
  const status = useStatus(space);
  const { undo, redo, canUndo, canRedo } = useUndo(space);
  const [isOnline, setOnline] = useState(space.online);
  const switchTo = (online: boolean): void => {
    space.setOnline(online);
    setOnline(online);
  };
  const isGood = status.error === undefined && status.state === "live" && status.unsent === 0;
  const isClosed = status.state === "closed";
  return (
    <section className="bar" aria-label="This replica">
      <label className="switch">
        <input
          id="online"
          data-testid="online"
          type="checkbox"
          role="switch"
          checked={isOnline}
          disabled={isClosed}
          onChange={({ target }) => switchTo(target.checked)}
        />
        <span className="track" aria-hidden="true" />
        <span>Online</span>
      </label>
      <p id="status" data-testid="status" role="status" aria-live="polite" data-tone={isGood ? "good" : "away"}>
        {describe(status)}
      </p>
      {/* A button that is disabled would lose the focus. */}
      <button type="button" aria-disabled={!canUndo} onClick={() => canUndo && !isClosed && undo()}>
        Undo
      </button>
      <button type="button" aria-disabled={!canRedo} onClick={() => canRedo && !isClosed && redo()}>
        Redo
      </button>
      <Share name={space.name} />
    </section>
  );
}

function describe(status: Status): string {
  const here =
    status.error?.code === "storage"
      ? "This device cannot save right now; keep this page open."
      : status.unsaved > 0
        ? "Saving on this device…"
        : "Saved on this device.";
  const region = status.relay?.region ?? "";
  const edits = status.unsent === 1 ? "1 edit waits" : `${status.unsent} edits wait`;
  switch (status.state) {
    case "live":
      return status.unsent === 0 ? `${here} Stored in ${region}.` : `${here} ${edits} to be stored in ${region}.`;
    case "syncing":
      return `${here} Catching up with ${region}…`;
    case "connecting":
      return `${here} Looking for a relay…`;
    case "denied":
      return `${here} The relay refuses: ${status.error?.message ?? "no reason given"}`;
    case "local":
      return `${here} No relay is set.`;
    case "closed":
      return `Stopped. ${status.error?.message ?? ""}`;
    case "offline":
      return status.unsent === 0 ? `${here} Offline.` : `${here} Offline: ${edits} to be sent.`;
  }
}
