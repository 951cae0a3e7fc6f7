/** Colours have names by what they mean; text on its background has a contrast of 4.5 to 1 or more. */
const colours = `
:root {
  color-scheme: light dark;
  --page: #f4f6fa; --panel: #ffffff; --line: #dfe4ee; --text: #182033; --quiet: #56617a;
  --accent: #2f52cc; --track: #e3e8f2; --hover: #f3f6fd;
  --good: #12693c; --good-bg: #ddf3e5; --bad: #a81e28; --bad-bg: #fde3e3; --bad-line: #cf2f3b;
  --warn: #7d4c00; --warn-bg: #fdeecb; --off: #4a5468; --off-bg: #e6e9f0; --forced: #7a1d74; --forced-bg: #f9e2f6;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10141d; --panel: #191f2c; --line: #2d3546; --text: #e7ebf4; --quiet: #a3aec4;
    --accent: #8fa9ff; --track: #2d3546; --hover: #202838;
    --good: #7fdca4; --good-bg: #143524; --bad: #ff9c9c; --bad-bg: #47191d; --bad-line: #ef5f68;
    --warn: #f5c667; --warn-bg: #3f2e0b; --off: #bcc5d6; --off-bg: #323a4b; --forced: #f0a8ea; --forced-bg: #45193f;
  }
}`;

const frame = `
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1440px; padding: 20px 24px 48px; background: var(--page); color: var(--text);
  font: 14px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
h1, h2, p, dl, dd, ul { margin: 0; }
h1 { font-size: 22px; letter-spacing: -.01em; }
h2 { font-size: 15px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.top { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 16px; margin-bottom: 16px; }
.live { padding: 2px 10px; border-radius: 99px; font-size: 12px; font-weight: 600; color: var(--warn); background: var(--warn-bg); }
.live[data-state='live'] { color: var(--good); background: var(--good-bg); }
.live[data-state='lost'] { color: var(--bad); background: var(--bad-bg); }
.filter { margin-left: auto; display: flex; align-items: center; gap: 8px; color: var(--quiet); }
.filter input { width: 240px; }
input, button, select { font: inherit; color: var(--text); background: var(--panel); border: 1px solid var(--line); border-radius: 7px; padding: 6px 10px; }
input, select { border-color: var(--quiet); }
button { cursor: pointer; }
button:hover { background: var(--hover); border-color: var(--quiet); }
main { display: grid; grid-template-columns: repeat(12, minmax(0, 1fr)); gap: 16px; }
main > * { grid-column: span 12; }
@media (min-width: 1000px) {
  #breakers { grid-column: span 8; }
  #transitions { grid-column: span 4; }
  #bulkheads, .half { grid-column: span 6; }
}
.tiles dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; }
.tile { padding: 12px 14px; background: var(--panel); border: 1px solid var(--line); border-radius: 12px; }
.tile dt { color: var(--quiet); font-size: 12.5px; }
.tile dd { font-size: 24px; font-weight: 650; font-variant-numeric: tabular-nums; letter-spacing: -.02em; }
.tile[data-alarm='true'] { border-color: var(--bad-line); box-shadow: inset 3px 0 0 var(--bad-line); }
.tile[data-alarm='true'] dd { color: var(--bad); }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; display: flex; flex-direction: column; }
.head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 8px; padding: 12px 16px; border-bottom: 1px solid var(--line); }
.head p { color: var(--quiet); font-size: 12.5px; }
.head select { margin-left: auto; min-width: 0; max-width: min(100%, 320px); }
.head .count { margin-left: auto; }
.scroll { max-height: 420px; overflow: auto; }
#operations .scroll { max-height: 720px; }
#errors .scroll { max-height: 520px; }
.scroll:focus-visible { outline-offset: -2px; }
.chaos { margin-bottom: 16px; padding: 12px 16px; border: 1px solid var(--warn); border-radius: 12px; color: var(--warn); background: var(--warn-bg); }
.chaos .list li { padding: 4px 0; border: 0; }
.chaos .sub { color: inherit; }
.chaos[hidden], .panel[hidden] { display: none; }
.none { padding: 20px 16px; color: var(--quiet); }
[data-waiting] .none { visibility: hidden; }
dialog { max-width: 440px; padding: 20px; border: 1px solid var(--line); border-radius: 14px; background: var(--panel); color: var(--text); }
dialog::backdrop { background: rgb(10 14 24 / .5); }
dialog p { margin: 8px 0 18px; color: var(--quiet); }
.actions { display: flex; justify-content: flex-end; gap: 8px; }
.scope { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 0 0 18px; padding: 8px 12px; border: 1px solid var(--line); border-radius: 7px; }
.scope[hidden] { display: none; }
.scope label { display: flex; align-items: center; gap: 6px; min-height: 24px; }
button.primary { color: var(--panel); background: var(--accent); border-color: var(--accent); font-weight: 600; }`;

