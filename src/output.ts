/** Lets this process go on when whoever read its output has gone, as in `npm start | head`: an error of a stream that nobody hears ends a process. */
export function outliveReaders() {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
