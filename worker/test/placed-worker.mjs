// The Worker, whose objects are bound by another name, and only within a jurisdiction. `workerd` has none of its own: this
// one stands before its namespace, for the Worker and for the objects. `/asked` says which were asked for.

import { routeRelay, SpaceRelay as Relay } from "eyot/cloudflare";

const asked = new Set();

const placed = ({ SPACE_RELAY }) => ({
  RELAYS: {
    jurisdiction(name) {
      asked.add(name);
      return SPACE_RELAY;
    },
  },
});

export class SpaceRelay extends Relay {
  constructor(context, env) {
    super(context, placed(env));
  }
}

export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname === "/asked") return Response.json([...asked]);
    return routeRelay(request, placed(env), { keys: "open", binding: "RELAYS", jurisdiction: "eu" });
  },
};