const tables = `
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
thead th { position: sticky; top: 0; z-index: 1; background: var(--panel); color: var(--quiet); font-size: 12.5px; font-weight: 600;
  box-shadow: inset 0 -1px 0 var(--line); }
th, td { padding: 8px 12px; text-align: left; font-weight: inherit; vertical-align: middle; }
th:first-child { padding-left: 16px; }
td:last-child { padding-right: 16px; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody tr:hover { background: var(--hover); }
.number, .right { text-align: right; }
.spark { display: block; width: 100%; min-width: 80px; height: 24px; fill: none; stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; overflow: visible; border-bottom: 1px solid var(--track); }
.spark path { vector-effect: non-scaling-stroke; }
.spark .fill { fill: var(--accent); opacity: .14; }
.spark .area, .spark .p99 { stroke: var(--accent); }
.spark .seen { stroke: var(--bad-line); }
.spark .hid { stroke: var(--warn); stroke-dasharray: 3 3; }
.trend { width: 132px; white-space: nowrap; }
.tile .drawn { font-size: 0; margin-top: 4px; }
#breakers th, #breakers td { padding-left: 8px; padding-right: 8px; }
#breakers th:first-child { padding-left: 16px; }
#breakers td:last-child { padding-right: 12px; }
.number, .short { white-space: nowrap; }
thead button { all: unset; cursor: pointer; border-radius: 4px; }
thead button:hover { color: var(--text); }
thead button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[aria-sort] button::after { content: ' ↓'; color: var(--accent); }
[aria-sort='ascending'] button::after { content: ' ↑'; }
.name { display: block; font-weight: 600; overflow-wrap: anywhere; }
th .name { min-width: 92px; }
#breakers .name, #configuration .name, #advice .name { min-width: 150px; }
#configuration td { overflow-wrap: anywhere; }
.sub { display: block; color: var(--quiet); font-size: 12.5px; font-weight: 400; overflow-wrap: anywhere; }
.bad { color: var(--bad); font-weight: 650; }
.zero { color: var(--quiet); }
.badge { display: inline-block; padding: 1px 9px; border-radius: 99px; font-size: 12.5px; font-weight: 650; white-space: nowrap; }
.badge[data-state='CLOSED'] { color: var(--good); background: var(--good-bg); }
.badge[data-state='OPEN'] { color: var(--bad); background: var(--bad-bg); }
.badge[data-state='HALF_OPEN'] { color: var(--warn); background: var(--warn-bg); }
.badge[data-state='FORCED_OPEN'] { color: var(--forced); background: var(--forced-bg); }
.badge[data-state='DISABLED'] { color: var(--off); background: var(--off-bg); }
.badge[data-state='up'] { color: var(--good); background: var(--good-bg); }
.badge[data-state='degraded'] { color: var(--warn); background: var(--warn-bg); }
.badge[data-state='down'] { color: var(--bad); background: var(--bad-bg); }
.badge[data-state='none'] { color: var(--quiet); }
.instances { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); max-height: 240px; overflow: auto; border-bottom: 1px solid var(--line); }
.list.instances li + li { border-top: 0; }
.place { min-width: 22px; color: var(--quiet); font-variant-numeric: tabular-nums; }
.sign { padding: 0 7px; border-radius: 99px; background: var(--off-bg); color: var(--off); font-size: 12.5px; font-weight: 650; }
.lost .name, .lost .badge { font-style: italic; font-weight: 400; color: var(--quiet); background: none; }
#fleet .state { padding: 4px 3px; text-align: center; }
#fleet .state .badge { padding: 1px 6px; }
#fleet[data-roomy='false'] .word { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.buttons { display: flex; gap: 6px; justify-content: flex-end; }
.buttons button { padding: 3px 8px; font-size: 12.5px; white-space: nowrap; }
.buttons button[aria-disabled='true'] { color: var(--quiet); border-style: dashed; cursor: default; background: none; }
.bar { height: 6px; margin-top: 5px; border-radius: 3px; background: var(--track); overflow: hidden; }
.bar > span { display: block; height: 100%; width: 0; background: var(--accent); }
.bar[data-full='true'] > span { background: var(--bad-line); }
.list { list-style: none; padding: 0; }
.list li { padding: 9px 16px; }
.list li + li { border-top: 1px solid var(--line); }
.list time { color: var(--quiet); font-size: 12.5px; font-variant-numeric: tabular-nums; }
.line { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 8px; }
.line .name { display: inline; }
.line time { margin-left: auto; }
.times { padding: 0 7px; border-radius: 99px; background: var(--bad-bg); color: var(--bad); font-size: 12.5px; font-weight: 650; }
.message { margin-top: 2px; overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden; }
.clamp { display: -webkit-box; -webkit-line-clamp: 3; -webkit-box-orient: vertical; overflow: hidden; }
.cause { color: var(--quiet); font-size: 12.5px; }
.arrow { color: var(--quiet); }
.more { width: calc(100% - 24px); margin: 4px 12px 12px; }
.more[hidden] { display: none; }`;

