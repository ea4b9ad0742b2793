/**
 * What a relay's object is told. The object cannot see the options of `routeRelay`, so each request carries them in a
 * header. The object stores the setup for when an alarm or a message wakes it. The setup has no secrets: tokens and
 * keys are never stored.
 */

import type { Comer } from "../access/admission.js";
import type { ChangesQuery } from "../host/changes.js";
import type { RelayCaps } from "./options.js";
import type { Jurisdiction } from "./place.js";
import type { SqlStorage } from "./platform.js";
import type { RevokedSubject } from "./revoked.js";

export interface Setup {
  space: string;
  region: string;
  /** The relays of the other regions. */
  peers: Peer[];
  caps?: Partial<RelayCaps>;
  /** Where the objects of the other regions are found, see `RelayOptions`. */
  binding?: string;
  jurisdiction?: Jurisdiction;
}

export interface Peer {
  region: string;
  /** Omitted: the relay is an object of the same namespace. */
  url?: string;
}

/** What a request tells an object. */
export interface Told {
  setup: Setup;
  comer: Comer;
  /** The region of the relay that sends the request, if an object of the same namespace does. */
  from?: string;
  /** A page of what is stored is asked for, and no connection. */
  changes?: ChangesQuery;
  /** Somebody's tokens count no more, and no connection is asked for. */
  revoke?: RevokedSubject;
}

/**
 * This can be trusted, because `routeRelay` replaces the header in all requests from outside. The name contains `secret`
 * because the platform's logs leave out the values of such headers.
 */
const HEADER = "x-eyot-secret";
const TABLE = "CREATE TABLE IF NOT EXISTS setup (id INTEGER PRIMARY KEY, told TEXT NOT NULL)";

/** Puts this into headers, replacing any that is there. */
export function tell(told: Told, headers: Headers = new Headers()): Headers {
  headers.set(HEADER, encodeURIComponent(JSON.stringify(told)));
  return headers;
}

/** What a request tells the object; undefined if the request did not come through `routeRelay`. */
export function toldBy(request: Request): Told | undefined {
  const header = request.headers.get(HEADER);
  return header === null ? undefined : (JSON.parse(decodeURIComponent(header)) as Told);
}

/** The stored setup; undefined if the object was never told one. */
export function readSetup({ sql }: SqlStorage): Setup | undefined {
  sql.exec(TABLE);
  for (const { told } of sql.exec("SELECT told FROM setup")) return JSON.parse(told as string) as Setup;
  return undefined;
}

export function saveSetup({ sql }: SqlStorage, setup: Setup): void {
  sql.exec("INSERT OR REPLACE INTO setup (id, told) VALUES (0, ?)", JSON.stringify(setup));
}
