// The Worker of an application that takes rights back: `/revoke/SUBJECT`.

import { revoke, routeRelay, SpaceRelay } from "eyot/cloudflare";

export { SpaceRelay };

export default {
  async fetch(request, env) {
    const options = { keys: { secret: env.JWT_SECRET }, regions: ["eu", "us"] };
    const [, subject] = /^\/revoke\/(.+)$/.exec(new URL(request.url).pathname) ?? [];
    if (subject === undefined) return routeRelay(request, env, options);
    await revoke(env, { space: "space", subject }, options);
    return new Response("done");
  },
};
