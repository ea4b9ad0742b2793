/** Takes rights back before the tokens that gave them expire. */

import { relayObject } from "./object.js";
import { checkOptions, isRegion, type RelayOptions } from "./options.js";
import { regionsOf, setupOf } from "./route.js";
import { tell } from "./setup.js";

/** Whose access to a space ends. */
export interface Revocation {
  space: string;
  /** The `sub` of a token, or what `authorize` makes of it. */
  subject: string;
  /** Tokens count no more that were issued (`iat`) before this time, in seconds since 1970, or do not say when. Default: now. */
  before?: number;
  /** Where the options name no regions: the one that is meant. */
  region?: string;
}

/**
 * Ends a subject's links to a space in all regions here, and refuses the tokens that it has: `expired`. Later tokens
 * count. Resolves once all regions have stored that. Take the options of `routeRelay`.
 */
export async function revoke(
  env: unknown,
  { space, subject, before = Math.floor(Date.now() / 1000) + 1, region }: Revocation,
  options: RelayOptions = {},
): Promise<void> {
  checkOptions(options);
  if (typeof space !== "string" || space === "") throw new TypeError("eyot: revoke: space is the name of a space");
  if (typeof subject !== "string" || subject === "") throw new TypeError("eyot: revoke: subject is what a token says");
  if (typeof before !== "number" || !(before >= 0)) throw new TypeError("eyot: revoke: before is a time in seconds");
  if (region !== undefined && !isRegion(region)) throw new TypeError("eyot: revoke: region is the name of a region");
  const all = regionsOf(options);
  const meant = region === undefined ? all : [region];
  if (meant.length === 0) throw new TypeError("eyot: revoke: name the region, as the options name none");
  await Promise.all(
    meant.map(async (name) => {
      const setup = setupOf(space, name, all, options);
      const told = {
        setup,
        comer: { claims: { subject: "", spaces: [], isRelay: false } },
        revoke: { subject, before: before * 1000 },
      };
      const answer = await relayObject(env, setup).fetch(new Request("http://relay/", { headers: tell(told) }));
      if (!answer.ok) throw new Error(`eyot: region ${name} can't revoke now: ${await answer.text()}`);
    }),
  );
}
