/**
 * Writes the generated sections of the pages in docs/: settings from the schemas, errors and metrics from their
 * catalogues. With --check it writes nothing and fails when a page is not up to date. Run it at the root: npm run docs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { withSections } from './docs/generated-sections.ts';
import { generatedPages } from './docs/pages.ts';

const check = process.argv.includes('--check');
const stale = Object.entries(generatedPages()).filter(([file, sections]) => {
  const page = readFileSync(file, 'utf8');
  const fresh = withSections(page, sections);
  if (fresh === page) return false;
  if (!check) writeFileSync(file, fresh);
  return true;
});

for (const [file] of stale) console.log(check ? `${file} is not up to date: npm run docs` : `wrote ${file}`);
if (check && stale.length > 0) process.exitCode = 1;
