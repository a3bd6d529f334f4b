/**
 * Puts generated text between its marks in a hand-written page: `<!-- generated: name -->` … `<!-- /generated -->`.
 * What is outside stays as it is; prettier leaves what is inside alone.
 * @throws Error when the page has no marks for a section, or marks for one that nobody generates.
 */
export function withSections(page: string, sections: Readonly<Record<string, string>>): string {
  const pending = new Set(Object.keys(sections));
  const filled = page.replaceAll(
    /<!-- generated: (\S+) -->\n[\s\S]*?<!-- \/generated -->/g,
    (_, name: string) => {
      const content = sections[name];
      if (content === undefined) throw new Error(`nobody generates the section ${name}`);
      pending.delete(name);
      return [
        `<!-- generated: ${name} -->`,
        '<!-- prettier-ignore-start -->',
        '',
        content,
        '',
        '<!-- prettier-ignore-end -->',
        '<!-- /generated -->',
      ].join('\n');
    },
  );
  if (pending.size > 0) throw new Error(`the page has no place for ${[...pending].join(', ')}`);
  return filled;
}
