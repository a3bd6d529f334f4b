/** Small charts as SVG, without scripts, readable on light and dark ground. */

export interface Bar {
  label: string;
  value: number;
  isOurs: boolean;
}

export interface BarPanel {
  title: string;
  bars: readonly Bar[];
}

export interface Curve {
  label: string;
  points: readonly { x: number; y: number }[];
}

const WIDTH = 760;
const LABEL_WIDTH = 230;
const VALUE_WIDTH = 70;
const ROW = 24;
const TITLE = 34;

/** `prefers-color-scheme` is that of the reader, also where the picture stands in a page as an image. */
const STYLE = `<style>
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .ours { fill: #0969da; stroke: #0969da; } .other { fill: #8c959f; stroke: #8c959f; }
  .axis { stroke: #8c959f; stroke-width: 1; } polyline { fill: none !important; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .ours { fill: #58a6ff; stroke: #58a6ff; } .other { fill: #6e7681; stroke: #6e7681; }
  }
</style>`;

/** Panels one below the other, each with a scale of its own that begins at zero. */
export function barChart(panels: readonly BarPanel[]): string {
  const parts: string[] = [];
  let top = 0;
  for (const { title, bars } of panels) {
    parts.push(`<text class="title" x="0" y="${top + 20}">${escapeXml(title)}</text>`);
    const longest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE);
    for (const [i, { label, value, isOurs }] of bars.entries()) {
      const y = top + TITLE + i * ROW;
      const width = (value / longest) * (WIDTH - LABEL_WIDTH - VALUE_WIDTH);
      parts.push(
        `<text x="0" y="${y + 13}">${escapeXml(label)}</text>`,
        `<rect class="${isOurs ? 'ours' : 'other'}" x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 7}"/>`,
        `<text x="${(LABEL_WIDTH + width + 6).toFixed(1)}" y="${y + 13}">${shortNumber(value)}</text>`,
      );
    }
    top += TITLE + bars.length * ROW + 12;
  }
  return svg(top, parts);
}

const PLOT = { left: 60, right: WIDTH - 190, top: 40, bottom: 300 };

/** Curves over a logarithmic x axis, with y from zero. The first one is ours. */
export function curveChart(title: string, xTitle: string, curves: readonly Curve[]): string {
  const points = curves.flatMap((curve) => curve.points);
  const xs = [...new Set(points.map(({ x }) => x))].toSorted((a, b) => a - b);
  const [first, last] = [Math.log(xs[0] ?? 1), Math.log(xs.at(-1) ?? 1)];
  const most = Math.max(...points.map(({ y }) => y), Number.MIN_VALUE);
  const xOf = (x: number): number =>
    PLOT.left + ((Math.log(x) - first) / (last - first || 1)) * (PLOT.right - PLOT.left);
  const yOf = (y: number): number => PLOT.bottom - (y / most) * (PLOT.bottom - PLOT.top);
  const parts = [
    `<text class="title" x="0" y="20">${escapeXml(title)}</text>`,
    `<text x="${PLOT.right}" y="${PLOT.bottom + 40}" text-anchor="end">${escapeXml(xTitle)}</text>`,
    `<line class="axis" x1="${PLOT.left}" y1="${PLOT.bottom}" x2="${PLOT.right}" y2="${PLOT.bottom}"/>`,
    ...xs.map(
      (x) => `<text x="${xOf(x).toFixed(1)}" y="${PLOT.bottom + 18}" text-anchor="middle">${x}</text>`,
    ),
    ...[0, most / 2, most].map(
      (y) =>
        `<text x="${PLOT.left - 8}" y="${(yOf(y) + 4).toFixed(1)}" text-anchor="end">${shortNumber(y)}</text>`,
    ),
  ];
  for (const [i, { label, points: own }] of curves.entries()) {
    const kind = i === 0 ? 'ours' : 'other';
    const line = own.map(({ x, y }) => `${xOf(x).toFixed(1)},${yOf(y).toFixed(1)}`).join(' ');
    const end = own.at(-1);
    parts.push(`<polyline class="${kind}" points="${line}"/>`);
    if (end !== undefined)
      parts.push(
        `<text x="${(xOf(end.x) + 8).toFixed(1)}" y="${(yOf(end.y) + 4).toFixed(1)}">${escapeXml(label)}</text>`,
      );
  }
  return svg(PLOT.bottom + 56, parts);
}

function svg(height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">`,
    STYLE,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** Three digits, and all of those in front of the point. */
function shortNumber(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
