/** WebRTC in Node: that of the platform, or of the package `node-datachannel`, which the application may install. */
import { EyotError } from "../base/error.js";
import type { Rtc } from "./rtc.js";

export async function findRtc(): Promise<Rtc> {
  if (typeof RTCPeerConnection !== "undefined") return RTCPeerConnection;
  try {
    // Left alone by bundlers, which would look for a package that most applications don't have.
    const { RTCPeerConnection } = await import(/* webpackIgnore: true */ "node-datachannel/polyfill");
    return RTCPeerConnection as unknown as Rtc;
  } catch (cause) {
    throw new EyotError("unavailable", "there is no WebRTC here: install the package node-datachannel", { cause });
  }
}
