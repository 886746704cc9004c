// Work side by side that ends as one: when a part fails the others are aborted and waited for, so that nothing
// goes on behind a command that has given up.

/** Runs all tasks with a joint signal. Throws the first failure, after every task has ended. */
export async function together<T>(
  signal: AbortSignal | undefined,
  tasks: ((signal: AbortSignal) => Promise<T>)[],
): Promise<T[]> {
  const abort = new AbortController();
  const joint = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal;
  const failures: unknown[] = [];
  const results = await Promise.all(
    tasks.map((task) =>
      task(joint).catch((error) => {
        failures.push(error);
        abort.abort();
        return undefined as T;
      }),
    ),
  );
  if (failures.length > 0) throw failures[0];
  return results;
}
