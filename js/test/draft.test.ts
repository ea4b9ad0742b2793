import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EyotError } from "../src/base/error.js";
import { DELETE, INCREMENT, INSERT, PUT, RETEXT, SPLICE, type Op } from "../src/value/op.js";
import { record, splice } from "../src/draft/record.js";
import { DEPTH_MAX, snapshotRoot } from "../src/value/snapshot.js";
import { AtomicString, Counter } from "../src/value/value.js";

type Any = any;

function edit(initial: object, fn: (draft: Any) => unknown): { value: Any; ops: readonly Op[] } {
  return record(snapshotRoot(initial) as Any, fn);
}

function refuses(code: EyotError["code"], fn: () => unknown): void {
  assert.throws(fn, (error) => error instanceof EyotError && error.code === code);
}

describe("a draft reads its own writes", () => {
  it("keys that are set, replaced and deleted", () => {
    const { value, ops } = edit({ a: 1, b: { c: 2 } }, (draft) => {
      draft.a = 5;
      draft.b.d = "new";
      delete draft.b.c;
      assert.equal(draft.a, 5);
      assert.equal("c" in draft.b, false);
      assert.deepEqual(Object.keys(draft.b), ["d"]);
      assert.equal(draft.b, draft.b);
      assert.equal(JSON.stringify(draft), '{"a":5,"b":{"d":"new"}}');
    });
    assert.deepEqual(value, { a: 5, b: { d: "new" } });
    assert.deepEqual(ops, [
      [PUT, ["a"], 5],
      [PUT, ["b", "d"], "new"],
      [DELETE, ["b", "c"], 1],
    ]);
  });

  it("what was just put in can be edited further", () => {
    const { value, ops } = edit({}, (draft) => {
      draft.list = [];
      draft.list.push({ tags: [] });
      draft.list[0].tags.push("x");
    });
    assert.deepEqual(value, { list: [{ tags: ["x"] }] });
    assert.deepEqual(ops, [
      [PUT, ["list"], []],
      [INSERT, ["list", 0], [{ tags: [] }]],
      [INSERT, ["list", 0, "tags", 0], ["x"]],
    ]);
  });

  it("lists by every method that moves items", () => {
    const { value } = edit({ list: [1, 2, 3, 4, 5] }, ({ list }) => {
      assert.equal(list.push(6, 7), 7);
      assert.equal(list.pop(), 7);
      assert.equal(list.shift(), 1);
      assert.equal(list.unshift(0), 6);
      assert.deepEqual(list.splice(-2, 1, "a", "b"), [5]);
      list[1] = "two";
      list[list.length] = "end";
      list.length = 7;
      assert.deepEqual([...list], [0, "two", 3, 4, "a", "b", 6]);
      assert.equal(list.indexOf(3), 2);
      assert.deepEqual(
        list.filter((item: unknown) => typeof item === "string"),
        ["two", "a", "b"],
      );
      assert.deepEqual(list.map((item: unknown) => typeof item === "number").slice(0, 2), [true, false]);
      assert.equal(
        list.find((item: unknown) => item === "a"),
        "a",
      );
      assert.ok(Array.isArray(list));
      list.reverse();
    });
    assert.deepEqual(value, { list: [6, "b", "a", 4, 3, "two", 0] });
  });

  it("sorting moves whole items", () => {
    const { value } = edit({ list: [{ n: 3 }, { n: 1 }, { n: 2 }] }, ({ list }) => {
      list.sort((a: Any, b: Any) => a.n - b.n);
      list[0].first = true;
    });
    assert.deepEqual(value, { list: [{ n: 1, first: true }, { n: 2 }, { n: 3 }] });
  });

  it("methods that move items put texts in new places, and edit none of them into another", () => {
    for (const move of [
      (list: Any) => list.sort(),
      (list: Any) => list.reverse(),
      (list: Any) => list.copyWithin(0, 1),
      (list: Any) => list.fill("beta", 0, 1),
    ]) {
      const { value, ops } = edit({ list: ["gamma", "beta", "alpha"] }, ({ list }) => assert.equal(move(list), list));
      assert.deepEqual(value.list, move(["gamma", "beta", "alpha"]));
      assert.ok(ops.every(([kind]) => kind === PUT) && ops.length > 0);
    }
    const { ops } = edit({ list: ["gamma", "beta"] }, ({ list }) => {
      list.sort();
      list[0] = "betas";
    });
    assert.deepEqual(ops[2], [SPLICE, ["list", 0], 4, 0, "s"]);
  });

  it("an item's draft keeps to its item when others come and go", () => {
    const { value, ops } = edit({ list: [{ n: 0 }, { n: 1 }, { n: 2 }] }, ({ list }) => {
      const last = list[2];
      list.shift();
      list.unshift({}, {});
      last.n = "last";
    });
    assert.deepEqual(value, { list: [{}, {}, { n: 1 }, { n: "last" }] });
    assert.deepEqual(ops[ops.length - 1], [PUT, ["list", 3, "n"], "last"]);
  });

  it("what was taken out is the application's own and can be put back", () => {
    const { value } = edit({ todo: [{ t: "a" }], done: [] }, (draft) => {
      draft.todo[0].t = "b";
      const [task] = draft.todo.splice(0, 1);
      task.t += "c";
      draft.done.push(task);
    });
    assert.deepEqual(value, { todo: [], done: [{ t: "bc" }] });
  });

  it("a part that is assigned elsewhere is copied", () => {
    const { value } = edit({ a: { n: [1] } }, (draft) => {
      draft.b = draft.a;
      draft.b.n.push(2);
    });
    assert.deepEqual(value, { a: { n: [1] }, b: { n: [1, 2] } });
  });

  it("counters add up", () => {
    const { value, ops } = edit({ c: new Counter(1), list: [new Counter(5)] }, (draft) => {
      draft.c.increment();
      draft.c.increment(-3);
      assert.equal(draft.c.value, -1);
      draft.list.unshift("x");
      draft.list[1].increment(2);
      assert.ok(draft.c instanceof Counter);
    });
    assert.equal(value.c.value, -1);
    assert.equal(value.list[1].value, 7);
    assert.deepEqual(ops.slice(0, 2), [
      [INCREMENT, ["c"], 1],
      [INCREMENT, ["c"], -3],
    ]);
  });

  it("every type of value", () => {
    const bytes = Uint8Array.of(1, 2);
    const { value } = edit({}, (draft) => {
      Object.assign(draft, {
        n: null,
        b: true,
        i: 1,
        f: 1.5,
        big: 7n,
        s: "s",
        d: new Date(5),
        a: new AtomicString("x"),
      });
      draft.bytes = bytes;
      bytes[0] = 9;
      assert.equal(draft.bytes[0], 1);
      assert.equal(draft.d.getTime(), 5);
      assert.equal(String(draft.a), "x");
    });
    assert.equal(value.big, 7);
    assert.deepEqual([...value.bytes], [1, 2]);
  });

  it("keys that objects are born with are keys like any other", () => {
    const { value } = edit({}, (draft) => {
      draft.constructor = 1;
      draft["__proto__"] = { polluted: true };
      draft.hasOwnProperty = null;
      assert.equal(draft.constructor, 1);
      assert.deepEqual(Object.keys(draft), ["constructor", "__proto__", "hasOwnProperty"]);
    });
    assert.deepEqual(Object.keys(value), ["__proto__", "constructor", "hasOwnProperty"]);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal(({} as Any).polluted, undefined);
  });
});

