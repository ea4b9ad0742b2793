// The Worker, open until `/close/SECRET`: from then on it checks tokens with that secret, as a new version of it would.

import { routeRelay, SpaceRelay } from "eyot/cloudflare";

export { SpaceRelay };

let keys = "open";

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/close/")) {
      keys = { secret: pathname.slice("/close/".length) };
      return new Response();
    }
    return routeRelay(request, env, { keys, region: () => "eu" });
  },
};
