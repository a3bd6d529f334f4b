/**
 * Assembles shared/wire/frame-lines.wat into the module that the program loads. With --check it writes nothing and fails when
 * the module is not what the source says. Run it at the root: npm run kernel.
 */
import { readFile, writeFile } from 'node:fs/promises';
import wabt from 'wabt';

const SOURCE = 'shared/wire/frame-lines.wat';
const MODULE = 'shared/wire/frame-lines-kernel.ts';

async function assemble(source: string): Promise<string> {
  const assembler = await wabt();
  const { buffer } = assembler.parseWat(SOURCE, source).toBinary({});
  const text = Buffer.from(buffer).toString('base64');
  const lines = text.match(/.{1,100}/g)!.map((line) => `    '${line}',`);
  return [
    `/** ${SOURCE}, assembled by \`npm run kernel\`. */`,
    'export const FRAME_LINES_KERNEL = Buffer.from(',
    '  [',
    ...lines,
    "  ].join(''),",
    "  'base64',",
    ');',
    '',
  ].join('\n');
}

const fresh = await assemble(await readFile(SOURCE, 'utf8'));
const isCurrent = fresh === (await readFile(MODULE, 'utf8').catch(() => ''));
if (!isCurrent && process.argv.includes('--check')) {
  console.log(`${MODULE} is not what ${SOURCE} says: npm run kernel`);
  process.exitCode = 1;
} else if (!isCurrent) {
  await writeFile(MODULE, fresh);
  console.log(`wrote ${MODULE}`);
}
