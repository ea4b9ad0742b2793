// The Worker, with a disk that can be filled: `/disk/full` and `/disk/mended`.

import { routeRelay, SpaceRelay as Relay } from "eyot/cloudflare";

let full = false;

export class SpaceRelay extends Relay {
  constructor(context, env) {
    const { storage } = context;
    const faulty = {
      transactionSync(run) {
        if (full) throw new Error("database or disk is full: SQLITE_FULL");
        return storage.transactionSync(run);
      },
    };
    super(instead(context, { storage: instead(storage, faulty) }), env);
  }
}

/** The same object, but for some of its properties. */
function instead(object, properties) {
  return new Proxy(object, {
    get(target, name) {
      if (name in properties) return properties[name];
      const value = target[name];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/disk/")) {
      full = pathname === "/disk/full";
      return new Response();
    }
    return routeRelay(request, env, { keys: "open" });
  },
};
