/** Carets in texts: what an editor shows of its own by presence, and what others show. */
import { EyotError } from "../base/error.js";
import type { Cursor, Presence } from "../space/types.js";
import type { Json } from "../value/value.js";

/** The key of what is shown that holds the caret. */
const PART = "caret";
const NAME_MAX = 40;
/** Further changes of a caret are shown together; others get four in a second anyway. */
const PAUSE_MS = 40;

/** Each is seen well on white and on black, and white is read well on it. */
export const COLORS = ["#c2410c", "#a16207", "#4d7c0f", "#047857", "#0e7490", "#2563eb", "#7c3aed", "#be185d"] as const;

/** Somebody's caret in a text. */
export interface Caret {
  readonly id: string;
  /** Empty: they have not said. */
  readonly name: string;
  readonly color: string;
  readonly anchor: Cursor;
  readonly head: Cursor;
}

/** The carets of others, of what they show, which may be anything. */
export function caretsOf(others: ReadonlyMap<string, Json>): Caret[] {
  const carets: Caret[] = [];
  for (const [id, state] of others) {
    const { [PART]: caret, name, color } = fields(state);
    const { anchor, head = anchor } = fields(caret);
    if (typeof anchor !== "string" || typeof head !== "string") continue;
    carets.push({
      id,
      name: typeof name === "string" ? [...name.trim()].slice(0, NAME_MAX).join("") : "",
      color: typeof color === "string" && /^#[0-9a-f]{6}$/i.test(color) ? color : colorOf(id),
      anchor,
      head,
    });
  }
  return carets;
}

/** Black or white: what is read better on that colour. */
export function textColorOn(color: string): "#000" | "#fff" {
  return luminance(color) > 0.179 ? "#000" : "#fff";
}

/** The relative luminance of a colour, as accessibility guidelines have it. */
export function luminance(color: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Which editor of a page has the caret that its process shows: it has one. */
const owners = new WeakMap<Presence, OwnCaret>();

/** The caret of one editor, as others see it. */
export class OwnCaret {
  readonly #presence: Presence;
  readonly #read: () => { anchor: Cursor; head: Cursor } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #shown = "";

  /** `read` says where the caret is; undefined: it is not here. */
  constructor(presence: Presence, read: () => { anchor: Cursor; head: Cursor } | undefined) {
    this.#presence = presence;
    this.#read = read;
  }

  /** It may be elsewhere now. */
  moved(): void {
    this.#timer ??= setTimeout(() => this.#show(this.#read()), PAUSE_MS);
  }

  stop(): void {
    this.#show(undefined);
    clearTimeout(this.#timer);
  }

  #show(caret: { anchor: Cursor; head: Cursor } | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const isOwner = owners.get(this.#presence) === this;
    if (caret === undefined && !isOwner) return;
    const state = caret && (caret.head === caret.anchor ? { anchor: caret.anchor } : caret);
    const shown = JSON.stringify(state ?? null);
    if (isOwner && shown === this.#shown) return;
    try {
      this.#presence.setPart(PART, state);
    } catch (error) {
      // A space that is closed shows nothing, and neither does one whose application fills all that may be shown.
      if (!(error instanceof EyotError)) throw error;
      return;
    }
    this.#shown = shown;
    if (caret === undefined) owners.delete(this.#presence);
    else owners.set(this.#presence, this);
  }
}

/** Of those that one sees well, the same for a process at all replicas. */
function colorOf(id: string): string {
  return COLORS[Number.parseInt(id.slice(-4), 16) % COLORS.length] ?? COLORS[0];
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