describe("text", () => {
  it("is spliced in place, by a path from any draft", () => {
    const { value, ops } = edit({ note: { body: "hello" }, list: ["abc"] }, (draft) => {
      splice(draft, ["note", "body"], 5, 0, " world");
      splice(draft.note, ["body"], 0, 1, "H");
      splice(draft.list, [0], 1, 1);
      assert.equal(draft.note.body, "Hello world");
    });
    assert.deepEqual(value, { note: { body: "Hello world" }, list: ["ac"] });
    assert.deepEqual(ops, [
      [SPLICE, ["note", "body"], 5, 0, " world"],
      [SPLICE, ["note", "body"], 0, 1, "H"],
      [SPLICE, ["list", 0], 1, 1, ""],
    ]);
  });

  it("assigned over text is the least edit", () => {
    const { ops } = edit({ a: "hello", b: "hello", c: "hello", d: "same" }, (draft) => {
      draft.a = "hello!";
      draft.b = "heo";
      draft.c = "hallo there";
      draft.d = "same";
    });
    assert.deepEqual(ops, [
      [SPLICE, ["a"], 5, 0, "!"],
      [SPLICE, ["b"], 2, 2, ""],
      [RETEXT, ["c"], "hallo there"],
    ]);
  });

  it("is never cut inside a character", () => {
    const { value } = edit({ t: "a😀b" }, (draft) => {
      splice(draft, ["t"], 2, 0, "x");
      assert.equal(draft.t, "ax😀b");
      splice(draft, ["t"], 3, 1, "y");
    });
    assert.equal(value.t, "axyb");
  });

  it("half a character becomes U+FFFD, in keys too", () => {
    const { value } = edit({ t: "" }, (draft) => {
      draft.t = "a\ud83d";
      draft["k\ude00"] = new AtomicString("\ud83d");
      splice(draft, ["t"], 0, 0, "\ude00");
    });
    assert.equal(value.t, "\ufffda\ufffd");
    assert.deepEqual(Object.keys(value), ["k\ufffd", "t"]);
    assert.equal(value["k\ufffd"].value, "\ufffd");
  });

  it("is not to be found where there is none", () => {
    edit({ t: "abc", n: 1, list: [] }, (draft) => {
      refuses("invalid", () => splice(draft, ["n"], 0, 0, "x"));
      refuses("invalid", () => splice(draft, ["missing"], 0, 0, "x"));
      refuses("invalid", () => splice(draft, ["list", 0], 0, 0, "x"));
      refuses("invalid", () => splice(draft, [], 0, 0, "x"));
      refuses("invalid", () => splice(draft, ["t"], 4, 0, "x"));
      refuses("invalid", () => splice(draft, ["t"], -1, 0, "x"));
      refuses("invalid", () => splice({ t: "abc" }, ["t"], 0, 0, "x"));
    });
  });
});

