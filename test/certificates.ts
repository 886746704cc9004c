// Certificates for tests, made by openssl.

import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../vitess/support/processes.ts";

const EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** In a folder: each certificate is `NAME.pem` there, and its key `NAME-key.pem`. */
export class Certificates {
  constructor(private readonly dir: string) {}

  file(name: string): string {
    return join(this.dir, `${name}.pem`);
  }

  keyFile(name: string): string {
    return join(this.dir, `${name}-key.pem`);
  }

  async makeAuthority(name: string) {
    await this.openssl("req", "-x509", ...EC_KEY, "-days", "2", ...this.made(name), "-out", this.file(name));
  }

  /** Signed by the authority called "ca"; `subjectAltName` as in `DNS:localhost`. */
  async make(name: string, subjectAltName: string) {
    const [request, extensions] = [join(this.dir, `${name}.csr`), join(this.dir, `${name}.ext`)];
    writeFileSync(extensions, `subjectAltName=${subjectAltName}\n`);
    await this.openssl("req", ...EC_KEY, ...this.made(name), "-out", request);
    await this.openssl(
      ...["x509", "-req", "-in", request, "-CA", this.file("ca"), "-CAkey", this.keyFile("ca"), "-CAcreateserial"],
      ...["-days", "2", "-extfile", extensions, "-out", this.file(name)],
    );
    // For servers of other users, too.
    chmodSync(this.keyFile(name), 0o644);
  }

  private made(name: string): string[] {
    return ["-subj", `/CN=${name}`, "-keyout", this.keyFile(name)];
  }

  private async openssl(...args: string[]) {
    await run({ file: "openssl", args, cwd: this.dir }, { keepUser: true });
  }
}
