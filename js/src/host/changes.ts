/**
 * `GET /v1/SPACE/changes`: what is stored, for servers, a page at a time. A page is read from the store alone, so the
 * relay of the space need not run. Whoever may read the space may ask, and pays what links pay for what is read.
 */
import type { RelayClaims } from "../../wasm/eyot_web_relay.js";
import { Refused } from "../access/refused.js";
import { CLOSE_EXPIRED, CLOSE_GOING_AWAY } from "../base/close-codes.js";
import { changesPage, type SyncStore } from "./instance.js";

/** Commits of a page: at most, and where nothing is said. The first is the core's. */
const COMMITS_MAX = 1_000;
const COMMITS_DEFAULT = 100;
/** Bytes that a page costs at least, however little is read for it. */
const PAGE_COST = 64 * 1024;
/** The same as a subject's links have: bytes read a second, and as many more at once. */
const READS_PER_SECOND = 128 * 2 ** 20;
const READS_BURST = 4 * 2 ** 20;
/** Subjects of which something is remembered although they owe nothing. */
const SUBJECTS_KEPT = 1_024;

export interface ChangesQuery {
  /** What a page has said as `next`. */
  after?: string;
  limit: number;
}

/** An HTTP answer. */
export interface ChangesAnswer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

/** What the query of an address asks for, or what is wrong with it. */
export function readQuery(search: URLSearchParams): ChangesQuery | ChangesAnswer {
  const query: ChangesQuery = { limit: COMMITS_DEFAULT };
  for (const [name, value] of search) {
    if (name === "after") {
      query.after = value;
    } else if (name === "limit") {
      query.limit = /^\d{1,9}$/.test(value) ? Number(value) : 0;
      if (query.limit < 1 || query.limit > COMMITS_MAX) {
        return refused(400, "invalid", `limit is a number from 1 to ${COMMITS_MAX}`);
      }
    } else {
      return refused(400, "invalid", "only after and limit can be said");
    }
  }
  return query;
}

/** The answer to whoever may not come in. */
export function refusedBy({ code, message }: Refused): ChangesAnswer {
  if (code === CLOSE_GOING_AWAY) return later(503, "unavailable", message, 1_000);
  return refused(401, code === CLOSE_EXPIRED ? "expired" : "denied", message);
}

/** The answer where too many pages are being sent. */
export function busy(): ChangesAnswer {
  return later(503, "unavailable", "this relay is busy; ask later", 1_000);
}

/** What the pages of a relay may cost: of many spaces, or of one. */
export class ChangesFeed {
  /** When all that a subject has had is paid for, in milliseconds. */
  readonly #paidAt = new Map<string, number>();

  /**
   * A page of a store for whoever made these claims. `readsPerSecond`: bytes that are read for a subject. Throws what the
   * engine throws where it has failed: an error without a code is the death of the instance.
   */
  answer(
    store: SyncStore,
    space: string,
    { subject }: RelayClaims,
    { after, limit }: ChangesQuery,
    now: number,
    readsPerSecond = READS_PER_SECOND,
  ): ChangesAnswer {
    const payer = `${subject}\n${space}`;
    const ms = (bytes: number): number => (bytes * 1_000) / Math.max(1, readsPerSecond);
    this.#forget(now);
    const paidAt = Math.max(this.#paidAt.get(payer) ?? 0, now);
    const wait = paidAt - ms(READS_BURST) - now;
    if (wait > 0) return later(429, "unavailable", "this token asks for too much; ask later", wait);
    let bytes = 0;
    const counted: SyncStore = {
      get: (keys) => store.get(keys),
      scan: (from, to, bytesMax) => {
        const scan = store.scan(from, to, bytesMax);
        for (const value of scan.values) bytes += value.length;
        return scan;
      },
      write: () => false,
    };
    try {
      const page = changesPage(counted, after, limit);
      if (page !== undefined) return json(200, page);
      return refused(
        410,
        "other-log",
        "the position is of a log that this one is not, or not any more; begin anew without it",
      );
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "invalid") return refused(400, "invalid", "after is what an answer says as next");
      if (code !== "storage") throw error;
      console.error("eyot: what a space has stored can't be read:", String(error));
      return later(503, "storage", "this relay can't read its storage", 1_000);
    } finally {
      this.#paidAt.set(payer, paidAt + ms(Math.max(bytes, PAGE_COST)));
    }
  }

  #forget(now: number): void {
    if (this.#paidAt.size <= SUBJECTS_KEPT) return;
    for (const [payer, paidAt] of this.#paidAt) if (paidAt <= now) this.#paidAt.delete(payer);
  }
}

function later(status: number, code: string, message: string, ms: number): ChangesAnswer {
  const answer = refused(status, code, message);
  return { ...answer, headers: { ...answer.headers, "retry-after": String(Math.max(1, Math.ceil(ms / 1_000))) } };
}

function refused(status: number, code: string, message: string): ChangesAnswer {
  return json(status, JSON.stringify({ code, message }));
}

function json(status: number, body: string): ChangesAnswer {
  return { status, body, headers: { "content-type": "application/json", "cache-control": "no-store" } };
}