describe("the old value", () => {
  it("stays as it was, frozen, and shares what was not edited", () => {
    const before = snapshotRoot({ a: { n: 1 }, b: { list: [{ x: 1 }, { y: 2 }] } }) as Any;
    const { value } = record(before, (draft: Any) => void (draft.b.list[1].y = 3)) as Any;
    assert.deepEqual(before, { a: { n: 1 }, b: { list: [{ x: 1 }, { y: 2 }] } });
    assert.equal(value.a, before.a);
    assert.equal(value.b.list[0], before.b.list[0]);
    assert.notEqual(value.b.list[1], before.b.list[1]);
    assert.ok(Object.isFrozen(value) && Object.isFrozen(value.b.list) && Object.isFrozen(value.b.list[1]));
  });

  it("is the new one if nothing was edited", () => {
    const before = snapshotRoot({ a: { n: 1 }, t: "x", z: NaN }) as Any;
    const { value, ops } = record(before, (draft: Any) => {
      draft.a.n = 1;
      draft.a = draft.a;
      draft.t = "x";
      draft.z = NaN;
      delete draft.missing;
      draft.a.list?.push(1);
    });
    assert.equal(value, before);
    assert.equal(ops.length, 0);
  });
});

describe("a draft refuses", () => {
  const cyclic: Any = {};
  cyclic.self = { cyclic };
  const values: [string, unknown][] = [
    ["undefined in a list", { a: [undefined] }],
    ["functions", () => 1],
    ["symbols", Symbol("x")],
    ["values that contain themselves", cyclic],
    ["large bigints", 2n ** 53n],
    ["class instances", new Map()],
    ["invalid dates", new Date(NaN)],
    ["promises", Promise.resolve()],
  ];
  for (const [name, value] of values) {
    it(name, () => {
      const { ops } = edit({ list: [] }, (draft) => {
        refuses("invalid", () => (draft.a = value));
        refuses("invalid", () => draft.list.push(1, value));
        refuses("invalid", () => (draft.list[0] = value));
      });
      assert.equal(ops.length, 0);
    });
  }

  it("more nesting than anything needs, in one value or step by step", () => {
    let deep: unknown = 1;
    for (let level = 0; level < 500; level++) deep = [deep];
    refuses("too-large", () => edit({}, (draft) => (draft.deep = deep)));
    refuses("too-large", () =>
      edit({}, (draft) => {
        let map = draft;
        for (let level = 0; level < 500; level++) {
          map.list = [{}];
          map = map.list[0];
        }
      }),
    );
    // The root counts.
    let most: unknown = {};
    for (let level = 1; level < DEPTH_MAX; level++) most = { most };
    const { value } = edit(most as object, (draft) => (draft.same = draft.most.most));
    assert.ok("most" in value.same);
    refuses("too-large", () => edit({ most }, () => undefined));
  });

  it("lists with holes, and lists as maps", () => {
    edit({ list: [1] }, ({ list }) => {
      refuses("invalid", () => (list[2] = 1));
      refuses("invalid", () => (list.length = 5));
      refuses("invalid", () => delete list[0]);
      refuses("invalid", () => (list.name = "x"));
    });
  });

  it("edits of what is no longer there", () => {
    edit({ a: { n: 1 }, c: new Counter(), list: [{ n: 1 }] }, (draft) => {
      const { a, c } = draft;
      const item = draft.list[0];
      draft.a = {};
      draft.c = 1;
      draft.list.shift();
      assert.equal(a.n, 1);
      refuses("invalid", () => (a.n = 2));
      refuses("invalid", () => c.increment());
      refuses("invalid", () => (item.n = 2));
    });
  });

  it("use after its change is over", () => {
    let kept: Any;
    edit({ a: { n: 1 } }, (draft) => void (kept = draft));
    refuses("invalid", () => kept.a);
    refuses("invalid", () => (kept.b = 1));
  });

  it("async functions", () => {
    refuses("invalid", () =>
      edit({ a: 1 }, async (draft) => {
        await Promise.resolve();
        draft.a = 2;
      }),
    );
  });

  it("getters, symbols as keys, and being frozen", () => {
    edit({ a: 1 }, (draft) => {
      refuses("invalid", () => Object.defineProperty(draft, "b", { get: () => 1 }));
      refuses("invalid", () => (draft[Symbol("x")] = 1));
      refuses("invalid", () => Object.freeze(draft));
    });
  });

  it("increments of a document's counter outside of change", () => {
    const { value } = edit({ c: new Counter(1) }, (draft) => void draft.c.increment());
    refuses("invalid", () => value.c.increment());
    const own = new Counter(1);
    own.increment(2);
    assert.equal(own.value, 3);
    refuses("invalid", () => own.increment(0.5));
  });
});

