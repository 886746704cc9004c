// A promise that another invocation of a Worker may settle.

/**
 * Of `new Promise` in code that V8 has optimized, workerd does not know who waits for it: what waits then goes on as part of
 * the invocation that settles it, where it can't send anything. Classes of promises are not optimized so.
 */
export class Pending<T> extends Promise<T> {}
