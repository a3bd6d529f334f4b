export type Environment = Readonly<Record<string, string | undefined>>;

/** The text with its variables filled in, or what keeps it from being so. */
export type Interpolated = { readonly value: string } | { readonly problem: string };

const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g;

/**
 * Fills in `${NAME}` from the environment; `${NAME:-default}` takes the default when the variable is unset or empty, as
 * in the shell (POSIX.1-2024, 2.6.2). `$${` stands for the characters `${`. What comes in is not looked at again.
 */
export function interpolate(text: string, env: Environment): Interpolated {
  const problems: string[] = [];
  const value = text.replace(
    REFERENCE,
    (reference: string, name: string | undefined, fallback: string | undefined) => {
      if (reference === '$${') return '${';
      if (name === undefined) {
        problems.push(
          '${ begins the name of an environment variable, as in ${NAME}; write $${ for the characters ${',
        );
        return '';
      }
      const found = Object.hasOwn(env, name) ? env[name] : undefined;
      if (fallback !== undefined) return found === undefined || found === '' ? fallback : found;
      if (found === undefined)
        problems.push(`environment variable ${name} is not set; set it, or write \${${name}:-default}`);
      return found ?? '';
    },
  );
  return problems.length > 0 ? { problem: problems.join('; ') } : { value };
}
