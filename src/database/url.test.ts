// What DATABASE_URL may say, and that what it can't mean is refused without repeating a secret.

import { describe, expect, test } from "bun:test";
import { problemOfUrls, readUrl, urlOfShard, withTlsFiles } from "./url.ts";

const BASE = "mysql://kv:hunter2@db.example:3307/kv";

describe("what it says", () => {
  test.each([
    [BASE, { host: "db.example", port: 3307, user: "kv", password: "hunter2", database: "kv" }],
    ["mysql://kv@db/kv", { host: "db", port: 3306, user: "kv", password: "", database: "kv" }],
    [
      "mysql://k%40v:p%25%2F%3F%23%3A%F0%9F%99%82@[::1]/k%2Fv",
      { host: "::1", user: "k@v", password: "p%/?#:🙂", database: "k/v" },
    ],
    ["mysql://kv:p@ss@db/kv", { host: "db", password: "p@ss" }],
    ["mysql://kv:x@localhost/kv?socketPath=/run/mysql.sock", { socketPath: "/run/mysql.sock" }],
    [`${BASE}?flags=-FOUND_ROWS`, { flags: ["-FOUND_ROWS"] }],
    [urlOfShard(BASE, "-80"), { database: "kv:-80@primary" }],
  ])("%s", (url, says) => {
    expect(readUrl(url)).toMatchObject(says);
    expect(readUrl(url).tls).toBeUndefined();
  });
});

describe("TLS", () => {
  test.each([
    ...["ssl-mode=REQUIRED", "ssl-mode=VERIFY_CA", "ssl_mode=verify_identity", "sslMode=REQUIRED", "sslmode=require"],
    ...["sslmode=verify-ca", "sslmode=verify-full", "sslaccept=strict", "ssl=true", "ssl=1", "tls=true", "useSSL=true"],
    ...['ssl={"rejectUnauthorized":true}', "ssl=%7B%22rejectUnauthorized%22:true%7D", "ssl={}"],
    ...["ssl=true&sslaccept=strict", "useSSL=true&requireSSL=true"],
  ])("%s: encrypted and verified", (query) => {
    expect(readUrl(`${BASE}?${query}`).tls).toEqual({});
    expect(problemOfUrls(`${BASE}?${query}`)).toBeUndefined();
  });

  test.each(["ssl-mode=DISABLED", "sslmode=disable", "ssl=false", "ssl=0", "tls=false", "useSSL=false"])(
    "%s: plain text",
    (query) => {
      expect(readUrl(`${BASE}?${query}`).tls).toBeUndefined();
    },
  );

  test.each([
    ...["ssl-mode=PREFERRED", "sslmode=prefer", "sslmode=allow", "sslaccept=accept_invalid_certs", "tls=skip-verify"],
    ...[
      "tls=preferred",
      "tls=custom",
      "ssl=",
      "ssl",
      "ssl=Amazon%20RDS",
      "ssl=maybe",
      'ssl={"rejectUnauthorized":false}',
    ],
    ...['ssl={"ca":"hunter2"}', "ssl={", "sslmode=require&ssl=false", "ssl-mode=DISABLED&ssl-ca=/ca.pem"],
    ...["ssl-cert=/c.pem", "ssl-key=/k.pem", "ssl-ca=", "ssl=true&ssl=true", "ssl=true&socketPath=/run/mysql.sock"],
    ...["sslrootcert=/ca.pem", "sslcert=/ca.pem", "allowPublicKeyRetrieval=true"],
  ])("%s: refused", (query) => {
    expect(problemOfUrls(`${BASE}?${query}`)).toMatch(/^(?!.*hunter2).*\w/);
  });

  test("with files, as in the URL or in variables", () => {
    const files = { ca: "/etc/ca.pem", cert: "/etc/c.pem", key: "/etc/k.pem" };
    const url = `${BASE}?ssl-ca=/etc/ca.pem&ssl-cert=/etc/c.pem&ssl-key=/etc/k.pem`;
    expect(readUrl(url).tls).toEqual(files);
    const list = withTlsFiles(`${BASE}?sslmode=require,${BASE}?sslmode=require`, files);
    expect(problemOfUrls(list)).toBeUndefined();
    for (const each of list.split(/,(?=mysql)/)) expect(readUrl(each).tls).toEqual(files);
    expect(withTlsFiles(withTlsFiles(url, files), files)).toBe(withTlsFiles(url, files));
    expect(() => withTlsFiles(url, { ca: "/other.pem" })).toThrow("two files");
    expect(() => withTlsFiles(`${BASE}?ssl=false`, files)).toThrow("at once");
  });
});

describe("what is refused", () => {
  test.each([
    [`${BASE}?charset=utf8`, /parameter charset/],
    [`${BASE}?connection_limit=5`, /parameter connection_limit/],
    [`${BASE}?flags=-PROTOCOL_41`, /parameter flags/],
    [`${BASE}?hunter2=1`, /parameter/],
    [`${BASE}?socketPath=run`, /socketPath must begin/],
    [`${BASE}?socketPath=/s,${BASE}?socketPath=/s`, /socketPath is one address/],
    [`${BASE},mysql://kv:other@db.example/kv`, /differ in host and port only/],
    ["mysql://kv:hunter2%@db/kv", /% in the password must be written %25/],
    ["mysql://kv:hunter2%zz@db/kv", /% in the password must be written %25/],
    ["mysql://kv:hunter2@db", /must name a database/],
    ["mysql://kv:hunter2@db/", /must name a database/],
    ["mysql://kv:12?hunter2=@db/kv", /%3F for \?/],
    ["mysql://kv:12/hunter2@db/kv", /%2F for \//],
    ["mysql://kv:12#hunter2@db/kv", /%23 for #/],
    ["mysql://kv:hunter2#@db/kv", /%23 for #/],
    ["mysql://kv:hunter2/@db/kv", /%2F for \//],
    ["postgres://kv:hunter2@db/kv", /must be mysql/],
    [" mysql://kv:hunter2@db/kv", /must be mysql/],
    ["mysql:///kv", /must name a host/],
    ["", /must be mysql/],
  ])("%s", (url, sentence) => {
    expect(problemOfUrls(url)).toMatch(sentence);
    if (!url.includes("hunter2=1")) expect(problemOfUrls(url)).not.toContain("hunter2");
  });
});