/** On a phone a table is a list of cards; every value says what it is. */
const phone = `
@media (max-width: 700px) {
  body { padding: 14px 12px 40px; }
  .filter { margin: 0; width: 100%; }
  .filter input { width: 100%; font-size: 16px; padding: 8px 10px; }
  .tiles dl { grid-template-columns: 1fr 1fr; gap: 8px; }
  .tile { padding: 10px 12px; }
  .tile dd { font-size: 20px; }
  .panel .scroll { max-height: none !important; }
  table, tbody { display: block; }
  thead, thead tr { display: block; position: static; }
  thead tr { display: flex; flex-wrap: wrap; gap: 4px 14px; padding: 8px 16px; border-bottom: 1px solid var(--line); }
  thead th { position: static; padding: 0; box-shadow: none; }
  thead th:first-child { padding: 0; }
  thead th:not(:has(button)) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { display: grid; grid-template-columns: repeat(3, auto); justify-content: space-between; gap: 6px 12px; padding: 12px 16px; }
  #fleet tbody tr { grid-template-columns: repeat(auto-fill, minmax(28px, auto)); justify-content: start; gap: 6px; }
  #fleet tbody td:nth-child(2) { grid-column: 1 / -1; }
  #fleet[data-roomy='true'] tbody tr { grid-template-columns: repeat(auto-fill, minmax(110px, 1fr)); }
  #operations tbody tr { grid-template-columns: repeat(4, 1fr); }
  #operations td.trend { grid-column: span 2; width: auto; }
  tbody tr + tr { border-top: 1px solid var(--line); }
  tbody tr + tr > * { border-top: 0; }
  tbody tr > *, tbody tr td:last-child, tbody tr th:first-child, #breakers tbody tr > *, #breakers tr > th:first-child { padding: 0; }
  tbody th, tbody td.wide { grid-column: 1 / -1; }
  tbody td::before { content: attr(data-label); display: block; color: var(--quiet); font-size: 12px; font-weight: 400; }
  tbody td.bare::before { content: none; }
  .number, .right { text-align: left; }
  .buttons { justify-content: flex-start; margin-top: 4px; }
  .buttons button { padding: 8px 12px; }
}
tr[hidden], li[hidden] { display: none !important; }
@media (forced-colors: active) { .badge, .live, .tile { border: 1px solid; } .bar > span { background: Highlight; } }`;

export const style = [colours, frame, tables, phone].join('\n');
