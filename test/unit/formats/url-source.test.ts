import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { blobSource, bytesSource } from "../../../src/formats/byte-source";
import { resolveSource, shardNames } from "../../../src/formats/sources";
import { urlSource } from "../../../src/formats/url-source";
import { refusal } from "./files";

const DATA = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31) & 255);
let server: Server | null = null;

async function serve(listener: RequestListener): Promise<string> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

/** Answers a Range request over `data`; `sent` bytes of it, then the connection drops. */
function sendRange(request: IncomingMessage, response: ServerResponse, data: Uint8Array, sent = Number.POSITIVE_INFINITY): void {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  if (first === undefined || last === undefined) {
    response.writeHead(200, { "content-length": data.length }).end(data);
    return;
  }
  const end = Math.min(Number(last) + 1, data.length);
  if (Number(first) >= data.length) {
    response.writeHead(416, { "content-range": `bytes */${data.length}` }).end();
    return;
  }
  const body = data.subarray(Number(first), end);
  response.writeHead(206, { "content-range": `bytes ${first}-${end - 1}/${data.length}`, "content-length": body.length });
  if (sent >= body.length) response.end(body);
  else response.write(body.subarray(0, sent), () => response.destroy());
}

const folder =
  (files: Readonly<Record<string, string>>): RequestListener =>
  (request, response) => {
    const name = Object.keys(files).find((key) => request.url === `/${key}`);
    if (name === undefined) response.writeHead(404).end();
    else sendRange(request, response, new TextEncoder().encode(files[name]));
  };

describe("urlSource", () => {
  test("reads by range and takes name and size from the server", async () => {
    const base = await serve((request, response) => sendRange(request, response, DATA));
    const source = await urlSource(`${base}/folder/my%20model.gguf?download=1`);
    expect(source.name).toBe("my model.gguf");
    expect(source.size).toBe(DATA.length);
    expect(await source.read(10, 5000)).toEqual(DATA.slice(10, 5000));
    expect(await source.read(99_990, 100_000)).toEqual(DATA.slice(99_990));
    expect(await source.read(5, 5)).toHaveLength(0);
    await refusal(() => source.read(0, 100_001), "bad-file");
    await refusal(() => source.read(-1, 4), "bad-file");
  });

  test("resumes a dropped transfer at the byte reached", async () => {
    const ranges: string[] = [];
    const base = await serve((request, response) => {
      ranges.push(request.headers.range ?? "");
      sendRange(request, response, DATA, ranges.length <= 3 ? 1000 : undefined);
    });
    const source = await urlSource(`${base}/x.gguf`, { size: DATA.length });
    expect(await source.read(0, 10_000)).toEqual(DATA.slice(0, 10_000));
    const starts = ranges.map((range) => Number(/\d+/.exec(range)));
    expect(starts[0]).toBe(0);
    expect(starts).toHaveLength(4);
    for (let i = 1; i < starts.length; i++) expect(starts[i]).toBeGreaterThanOrEqual(starts[i - 1]!);
    expect(starts[3]).toBeGreaterThan(0);
  });

  test("gives up after three resumptions", async () => {
    let requests = 0;
    const base = await serve((request, response) => {
      requests++;
      sendRange(request, response, DATA, 10);
    });
    const source = await urlSource(`${base}/x.gguf`, { size: DATA.length });
    expect(await refusal(() => source.read(0, 10_000), "network")).toContain("failed 4 times");
    expect(requests).toBe(4);
  });

  test("tries again after 503, not after 403 or 404", async () => {
    const statuses = [503, 403, 404];
    const base = await serve((request, response) => {
      const status = statuses.shift();
      if (status) response.writeHead(status).end();
      else sendRange(request, response, DATA);
    });
    const open = () => urlSource(`${base}/x.gguf`, { size: DATA.length }).then((source) => source.read(0, 4));
    await refusal(open, "network"); // 503, then 403
    await refusal(open, "not-found");
    expect(await open()).toEqual(DATA.slice(0, 4));
  });

  test("reads a server that ignores Range once, whole, and says so", async () => {
    let requests = 0;
    const base = await serve((_, response) => {
      requests++;
      response.end(DATA);
    });
    const notes: string[] = [];
    const source = await urlSource(`${base}/x.gguf`, { onNote: (note) => notes.push(note) });
    expect(source.size).toBe(DATA.length);
    expect(await source.read(500, 600)).toEqual(DATA.slice(500, 600));
    expect(requests).toBe(1);
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain("ignores Range");
  });

  test("a file that changed in between is refused", async () => {
    let data = DATA;
    const base = await serve((request, response) => sendRange(request, response, data));
    const source = await urlSource(`${base}/x.gguf`);
    data = DATA.subarray(0, 50_000);
    expect(await refusal(() => source.read(0, 100), "network")).toContain("changed while it was read");
  });

  test("an empty file has size 0", async () => {
    const base = await serve((request, response) => sendRange(request, response, new Uint8Array(0)));
    expect((await urlSource(`${base}/x.gguf`)).size).toBe(0);
  });

  test("an unreachable server is a network error, an aborted read an abort", async () => {
    await refusal(() => urlSource("http://127.0.0.1:9/x.gguf"), "network");
    const base = await serve((request, response) => {
      if (request.headers.range === "bytes=0-0") sendRange(request, response, DATA);
      // Anything else is never answered.
    });
    const source = await urlSource(`${base}/x.gguf`);
    await refusal(() => source.read(0, 100, AbortSignal.timeout(50)), "abort");
    await refusal(() => source.read(0, 100, AbortSignal.abort()), "abort");
  });
});

