/** What is saved where, in words; the switch that takes this replica offline; the link to share. */
import type { Space, Status } from "eyot";

import { copy } from "./copy.js";

export function showStatus(space: Space): void {
  const line = document.querySelector<HTMLElement>("#status")!;
  const online = document.querySelector<HTMLInputElement>("#online")!;
  const share = document.querySelector<HTMLButtonElement>("#share")!;
  online.checked = space.online;
  online.addEventListener("change", () => space.setOnline(online.checked));
  share.addEventListener("click", () => {
    const url = new URL(location.href);
    url.searchParams.set("space", space.name);
    void copy(url.href).then((isCopied) => {
      share.textContent = isCopied ? "Copied: open it in another window" : url.href;
    });
  });
  const show = (status: Status): void => {
    const text = describe(status);
    if (line.textContent !== text) line.textContent = text;
    line.dataset["tone"] = status.error ? "away" : status.state === "live" && status.unsent === 0 ? "good" : "away";
  };
  space.subscribe(show);
  show(space.status);
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
      return `Closed. ${status.error?.message ?? ""}`;
    case "offline":
      return status.unsent === 0 ? `${here} Offline.` : `${here} Offline: ${edits} to be sent.`;
  }
}
