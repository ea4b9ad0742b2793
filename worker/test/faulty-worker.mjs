// The Worker, with a disk that can be filled: `/disk/full` and `/disk/mended`.

import { routeRelay, SpaceRelay as Relay } from "eyot/cloudflare";

let full = false;

export class SpaceRelay extends Relay {
  constructor(context, env) {
    super(
      {
        storage: {
          sql: context.storage.sql,
          transactionSync(run) {
            if (full) throw new Error("database or disk is full: SQLITE_FULL");
            return context.storage.transactionSync(run);
          },
        },
        acceptWebSocket: (socket) => context.acceptWebSocket(socket),
        getWebSockets: () => context.getWebSockets(),
      },
      env,
    );
  }
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/disk/")) {
      full = pathname === "/disk/full";
      return new Response();
    }
    return routeRelay(request, env);
  },
};
