// Text that is shown as it is, in a box that scrolls.

interface ShownProps {
  label: string;
  text: string;
}

export function Shown({ label, text }: ShownProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard.
    <section class="shown" aria-label={label} tabIndex={0}>
      <pre>{text}</pre>
    </section>
  );
}
