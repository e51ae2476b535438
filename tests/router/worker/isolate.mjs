// One Pyodide that plays a Cloudflare isolate: JSON lines in, JSON lines out.
//
// It boots what `tools.worker_bundle` built, with the real `workers` package and stand-ins for the
// rest of the runtime: KV, `fetch`, the clocks and the entry point's helper. What a subrequest answers
// is asked of the test, so that a test can be the cell. Refuses to reach any network.

import { readFileSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [pyodidePath, bundlePath] = process.argv.slice(2);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const toBytes = (text) => new Uint8Array(Buffer.from(text ?? "", "base64"));
const toText = (bytes) => Buffer.from(bytes).toString("base64");

// Named as in the runtime: the `workers` package looks at the constructor's name.
class KvNamespace {
  values = new Map();
  asked = [];
  down = false;

  async get(key, options) {
    this.asked.push(key);
    if (this.down) throw new Error("KV GET failed: 500 Internal Server Error");
    const type = typeof options === "string" ? options : (options?.type ?? "text");
    const value = this.values.get(key);
    if (value === undefined) return null;
    if (type === "arrayBuffer") return value.slice().buffer;
    if (type === "text") return new TextDecoder().decode(value);
    throw new Error(`no such type here: ${type}`);
  }
}

// The runtime's clocks stand still but for what a timer waited for, what a silent cell makes the
// Worker wait, and what a test lets pass: the time that a busy machine takes is none here.
const real = { wall: Date.now.bind(Date), monotonic: performance.now.bind(performance) };
const clock_ms = { wall: real.wall(), monotonic: real.monotonic() };
Date.now = () => clock_ms.wall;
performance.now = () => {
  letPass(0.02); // Pyodide sleeps its shortest sleeps without a timer.
  return clock_ms.monotonic;
};

function letPass(ms) {
  clock_ms.wall += ms;
  clock_ms.monotonic += ms;
}

// A timer is a short sleep, or the limit of a wait that ends earlier in every test: limits never fire.
const SLEEP_MS_MAX = 100;
const startTimer = globalThis.setTimeout;
globalThis.setTimeout = (callback, ms = 0, ...words) => {
  if (ms > SLEEP_MS_MAX) return undefined;
  const due = clock_ms.monotonic + ms;
  return startTimer(() => {
    letPass(Math.max(0, due - clock_ms.monotonic));
    callback(...words);
  }, ms);
};

// Fires when the test says that the cell is silent.
const waits_ms = new WeakMap();
AbortSignal.timeout = (ms) => {
  const { signal } = new AbortController();
  waits_ms.set(signal, ms);
  return signal;
};

let calls = 0;
const waiting = new Map();

// A subrequest: told to the test, answered when the test says so.
globalThis.fetch = async (input, options) => {
  const request = new Request(input, options);
  const body = new Uint8Array(await request.arrayBuffer());
  const call = ++calls;
  const wait_ms = waits_ms.get(options?.signal) ?? Infinity;
  const answered = new Promise((resolve, reject) => {
    waiting.set(call, { resolve, reject, due: clock_ms.monotonic + wait_ms });
  });
  say({
    kind: "subrequest",
    call,
    method: request.method,
    url: String(input.url ?? input),
    redirect: request.redirect,
    headers: [...request.headers],
    body: toText(body),
  });
  return await answered;
};

function answerSubrequest({ call, status, headers, body, error, silent }) {
  const { resolve, reject, due } = waiting.get(call);
  waiting.delete(call);
  if (silent) {
    letPass(Math.max(0, due - clock_ms.monotonic));
    return reject(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
  }
  if (error) return reject(new TypeError(error));
  const hasBody = ![101, 204, 205, 304].includes(status);
  // A real fetch answers 200 and above only; `Response` refuses the rest by itself.
  resolve(new Response(hasBody ? toBytes(body) : null, { status, headers }));
}

// What the Worker logs is part of its answer; stdout is for the lines of the protocol alone.
const logged = [];
for (const level of ["log", "info", "warn", "error"]) {
  console[level] = (...words) => logged.push(words.join(" "));
}

const started = real.monotonic();
const { loadPyodide } = await import(pathToFileURL(pyodidePath));
const pyodide = await loadPyodide({ stdout: (l) => logged.push(l), stderr: (l) => logged.push(l) });
const booted = real.monotonic();
// As the runtime lays a bundle out: the modules beside the entry, the libraries below it. Copied, so
// that reading is fast and nothing is written beside the sources.
for (const entry of readdirSync(bundlePath, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath ?? entry.path, entry.name);
  const inside = "/bundle/" + relative(bundlePath, path).split(sep).join("/");
  pyodide.FS.mkdirTree(inside.slice(0, inside.lastIndexOf("/")));
  pyodide.FS.writeFile(inside, readFileSync(path));
}
pyodide.registerJsModule("_pyodide_entrypoint_helper", {
  patchWaitUntil() {},
  cloudflareWorkersModule: { env: {}, waitUntil() {} },
  doAnImport(name) {
    throw new Error(`no such module here: ${name}`);
  },
});
pyodide.registerJsModule("_cloudflare_compat_flags", {
  python_request_headers_preserve_commas: true,
});
pyodide.runPython(`
import sys
sys.path[:0] = ["/bundle/src", "/bundle/python_modules"]
def begin_isolate():
    "Import the entry module; later, empty the one place that an isolate remembers anything in."
    import entry
    from cell_router import shell_worker
    shell_worker._isolates.clear()
    return entry

def modules():
    return sorted(sys.modules)
`);
const beginIsolate = pyodide.globals.get("begin_isolate");

let entry = null;
const kv = new KvNamespace();
let env = {};

const operations = {
  // A new isolate of the Worker: nothing is remembered but what KV holds.
  begin({ secrets, values }) {
    clock_ms.wall = real.wall();
    const before = process.cpuUsage();
    entry = beginIsolate();
    const used = process.cpuUsage(before);
    kv.values = new Map(Object.entries(values ?? {}).map(([k, v]) => [k, toBytes(v)]));
    kv.down = false;
    kv.asked.length = 0;
    env = { REGISTRY: kv, ...secrets };
    return { import_ms: (used.user + used.system) / 1000 };
  },
  // Sets the wall clock, and moves both on.
  clock({ wall_s, ahead_s }) {
    if (wall_s !== undefined) clock_ms.wall = wall_s * 1000;
    letPass((ahead_s ?? 0) * 1000);
    return {};
  },
  // Changes what KV holds; null removes a key.
  put({ values, down }) {
    for (const [key, value] of Object.entries(values ?? {})) {
      if (value === null) kv.values.delete(key);
      else kv.values.set(key, toBytes(value));
    }
    if (down !== undefined) kv.down = down;
    return { asked: kv.asked.splice(0) };
  },
  async call({ method, url, headers, body }) {
    const hasBody = body !== undefined && !["GET", "HEAD"].includes(method);
    const request = new Request(url, { method, headers, body: hasBody ? toBytes(body) : undefined });
    const chores = [];
    const context = {
      waitUntil(chore) {
        const kept = chore.copy();
        chores.push((async () => await kept)());
      },
    };
    const before = process.cpuUsage();
    // As the runtime does: an instance for each event, and arguments as the package's own types.
    const instance = entry.Default(context, env);
    const wrapped = pyodide.pyimport("workers").Request(request);
    const response = (await instance.fetch(wrapped)).js_object;
    const answer = new Uint8Array(await response.arrayBuffer());
    const used = process.cpuUsage(before);
    const cpu_ms = (used.user + used.system) / 1000;
    await Promise.all(chores);
    return {
      cpu_ms,
      status: response.status,
      headers: [...response.headers],
      body: toText(answer),
      logged: logged.splice(0),
    };
  },
  run({ code }) {
    const result = pyodide.runPython(code);
    return { result: result?.toJs?.() ?? result };
  },
};

async function serve(line) {
  if (line.kind === "subrequest") return answerSubrequest(line);
  try {
    say({ kind: "done", id: line.id, ...(await operations[line.kind](line)) });
  } catch (failed) {
    say({ kind: "failed", id: line.id, error: String(failed), logged: logged.splice(0) });
  }
}

say({ kind: "ready", boot_ms: booted - started, version: pyodide.version });
for await (const line of createInterface({ input: process.stdin })) serve(JSON.parse(line));
process.exit(0);
