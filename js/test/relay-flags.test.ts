/** What `eyot relay` says of mistakes: what the native relay says (`crate/relay/tests/starting.rs`). */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Mistake } from "../src/server/command-line.js";
import { readKeys, readSecret, readToken } from "../src/server/files.js";
import { settingsOf } from "../src/server/flags.js";

/** What is wrong; empty where nothing is. */
function complaint(work: () => unknown): string {
  try {
    work();
    return "";
  } catch (error) {
    assert.ok(error instanceof Mistake, String(error));
    return error.message;
  }
}

describe("a command line of a wrong kind is refused", () => {
  for (const [flags, reason] of [
    [["--nonsense"], "unexpected argument '--nonsense' found"],
    [["word"], "unexpected argument 'word' found"],
    [["--listen", "7701"], "invalid value '7701' for '--listen <ADDRESS:PORT>': invalid socket address syntax"],
    [["--listen", "127.0.0.1:65536"], "invalid socket address"],
    [["--listen", "localhost:7701"], "invalid socket address"],
    [["--port", "65536"], "65536 is not in 0..=65535"],
    [["--port", "many"], "invalid digit found in string"],
    [["--port"], "a value is required for '--port <PORT>' but none was supplied"],
    [["--port", "1", "--listen", "127.0.0.1:1"], "cannot be used with"],
    [["--peer", "us"], "a peer is given as REGION=URL"],
    [["--peer", "=ws://a"], "a region has a name of 1 to 48 bytes"],
    [["--peer", "us=https://a"], "an address begins with ws:// or wss://"],
    [["--peer", "us=wss://ada:secret@a"], "an address has no user and no password"],
    [["--peer", "us=wss://a?token=secret"], "an address has no query"],
    [["--peer", "eu=ws://127.0.0.1:9"], "there is more than one relay for region eu"],
    [["--public-url", "eu.example"], "an address begins with ws:// or wss://"],
    [["--origin", "app.example"], "an origin is given as https://HOST"],
    [["--origin", "https://app.example/"], "an origin is given as https://HOST"],
    [["--auth", "closed"], "invalid value 'closed' for '--auth <AUTH>'"],
    [["--auth", "open", "--jwt-key", "a"], "cannot be used with"],
    [["--jwt-key", "a", "--jwt-secret", "b"], "cannot be used with"],
    [["--region", "us"], "the argument '--region <REGION>' cannot be used multiple times"],
  ] as [string[], string][]) {
    it(flags.join(" "), () => {
      const said = complaint(() => settingsOf(["--region", "eu", "--data", "/data", ...flags]));
      assert.ok(said.includes(reason), said);
    });
  }

  it("a region without a name, too long a one, one with control characters, and none", () => {
    const said = (...region: string[]) => complaint(() => settingsOf(["--data", "/data", ...region]));
    assert.match(said("--region", ""), /a region has a name of 1 to 48 bytes/);
    assert.match(said("--region", "a".repeat(49)), /a region has a name of 1 to 48 bytes/);
    assert.match(said("--region", "u\u001bs"), /a region's name has no control characters/);
    assert.match(said(), /^the following required arguments were not provided:\n {2}--region <REGION>$/);
  });
});

it("a command line says what it says", () => {
  const flags = ["--listen", "[::1]:80", "--peer=us=wss://us.example/", "--origin", "*", "--auth=open"];
  const { region, host, port, peers, origins, isOpen } = settingsOf(["--region", "eu", "--data", "d", ...flags])!;
  assert.deepEqual(
    { region, host, port, peers, origins, isOpen },
    {
      region: "eu",
      host: "::1",
      port: 80,
      peers: [{ region: "us", url: "wss://us.example" }],
      origins: ["*"],
      isOpen: true,
    },
  );
  assert.equal(settingsOf(["--help"]), undefined);
});

it("files of a wrong kind are refused and named", (test: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), "eyot-files-"));
  test.after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const read = { "--jwt-key": readKeys, "--jwt-secret": readSecret, "--peer-token": readToken };
  const text = file("text", "a secret that nobody would ever guess");
  const empty = file("empty", "");
  const garbled = file("garbled", Buffer.alloc(40, 0xff));
  const missing = "/nowhere/file";
  for (const [flag, path, reason] of [
    ["--jwt-key", missing, "No such file or directory"],
    ["--jwt-key", folder, "Is a directory"],
    ["--jwt-key", garbled, "valid UTF-8"],
    ["--jwt-key", empty, "the file is empty"],
    ["--jwt-key", text, "a shared secret has a flag of its own, --jwt-secret"],
    ["--jwt-key", file("ssh", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ada"), "not in the form of OpenSSH"],
    ["--jwt-key", file("private", '{"kty":"OKP","crv":"Ed25519","x":"a","d":"b"}'), "this is a private key"],
    ["--jwt-key", "/dev/zero", "more than 1048576 bytes"],
    ["--jwt-secret", empty, "a secret has at least 32 bytes"],
    ["--jwt-secret", file("jwk", '{"kty":"OKP"}'), "this looks like a key that everybody may know"],
    ["--peer-token", missing, "No such file or directory"],
    ["--peer-token", empty, "the file is empty"],
    ["--peer-token", text, "a token has no spaces"],
    ["--peer-token", file("long", "a".repeat(9_000)), "a token has at most 8192 bytes"],
  ] as [keyof typeof read, string, string][]) {
    const said = complaint(() => read[flag](path));
    assert.ok(said.startsWith(`${path}: `) && said.includes(reason), `${flag} ${path}: ${said}`);
  }
  const jwk = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };
  assert.deepEqual(readKeys(file("good", JSON.stringify({ keys: [jwk] }))), [jwk]);
});
