// Every call of the API, by the name that clients made from the OpenAPI document have for it.

import { operations as batch } from "./batch.ts";
import { operations as docs } from "./docs.ts";
import { operations as entry } from "./entry.ts";
import { operations as health } from "./health.ts";
import { operations as increment } from "./increment.ts";
import { operations as list } from "./list.ts";
import type { Operations } from "./operation.ts";
import { operations as ttl } from "./ttl.ts";

export const OPERATIONS: Operations = {
  ...{ ...entry, ...ttl, ...increment, ...list, ...batch },
  ...{ ...health, ...docs },
};
