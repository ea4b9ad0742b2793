/** The Worker that `wrangler deploy` puts on Cloudflare and `serve.mjs` runs on one machine. */

import { type RelayOptions, routeRelay, SpaceRelay } from "eyot/cloudflare";

export { SpaceRelay };

interface Env {
  /** The region of a relay that runs on one machine. On Cloudflare the platform knows it. */
  REGION?: string;
  /** The origins whose pages may connect, separated by spaces. Default: all. */
  ORIGINS?: string;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const answer = await routeRelay(request, env, options(env));
    return answer ?? new Response("there is nothing here\n", { status: 404 });
  },
};

function options({ REGION: region, ORIGINS: origins }: Env): RelayOptions {
  return {
    ...(region === undefined ? {} : { region: () => region }),
    ...(origins === undefined ? {} : { origins: origins.split(" ") }),
  };
}
