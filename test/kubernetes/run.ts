// `npm run kubernetes`: what Kubernetes' own API server, with the definitions of Vitess's operator, says of the manifests
// in vitess/kubernetes. It takes each as a dry run, since there is no node to run anything on.

import { join } from "node:path";
import { interruption } from "../../src/signals.ts";
import { renderKubernetes } from "../../vitess/topology/kubernetes.ts";
import { ApiServer, buildApiServer } from "./api-server.ts";
import { type KubernetesObject, objectsIn, operatorObjects } from "./schemas.ts";

const stop = interruption().signal;
const objects = Object.values(renderKubernetes()).flatMap(objectsIn);
let failed = 0;
let server: ApiServer | undefined;
try {
  server = await ApiServer.start(join(await buildApiServer(stop), "kube-apiserver"), stop);
  const [namespace, ...others] = objects as [KubernetesObject, ...KubernetesObject[]];
  await server.create(namespace, { dryRun: false });
  for (const each of operatorObjects().filter(({ kind }) => kind === "CustomResourceDefinition")) {
    await server.create(each, { dryRun: false });
  }
  for (const each of others) {
    await server.knows(each, stop);
    const title = `${each.kind} ${each.metadata.name}`;
    await server.create(each, { dryRun: true }).then(
      () => console.log(`taken    ${title}`),
      (error) => {
        failed += 1;
        console.log(`refused  ${title}: ${error.message}`);
      },
    );
  }
  await expectRefusal(server, others);
} catch (error) {
  if (!stop.aborted) console.error(error instanceof Error ? error.message : error);
  failed += 1;
} finally {
  await server?.stop();
}
process.exit(stop.aborted ? 130 : failed === 0 ? 0 : 1);

/** Else it might be taking everything. */
async function expectRefusal(server: ApiServer, objects: KubernetesObject[]) {
  for (const object of objects.filter(({ kind }) => ["VitessCluster", "Deployment"].includes(kind))) {
    const wrong = { ...object, spec: { ...object.spec, misspelled: 1 } };
    const refused = await server.create(wrong, { dryRun: true }).then(
      () => false,
      () => true,
    );
    if (!refused) throw new Error(`a ${object.kind} with a field that nobody knows was taken`);
  }
}
