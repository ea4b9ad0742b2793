/** Links with their traffic, and who is here. */
import type { LinkInfo, Space } from "../space/types.js";
import { fillRow, list, make, type Panel, row, say, table } from "./dom.js";
import { bytes, milliseconds, short, value } from "./format.js";

export class Links implements Panel {
  readonly title = "Links";
  readonly element: HTMLElement;
  readonly #table = table("Links that are up", "To", "By", "Round trip", "Received", "Sent", "Right");
  #before: { at: number; links: readonly LinkInfo[] } | undefined;

  constructor(readonly space: Space) {
    this.element = make("div", {}, this.#table.element);
  }

  show(): void {
    const links = this.space.status.state === "closed" ? [] : this.space.links();
    const before = this.#before;
    const now = performance.now();
    const seconds = before === undefined ? 0 : (now - before.at) / 1000;
    list(
      this.#table.body,
      links.map((link, index) => ({ link, index, earlier: before?.links[index] })),
      // Links have no names: one that comes or goes moves those behind it.
      ({ index }) => String(index),
      () => row(6),
      (element, { link, earlier }) => {
        const { to, region, via, rttMs, bytesIn, bytesOut, right } = link;
        const isSame = earlier !== undefined && earlier.to === to && earlier.region === region && earlier.via === via;
        const traffic = (all: number, past: number | undefined): string => {
          if (via === "tab") return "not known here";
          const fresh = isSame && past !== undefined && all > past && seconds > 0 ? (all - past) / seconds : 0;
          return fresh < 1 ? bytes(all) : `${bytes(all)} (${bytes(Math.round(fresh))}/s)`;
        };
        const name = to === "relay" ? `relay ${region ?? ""}`.trim() : "replica";
        fillRow(
          element,
          name,
          via === "tab" ? "another tab" : via,
          milliseconds(rttMs),
          traffic(bytesIn, earlier?.bytesIn),
          traffic(bytesOut, earlier?.bytesOut),
          right,
        );
      },
    );
    say(this.#table.empty, links.length === 0 ? "There is no link: this replica is on its own." : "");
    // A rate over less than a second says little.
    if (seconds === 0 || seconds >= 1) this.#before = { at: now, links };
  }

  close(): void {}
}

export class People implements Panel {
  readonly title = "Who is here";
  readonly element: HTMLElement;
  readonly #table = table("What others show of themselves", "Process", "State");

  constructor(readonly space: Space) {
    this.element = this.#table.element;
  }

  show(): void {
    const others = [...this.space.presence.others];
    list(
      this.#table.body,
      others,
      ([id]) => id,
      () => row(2),
      (element, [id, state]) => fillRow(element, short(id), value(state).replace(/\s+/g, " ")),
    );
    say(this.#table.empty, others.length === 0 ? "Nobody else shows anything." : "");
  }

  close(): void {}
}
