import type { Second } from './books.js';
import { capacity, type Scenario } from './scenario.js';
import type { Result } from './simulation.js';
import { loadPeer } from './strategies/peers.js';

const SIZE = { width: 860, height: 520 };
/** Of the leaf's capacity: naive retries would leave no room for anything else. */
const HIGHEST_LOAD = 3;

/** One colour a strategy, whichever are shown; ours is the one to find. */
const COLOURS: Readonly<Record<string, string>> = {
  none: '#7f8c8d',
  naive: '#d62728',
  backoff: '#ff7f0e',
  article: '#9467bd',
  cockatiel: '#17a2b8',
  opossum: '#8c564b',
  budget: '#9acd32',
  keyless: '#1f77b4',
  bulwark: '#1a7f37',
};

/** A scenario's goodput and the load of the leaf over time, of all strategies, as an SVG image. */
export async function plot(scenario: Scenario, results: readonly Result[]): Promise<string> {
  const { init } = await loadPeer<Echarts>('echarts');
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
  try {
    chart.setOption(options(scenario, results));
    return tidy(chart.renderToSVGString(), scenario.title);
  } finally {
    chart.dispose();
  }
}

/** Without what makes a picture of it interactive, or dependent on the pictures drawn before; with a title. */
function tidy(svg: string, title: string): string {
  const still = svg
    .replace(/<style >[\s\S]*?<\/style>\n/, '')
    .replaceAll(/ (class|pointer-events)="[^"]*"/g, '')
    .replaceAll(/zr\d+-/g, '');
  const firstTag = still.indexOf('>') + 1;
  return `${still.slice(0, firstTag)}\n<title>${title}</title>${still.slice(firstTag)}\n`;
}

function options(scenario: Scenario, results: readonly Result[]): object {
  const ofCapacity = (field: keyof Second) => (second: Second) =>
    second[field] / capacity(scenario);
  return {
    animation: false,
    backgroundColor: '#ffffff', // readable on dark pages too
    title: { text: scenario.title, left: 16, top: 6, textStyle: { fontSize: 15 } },
    legend: { bottom: 6, itemHeight: 3, itemGap: 22, icon: 'rect', data: results.map(titleOf) },
    grid: [
      { left: 60, right: 24, top: 68, height: 165 },
      { left: 60, right: 24, top: 280, height: 155 },
    ],
    xAxis: [0, 1].map((gridIndex) => ({
      type: 'value',
      gridIndex,
      max: scenario.untilMs / 1_000,
      splitLine: { show: false },
      axisLabel: { formatter: '{value} s' },
    })),
    yAxis: [
      axis(0, 'goodput, as a share of what the leaf can do', 1.2),
      axis(1, `calls that the leaf gets, likewise (cut off at ${HIGHEST_LOAD})`, HIGHEST_LOAD),
    ],
    series: [
      ...results.map((result) => line(result, 0, ofCapacity('goodput'))),
      ...results.map((result) => line(result, 1, ofCapacity('leafCalls'))),
    ],
  };
}

function axis(gridIndex: number, name: string, max: number): object {
  const nameTextStyle = { align: 'left', padding: [0, 0, 0, -44] };
  return { type: 'value', gridIndex, name, nameTextStyle, max, splitNumber: 3 };
}

function line(result: Result, at: number, height: (second: Second) => number): object {
  const { fromMs, untilMs } = result.scenario.storm;
  const colour = COLOURS[result.strategy.id];
  const ours = result.strategy.id === 'bulwark';
  return {
    name: titleOf(result),
    type: 'line',
    xAxisIndex: at,
    yAxisIndex: at,
    symbol: 'none',
    clip: true,
    z: ours ? 4 : 3,
    lineStyle: { width: ours ? 3 : 1.4, color: colour },
    itemStyle: { color: colour },
    data: result.seconds.map((second, n) => [n + 0.5, Number(height(second).toFixed(3))]),
    ...(ours && {
      markArea: {
        itemStyle: { color: 'rgba(214, 39, 40, 0.09)' },
        data: [[{ xAxis: fromMs / 1_000 }, { xAxis: untilMs / 1_000 }]],
      },
    }),
  };
}

function titleOf({ strategy }: Result): string {
  return strategy.title;
}

/** What is used of it: its types are installed no more than itself where this is compiled. */
interface Echarts {
  init(
    element: null,
    theme: null,
    options: { renderer: 'svg'; ssr: true; width: number; height: number },
  ): { setOption(option: object): void; renderToSVGString(): string; dispose(): void };
}
