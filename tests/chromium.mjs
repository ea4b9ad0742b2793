// Debian's Chromium, or the one that `EYOT_CHROMIUM` names, kept from talking to anybody.

import { existsSync } from "node:fs";

export const CHROMIUM = {
  executablePath: process.env.EYOT_CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync),
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
  ],
};
