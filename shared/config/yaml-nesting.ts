import { Lexer } from 'yaml';

/**
 * How deep a text nests at most, and on which line (from 1) it first goes deeper than `limit`; undefined when it never
 * does. The parser recurses, and where its stack ends V8 ends the process, which nobody can catch: so this looks first,
 * without recursion. It counts open brackets, `-`, `?` and `:` on a line, and columns of indentation, each of which can
 * open one level: never less than the real depth.
 */
export function lineNestedDeeperThan(limit: number, text: string): number | undefined {
  let line = 1;
  let brackets = 0;
  let onThisLine = 0;
  let atLineStart = true;
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === '[' || lexeme === '{') brackets += 1;
    else if (lexeme === ']' || lexeme === '}') brackets = Math.max(0, brackets - 1);
    else if (lexeme === '-' || lexeme === '?' || lexeme === ':') onThisLine += 1;
    else if (atLineStart && /^ +$/.test(lexeme)) onThisLine += lexeme.length;
    if (brackets + onThisLine > limit) return line;
    atLineStart = lexeme.endsWith('\n');
    if (atLineStart) onThisLine = 0;
    line += lexeme.split('\n').length - 1;
  }
  return undefined;
}
