// The state of the servers and of the database.

export function StateView() {
  return <p class="hint">None is told here.</p>;
}
