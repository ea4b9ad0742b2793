/** A picture of the space: this replica, its relays by region, replicas that it is linked to, who is here, and what waits. */
import type { LinkInfo, Space } from "../space/types.js";
import { draw } from "./dom.js";
import { many, milliseconds } from "./format.js";

const WIDTH = 380;
/** Where the middle of a column is, from its side. */
const COLUMN = 60;
const X = WIDTH / 2;
const [HEIGHT_MIN, ROW_HEIGHT] = [170, 64];
const AT_MOST = 8;

interface Node {
  readonly name: string;
  readonly what: string;
  readonly isRelay: boolean;
  readonly isUp: boolean;
  /** Commits of this replica that are not there yet. */
  readonly waits: number;
}

export class Picture {
  readonly element = draw("svg", { role: "img" });
  #drawn = "";

  constructor(readonly space: Space) {}

  show(): void {
    const { status, presence } = this.space;
    const links = status.state === "closed" ? [] : this.space.links();
    const relays = relaysOf(links, status.behind, status.state);
    const replicas = replicasOf(links);
    const text = JSON.stringify([relays, replicas, status.unsaved, status.unsent, presence.others.size]);
    if (text === this.#drawn) return;
    this.#drawn = text;
    const rows = Math.min(Math.max(relays.length, replicas.length), AT_MOST);
    const height = Math.max(HEIGHT_MIN, ROW_HEIGHT * rows);
    const waits = status.unsaved > 0 ? `${status.unsaved} to disk` : "";
    this.element.setAttribute("aria-label", describe(relays, replicas, presence.others.size, status.unsaved));
    this.element.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
    this.element.replaceChildren(
      ...column(relays, COLUMN, height),
      ...column(replicas, WIDTH - COLUMN, height),
      draw("circle", { cx: String(X), cy: String(height / 2), r: "34", class: "me" }),
      label(X, height / 2 + 4, "here"),
      label(X, height / 2 + 52, waits, "waits"),
      label(X, height - 8, `${many(presence.others.size, "other is", "others are")} here`, "what"),
    );
  }
}

/** Each region that is known, linked to or not. */
function relaysOf(links: readonly LinkInfo[], behind: Readonly<Record<string, number>>, state: string): Node[] {
  const linked = links.filter(({ to }) => to === "relay");
  const names = new Set([...linked.map(({ region = "" }) => region), ...Object.keys(behind)]);
  return [...names].sort().map((name) => {
    const link = linked.find(({ region = "" }) => region === name);
    const far = link === undefined ? "" : link.via === "tab" ? "by another tab" : milliseconds(link.rttMs);
    const what = link === undefined ? (state === "live" ? "by other relays" : "not linked") : far;
    return {
      name: name === "" ? "relay" : name,
      what,
      isRelay: true,
      isUp: link !== undefined,
      waits: behind[name] ?? 0,
    };
  });
}

function replicasOf(links: readonly LinkInfo[]): Node[] {
  const direct = links.filter(({ to }) => to === "replica");
  return direct.map(({ via, rttMs, right }) => ({
    name: right === "read" ? "one way" : "replica",
    what: `${via} ${milliseconds(rttMs)}`.trim(),
    isRelay: false,
    isUp: true,
    waits: 0,
  }));
}

function column(nodes: readonly Node[], x: number, height: number): SVGElement[] {
  const shown = nodes.slice(0, AT_MOST);
  const step = height / (shown.length + 1);
  return shown.flatMap(({ name, what, isRelay, isUp, waits }, index) => {
    const y = step * (index + 1);
    const kind = isUp ? "up" : "away";
    const place = isRelay
      ? draw("rect", { x: String(x - 36), y: String(y - 16), width: "72", height: "32", rx: "6", class: kind })
      : draw("circle", { cx: String(x), cy: String(y), r: "16", class: kind });
    // Between the two columns there is room: names stand inside a relay, and beside a replica.
    const line = { x1: String(x), y1: String(y), x2: String(X), y2: String(height / 2), class: kind };
    const middle = { x: x + (X - x) * 0.45, y: y + (height / 2 - y) * 0.45 };
    return [
      draw("line", line),
      place,
      isRelay ? label(x, y + 4, name) : label(x, y + 30, name),
      label(x, isRelay ? y + 30 : y + 43, what, "what"),
      label(middle.x, middle.y - 6, waits > 0 ? `${waits} ${isUp ? "on the way" : "waiting"}` : "", "waits"),
    ];
  });
}

function label(x: number, y: number, text: string, kind = ""): SVGTextElement {
  return draw("text", { x: String(x), y: String(y), class: kind }, text);
}

/** The same in words. */
function describe(relays: readonly Node[], replicas: readonly Node[], others: number, unsaved: number): string {
  const parts = relays.map(({ name, isUp, waits }) => {
    const lacks = waits > 0 ? `, ${many(waits, "commit")} ${isUp ? "on the way" : "waiting"}` : "";
    return `region ${name} ${isUp ? "linked" : "not linked from here"}${lacks}`;
  });
  parts.push(many(replicas.length, "direct link"), many(others, "other is here", "others are here"));
  if (unsaved > 0) parts.push(`${many(unsaved, "commit")} not on this disk yet`);
  return `This replica: ${parts.join("; ")}.`;
}