describe("local sources", () => {
  test("bytes and blobs read alike", async () => {
    for (const source of [
      bytesSource("a.bin", DATA),
      blobSource(new Blob([DATA]), "a.bin"),
      blobSource(new File([DATA], "a.bin")),
    ]) {
      expect(source.name).toBe("a.bin");
      expect(source.size).toBe(DATA.length);
      expect(await source.read(7, 90)).toEqual(DATA.slice(7, 90));
      await refusal(() => source.read(0, DATA.length + 1), "bad-file");
      await refusal(() => source.read(5, 4), "bad-file");
      await refusal(() => source.read(0, Number.NaN), "bad-file");
      await refusal(() => source.read(0, 1, AbortSignal.abort()), "abort");
    }
  });

  test("files are wrapped, sources kept, an empty list refused", async () => {
    const [file] = await resolveSource([new File([DATA], "m.gguf")]);
    expect(file!.name).toBe("m.gguf");
    const own = bytesSource("m.gguf", DATA);
    expect(await resolveSource([own])).toEqual([own]);
    await refusal(() => resolveSource([]), "bad-option");
  });
});

describe("addresses", () => {
  const names = async (address: string, builtinBase?: string) =>
    (await resolveSource(address, builtinBase ? { builtinBase } : {})).map(({ name }) => name);

  test("builtin: and folder URLs list themselves in files.json", async () => {
    const list = JSON.stringify(["config.json", "model.gguf"]);
    const base = await serve(folder({ "m/tiny/files.json": list, "m/tiny/config.json": "{}", "m/tiny/model.gguf": "GGUF" }));
    expect(await names("builtin:tiny", `${base}/m`)).toEqual(["config.json", "model.gguf"]);
    expect(await names("builtin:tiny", `${base}/m/`)).toEqual(["config.json", "model.gguf"]);
    expect(await names(`${base}/m/tiny/`)).toEqual(["config.json", "model.gguf"]);
    expect(await refusal(() => names("builtin:other", `${base}/m`), "not-found")).toMatch(
      /no embedded model "other".*hf:org\/repo/,
    );
    await refusal(() => names("builtin:../tiny", `${base}/m`), "not-found");
    await refusal(() => names(`${base}/m/none/`), "not-found");
  });

  test.each(["{}", "[]", '["../x"]', '["/etc/x"]', '["http://a/b"]', "[1]", '["a/"]', "x"])(
    "files.json of %s is refused",
    async (list) => {
      const base = await serve(folder({ "files.json": list }));
      await refusal(() => names(`${base}/`), "bad-file");
    },
  );

  test("a .gguf URL is one file; a .safetensors URL brings what lies beside it", async () => {
    const base = await serve(folder({ "m.gguf": "x", "s/a.safetensors": "x", "s/config.json": "{}", "s/tokenizer.json": "{}" }));
    expect(await names(`${base}/m.gguf`)).toEqual(["m.gguf"]);
    expect(await names(`${base}/s/a.safetensors`)).toEqual(["a.safetensors", "config.json", "tokenizer.json"]);
    await refusal(() => names(`${base}/none.gguf`), "not-found");
  });

  test("Hugging Face addresses become resolve URLs", async () => {
    const asked: string[] = [];
    const original = globalThis.fetch;
    const have = new Set([
      "config.json",
      "tokenizer.json",
      "model.safetensors.index.json",
      "b.safetensors",
      "a.safetensors",
      "q.gguf",
    ]);
    const index = JSON.stringify({ weight_map: { x: "b.safetensors", y: "a.safetensors", z: "b.safetensors" } });
    globalThis.fetch = (async (input: string, init: RequestInit) => {
      asked.push(input);
      const name = input.slice(input.lastIndexOf("/") + 1);
      if (!have.has(name)) return new Response(null, { status: 404 });
      const text = name.endsWith("index.json") ? index : "{}";
      const [, first, last] = /bytes=(\d+)-(\d+)/.exec(new Headers(init.headers).get("range")!)!;
      const headers = { "content-range": `bytes ${first}-${last}/${text.length}` };
      return new Response(text.slice(Number(first), Number(last) + 1), { status: 206, headers });
    }) as typeof fetch;
    try {
      expect(await names("hf:org/repo@v1")).toEqual([
        "config.json",
        "tokenizer.json",
        "model.safetensors.index.json",
        "b.safetensors",
        "a.safetensors",
      ]);
      expect(asked[0]).toBe("https://huggingface.co/org/repo/resolve/v1/config.json");
      asked.length = 0;
      expect(await names("hf:org/repo/sub/q.gguf")).toEqual(["q.gguf"]);
      expect(asked[0]).toBe("https://huggingface.co/org/repo/resolve/main/sub/q.gguf");
      have.delete("model.safetensors.index.json");
      expect(await refusal(() => names("hf:org/repo"), "not-found")).toContain("hf:org/repo/model.gguf");
      have.delete("config.json");
      expect(await refusal(() => names("hf:org/repo"), "not-found")).toContain("name a file");
    } finally {
      globalThis.fetch = original;
    }
  });

  test.each(["", "llama", "ftp://a/b.gguf", "hf:repo", "hf:a/b/c.bin", "https://a/b.bin", "./model.gguf"])(
    "%j is refused",
    async (address) => {
      expect(await refusal(() => names(address), "bad-option")).toContain("expected");
    },
  );

  test("an index must name plain files", async () => {
    expect(shardNames('{"weight_map":{"a":"1.safetensors","b":"1.safetensors"}}', "i")).toEqual(["1.safetensors"]);
    await refusal(() => shardNames('{"weight_map":{"a":"../1"}}', "i"), "bad-file");
    await refusal(() => shardNames('{"weight_map":{}}', "i"), "bad-file");
    await refusal(() => shardNames('{"weight_map":[]}', "i"), "bad-file");
    await refusal(() => shardNames('{"weight_map":{"a":5}}', "i"), "bad-file");
  });
});
