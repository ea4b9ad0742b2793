/** Session descriptions, packed for people to carry. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Reader, Writer } from "../src/peers/bytes.js";
import { ofSdp, pack, setupOf, toSdp, unpack, type Description } from "../src/peers/description.js";

const PLAIN = { noNullPrototype: true } as const;
const HASH = "E9:BD:0B:28:2B:1D:17:E8:66:B6:55:8F:E7:59:95:EA:0C:B0:B0:BC:B2:11:F5:99:B1:F7:73:02:F3:15:56:90";

/** In the manner of Chromium, of Firefox and of Node. */
const SDPS: Record<string, string[]> = {
  chromium: [
    "m=application 43830 UDP/DTLS/SCTP webrtc-datachannel",
    "a=candidate:16 1 udp 2113937151 773739ab-e4e3-454c-89fa-e2de8b07b151.local 43830 typ host generation 0 network-cost 999",
    "a=candidate:17 1 udp 1677729535 203.0.113.9 43830 typ srflx raddr 0.0.0.0 rport 0 generation 0",
    "a=candidate:18 1 tcp 1518280447 192.0.2.2 9 typ host tcptype active generation 0",
    "a=ice-ufrag:Sq3/",
    "a=ice-pwd:3c3gDFvlXWeGoe+cdDKvp1pE",
    `a=fingerprint:sha-256 ${HASH}`,
    "a=setup:actpass",
  ],
  firefox: [
    `a=fingerprint:sha-256 ${HASH}`,
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "a=candidate:0 1 UDP 2122187007 203.0.113.10 54321 typ host",
    "a=candidate:1 1 TCP 2105458943 192.0.2.1 9 typ host tcptype active",
    "a=ice-pwd:0123456789abcdef0123456789abcdef",
    "a=ice-ufrag:01234567",
    "a=setup:active",
  ],
  node: [
    `a=fingerprint:sha-256 ${HASH}`,
    "m=application 53044 UDP/DTLS/SCTP webrtc-datachannel",
    "a=setup:passive",
    "a=ice-ufrag:F8Uu",
    "a=ice-pwd:mGO8EMPIgH2jNt3VK8CPcM",
    "a=candidate:2 1 UDP 2116026111 2001:db8::2 53044 typ host",
    "a=candidate:3 1 UDP 2116026111 fe80::1 53044 typ host",
    "a=candidate:1 1 UDP 2114977791 192.0.2.2 53044 typ host",
  ],
};

const sdpOf = (name: string): string => SDPS[name]!.map((line) => `${line}\r\n`).join("");

const packed = (description: Description): Uint8Array => {
  const to = new Writer();
  pack(description, to);
  return to.done();
};

describe("a description", () => {
  it("keeps what a connection needs, in a few bytes, whatever browser made it", () => {
    const shown = Object.keys(SDPS).map((name) => {
      const bytes = packed(ofSdp(sdpOf(name))!);
      const sdp = toSdp(unpack(new Reader(bytes))!, "active");
      const lines = [...sdp.matchAll(/^a=(?:candidate|ice-ufrag|ice-pwd|fingerprint):.*$/gm)].map(([line]) => line);
      assert.ok(bytes.length <= 110, `${bytes.length} bytes`);
      return lines.map((line) => line.replace(/^a=candidate:\d+ 1 udp \d+ /, ""));
    });
    const hash = `a=fingerprint:sha-256 ${HASH}`;
    const far = "203.0.113.9 43830 typ srflx raddr 0.0.0.0 rport 0";
    const local = "773739ab-e4e3-454c-89fa-e2de8b07b151.local 43830 typ host";
    assert.deepEqual(shown, [
      ["a=ice-ufrag:Sq3/", "a=ice-pwd:3c3gDFvlXWeGoe+cdDKvp1pE", hash, local, far],
      ["a=ice-ufrag:01234567", "a=ice-pwd:0123456789abcdef0123456789abcdef", hash, "203.0.113.10 54321 typ host"],
      [
        "a=ice-ufrag:F8Uu",
        "a=ice-pwd:mGO8EMPIgH2jNt3VK8CPcM",
        hash,
        "2001:0db8:0000:0000:0000:0000:0000:0002 53044 typ host",
        "192.0.2.2 53044 typ host",
      ],
    ]);
    assert.deepEqual(
      Object.keys(SDPS).map((name) => setupOf(sdpOf(name))),
      ["active", "active", "passive"],
    );
  });

  it("is none where the SDP lacks something", () => {
    for (const missing of ["fingerprint", "ice-ufrag", "ice-pwd"]) {
      assert.equal(ofSdp(sdpOf("node").replace(missing, "x")), undefined);
    }
    assert.equal(ofSdp(""), undefined);
    assert.equal(ofSdp(sdpOf("node").replace("sha-256", "sha-512")), undefined);
  });

  it("is the same after it was packed and unpacked", () => {
    const credential = (min: number) => fc.stringMatching(new RegExp(`^[A-Za-z0-9+/]{${min},40}$`));
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const port = fc.integer({ min: 1, max: 65_535 });
    const kind = fc.integer({ min: 0, max: 2 });
    const candidate = fc.oneof(
      fc.record({ kind, form: fc.constant(0), address: bytes(4), port }, PLAIN),
      fc.record({ kind, form: fc.constantFrom(1, 2), address: bytes(16), port }, PLAIN),
    );
    const fields = { fingerprint: bytes(32), user: credential(4), password: credential(22) };
    const description = fc.record({ ...fields, candidates: fc.array(candidate, { maxLength: 8 }) }, PLAIN);
    fc.assert(
      fc.property(description, (description) => {
        const from = new Reader(packed(description));
        assert.deepEqual(unpack(from), description);
        assert.ok(from.isAtEnd);
        const again = ofSdp(toSdp(description, "actpass"))!;
        const said = description.candidates.filter(({ form, address }) => form !== 1 || address[0] !== 0xfe);
        if (said.length === description.candidates.length) assert.deepEqual(again, description);
      }),
    );
  });

  it("puts nothing into an SDP but what belongs there, whatever the bytes are", () => {
    const line =
      /^(v=0|o=- 1 1 IN IP4 127\.0\.0\.1|s=-|t=0 0|c=IN IP4 0\.0\.0\.0|m=application [\w /-]+|a=[\w:+/. -]*)$/;
    const check = (bytes: Uint8Array): void => {
      let description: Description | undefined;
      try {
        description = unpack(new Reader(bytes));
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
      if (description === undefined) return;
      for (const said of toSdp(description, "active").split("\r\n").slice(0, -1)) assert.match(said, line);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check));
    const whole = packed(ofSdp(sdpOf("chromium"))!);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const changed = whole.slice();
        changed[at] = byte;
        check(changed);
        check(whole.subarray(0, at));
      }),
    );
  });
});
