// A Worker as one would write it for Cloudflare KV. It does what its binding can do, and answers with what came of it.

const text = (bytes) => new TextDecoder().decode(bytes);
const outcome = (promise) => promise.catch((error) => `${error}`);

async function everyKey(KV, options) {
  const pages = [];
  for (let cursor; ; ) {
    const page = await KV.list({ ...options, cursor });
    pages.push(page.keys);
    if (page.list_complete) return pages;
    cursor = page.cursor;
  }
}

export default {
  async fetch(_, { KV }) {
    const metadata = {
      script: ["latin é", "ελληνικά", "русский", "日本語", "العربية", "हिन्दी", "😀"],
      n: 1.5,
      none: null,
    };
    const key = "a/b c%?#:\\ü😀~!$&'()*+,;=@|^`{}[]<>\"";
    const found = {};

    await KV.put(key, '{"täxt":[1]}', { metadata });
    found.text = await KV.get(key);
    found.json = await KV.get(key, "json");
    found.arrayBuffer = text(await KV.get(key, { type: "arrayBuffer", cacheTtl: 60 }));
    found.stream = await new Response(await KV.get(key, "stream")).text();
    found.withMetadata = await KV.getWithMetadata(key, { type: "json" });
    found.none = [await KV.get("none"), await KV.getWithMetadata("none")];

    await KV.put("bytes", new Uint8Array([0, 255, 128, 10]).buffer);
    await KV.put("view", new Uint8Array([1, 0, 255, 2]).subarray(1, 3));
    await KV.put("stream", new Response("streamed").body);
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const written = KV.put("unsized", readable);
    await writer.write(new TextEncoder().encode("piece by "));
    await writer.write(new TextEncoder().encode("piece"));
    await writer.close();
    await written;
    await KV.put("empty", "");
    found.values = {};
    for (const name of ["bytes", "view", "stream", "unsized", "empty"]) {
      found.values[name] = [...new Uint8Array(await KV.get(name, "arrayBuffer"))];
    }

    const many = ["bytes", "stream", "none"];
    found.many = Object.fromEntries(await KV.get(many));
    found.manyJson = Object.fromEntries(await KV.get([key, "none"], "json"));
    found.manyWithMetadata = Object.fromEntries(await KV.getWithMetadata([key, "empty", "none"]));
    found.notJson = await outcome(KV.get(["stream"], "json"));

    // Cloudflare's own takes no time to live below 60 s.
    await KV.put("short", "v", { expirationTtl: 1 });
    const expiration = Math.floor(Date.now() / 1000) + 600;
    await KV.put("later", "v", { expiration, metadata: "m" });
    found.expiring = (await KV.list({ prefix: "later" })).keys.map((entry) => entry.expiration - expiration);
    await scheduler.wait(1_200);
    found.expired = await KV.get("short");
    found.past = await outcome(KV.put("past", "v", { expiration: 60 }));

    for (let i = 0; i < 25; i++) await KV.put(`list:${String(i).padStart(2, "0")}`, "v", { metadata: i });
    found.pages = await everyKey(KV, { prefix: "list:", limit: 10 });
    await Promise.all(found.pages.flat().map(({ name }) => KV.delete(name)));
    found.left = (await KV.list({ prefix: "list:" })).keys;
    found.deleted = await KV.delete("none");
    found.wrongCursor = await outcome(KV.list({ prefix: "x", cursor: "nonsense" }));
    found.tooLarge = await outcome(KV.put("large", new Uint8Array(9 * 1024 * 1024)));

    // A read sees the write before it, each time.
    found.stale = 0;
    for (let i = 0; i < 20; i++) {
      await KV.put("fresh", `${i}`);
      if ((await KV.get("fresh")) !== `${i}`) found.stale += 1;
    }
    return Response.json({ key, metadata, found });
  },
};
