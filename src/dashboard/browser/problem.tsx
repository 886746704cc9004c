// What went wrong, read out at once.

interface ProblemProps {
  /** Nothing is shown where it is empty. */
  text: string;
}

export function Problem({ text }: ProblemProps) {
  if (text === "") return null;
  return (
    <p class="problem" role="alert">
      {text}
    </p>
  );
}
