// The process that writes the demo's log files: one of its own, so that its work is not counted as that of others. Takes
// its plan as JSON from its argument and reports as lines of JSON on standard output.
import { generate } from './generate.ts';
import type { GeneratorPlan, Written, WrittenFile } from './generate.ts';

export type GeneratorReport = ({ kind: 'progress' } & Written) | { kind: 'done'; files: WrittenFile[] };

const report = (what: GeneratorReport): void => void process.stdout.write(`${JSON.stringify(what)}\n`);

const plan: GeneratorPlan = JSON.parse(process.argv[2]!);
report({ kind: 'done', files: await generate(plan, (written) => report({ kind: 'progress', ...written })) });
