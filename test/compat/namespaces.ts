// A namespace that no other test uses.

let namespaces = 0;

export function freshNamespace(name: string): string {
  namespaces += 1;
  return `${name}-${process.pid}-${Date.now()}-${namespaces}`;
}
