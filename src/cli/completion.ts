// `kv completion bash | zsh`: scripts by which a shell completes commands and options, made from their definitions.

import { defineCommand } from "citty";
import { argumentsOf, type Command, descriptionOf } from "./commands.ts";
import { wrongUsage } from "./outcome.ts";
import { print } from "./output.ts";

type Commands = Record<string, Command>;

const SHELLS: Record<string, (commands: Commands) => string> = { bash, zsh };

/** For these, for itself and for `help`. */
export function completionOf(commands: Commands): Command {
  const completion = defineCommand({
    meta: { name: "kv completion", description: "Print what makes a shell complete: source <(kv completion bash)" },
    args: { shell: { type: "positional", description: "bash or zsh", required: true } },
    async run({ args }) {
      const script = SHELLS[args.shell];
      if (!script) throw wrongUsage("There are scripts for bash and for zsh.");
      await print(script({ ...commands, completion }));
    },
  });
  return completion;
}

function optionsOf(command: Command) {
  return argumentsOf(command).flatMap(([name, { type, description = "" }]) =>
    type === "positional" ? [] : [{ name: `--${name}`, description, takesValue: type !== "boolean" }],
  );
}

/** But for the one whose word is neither a key nor a file. */
const ordinary = (commands: Commands) => Object.entries(commands).filter(([name]) => name !== "completion");

function bash(commands: Commands): string {
  const cases = ordinary(commands).map(
    ([name, command]) =>
      `    ${name}) words="${optionsOf(command)
        .map((option) => option.name)
        .join(" ")}" ;;`,
  );
  return `_kv() {
  local words="${Object.keys(commands).join(" ")} help" current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -gt 1 ]; then
    case "\${COMP_WORDS[1]} $current" in
      "help "* | "completion "* | *" -"*) ;;
      *) return ;;
    esac
    case "\${COMP_WORDS[1]}" in
      help) ;;
      completion) words="${Object.keys(SHELLS).join(" ")}" ;;
${cases.map((each) => `  ${each}`).join("\n")}
      *) return ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _kv kv
`;
}

function zsh(commands: Commands): string {
  const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const names = Object.entries(commands).map(([name, command]) => quoted(`${name}:${descriptionOf(command)}`));
  const cases = ordinary(commands).map(([name, command]) => {
    const specs = optionsOf(command).map(({ name: option, description, takesValue }) =>
      quoted(
        `${option}${takesValue ? "=" : ""}[${description.replace(/[[\]:\\]/g, "\\$&")}]${takesValue ? ":value:" : ""}`,
      ),
    );
    return `    ${name}) _arguments ${[...specs, quoted("*:file:_files")].join(" ")} ;;`;
  });
  return `#compdef kv
_kv() {
  if (( CURRENT == 2 )); then
    local -a commands=(${names.join(" ")})
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
    help) _values command ${Object.keys(commands).join(" ")} ;;
    completion) _values shell ${Object.keys(SHELLS).join(" ")} ;;
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = "_kv" ]; then _kv "$@"; else compdef _kv kv; fi
`;
}