describe("a throw", () => {
  it("leaves nothing behind", () => {
    const before = snapshotRoot({ list: [1] }) as Any;
    assert.throws(
      () =>
        record(before, (draft: Any) => {
          draft.list.push(2);
          throw new RangeError("no");
        }),
      RangeError,
    );
    assert.deepEqual(before, { list: [1] });
  });
});

it("items that come or go one by one, side by side, cross as one edit", () => {
  const one = (fn: (list: Any) => void) => edit({ list: [1, 2, 3] }, ({ list }) => fn(list)).ops;
  const times = (fn: (n: number) => void) => [0, 1, 2].forEach(fn);
  assert.deepEqual(
    one((list) => times((n) => list.push(n))),
    [[INSERT, ["list", 3], [0, 1, 2]]],
  );
  assert.deepEqual(
    one((list) => times((n) => list.unshift(n))),
    [[INSERT, ["list", 0], [2, 1, 0]]],
  );
  assert.deepEqual(
    one((list) => times((n) => list.splice(1 + (n > 1 ? 1 : 0), 0, n))),
    [[INSERT, ["list", 1], [1, 2, 0]]],
  );
  assert.deepEqual(
    one((list) => times(() => list.shift())),
    [[DELETE, ["list", 0], 3]],
  );
  assert.deepEqual(
    one((list) => times(() => list.pop())),
    [[DELETE, ["list", 0], 3]],
  );
  // Not beside each other, or not only that.
  assert.equal(one((list) => (list.splice(0, 1), list.splice(1, 1))).length, 2);
  assert.equal(one((list) => (list.push(4), (list[0] = 9), list.push(5))).length, 3);
  assert.equal(one((list) => (list.shift(), list.unshift(1), list.shift())).length, 3);
});
