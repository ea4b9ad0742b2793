// The Worker of an application whose tokens say roles, and what those may do is the application's to say. `/ban/SUBJECT` takes
// somebody's rights back.

import { routeRelay, SpaceRelay } from "eyot/cloudflare";

export { SpaceRelay };

const banned = new Set();

function authorize(_, { sub, team, role, exp }) {
  if (banned.has(sub)) throw new Error(`${sub} is banned`);
  if (sub === "nobody") return undefined;
  return { sub: `${team}/${sub}`, exp: exp + 3_600, spaces: { [team]: role === "editor" ? "write" : "read" } };
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith("/ban/")) {
      return routeRelay(request, env, { keys: { secret: env.JWT_SECRET }, region: () => "eu", authorize });
    }
    banned.add(pathname.slice("/ban/".length));
    return new Response();
  },
};
