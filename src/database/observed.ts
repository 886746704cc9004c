// A Database that tells an observer of its statements.

import { StoreError } from "../store/error.ts";
import type { Database } from "./connect.ts";
import type { DatabaseObserver, Destination } from "./observer.ts";
import type { Statement } from "./statements.ts";

/** The same, whose statements the observer is told of. */
export function observed(database: Database, to: Destination, observer: DatabaseObserver | undefined): Database {
  if (!observer) return database;
  return {
    async execute<T>(statement: Statement, timeoutMs: number) {
      const begun = performance.now();
      observer.began();
      try {
        const result = await database.execute<T>(statement, timeoutMs);
        observer.ended(statement.name, to, performance.now() - begun);
        return result;
      } catch (error) {
        const failure = error instanceof StoreError ? error : ({ code: "internal", reason: "unexpected" } as const);
        observer.ended(statement.name, to, performance.now() - begun, failure);
        throw error;
      }
    },
    close: () => database.close(),
  };
}
