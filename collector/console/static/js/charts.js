// Success, time to first frame and its phases over time, drawn by Apache ECharts.

import { num, text } from './api.js';
import { dragToZoom } from './zoom.js';
import { PHASES } from './phases.js';
import { clock, day, ms, percent, plural, zoneName } from './format.js';

/**
 * @typedef {import('./api.js').Row} Row
 * @typedef {import('./format.js').Zone} Zone
 * @typedef {import('echarts').ECharts} Chart
 * @typedef {import('echarts').EChartsOption} Option
 * @typedef {import('echarts').LineSeriesOption} Line
 * @typedef {{label: string, field: string, color: string, dashed?: boolean}} Curve
 * @typedef {{min: number, max?: number, interval?: number, splitNumber?: number, axisLabel?: {formatter: (v: number) => string}}} Scale
 */

// The vendored build is a classic script that sets this one global.
const { echarts } = /** @type {{echarts: typeof import('echarts')}} */ (/** @type {unknown} */ (globalThis));

const GROUP = 'time';

/** The three charts; they share one cross-hair. */
export class Charts {
  /** @type {Chart[]} */
  #charts;
  /** @type {Row[]} */
  #rows = [];
  /** @type {Zone} */
  #zone = 'utc';

  /**
   * @param {HTMLElement[]} places  of success, TTFF and phases
   * @param {(from: number, to: number) => void} choose  called with a range that was dragged over, in Unix milliseconds
   */
  constructor(places, choose) {
    this.#charts = places.map((place) => {
      place.setAttribute('role', 'img');
      const chart = echarts.init(place, null, { renderer: 'canvas' });
      chart.group = GROUP;
      new ResizeObserver(() => chart.resize()).observe(place);
      dragToZoom(place, (x) => Number(chart.convertFromPixel({ xAxisIndex: 0 }, x)), (from, to) => this.#rows.length > 0 && choose(from, to));
      return chart;
    });
    echarts.connect(GROUP);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  /**
   * @param {Row[]} rows  one per bucket, in order
   * @param {Zone} zone
   */
  show(rows, zone) {
    this.#rows = rows;
    this.#zone = zone;
    this.#draw();
  }

  #draw() {
    const options = [this.#success(), this.#ttff(), this.#phases()];
    options.forEach((option, i) => {
      const chart = /** @type {Chart} */ (this.#charts[i]);
      chart.setOption(option, { replaceMerge: ['series'] }); // merged otherwise, so that an open tooltip stays
      chart.getDom().setAttribute('aria-label', this.#summary(i));
    });
  }

  /** @param {number} i */
  #summary(i) {
    const row = this.#rows.findLast((r) => (num(r, 'runs') ?? 0) > 0);
    if (!row) return 'No runs in this range';
    const at = this.#time(Date.parse(text(row, 'time') ?? ''), true);
    if (i === 0) return `At ${at} ${percent(num(row, 'sli'))} good, ${percent(num(row, 'availability'))} played`;
    if (i === 1) return `At ${at} time to first frame p50 ${ms(num(row, 'ttff_ms_p50'))}, p95 ${ms(num(row, 'ttff_ms_p95'))}`;
    return `At ${at} ${PHASES.map((p) => `${p.label} ${ms(num(row, `${p.field}_avg`))}`).join(', ')}`;
  }

  /** @returns {Option} */
  #success() {
    const curves = [
      { label: 'played', field: 'availability', color: '--line-2' },
      { label: 'good', field: 'sli', color: '--line-1' },
    ];
    const lowest = Math.min(1, ...this.#rows.map((r) => num(r, 'sli')).filter((v) => v !== null));
    const floor = lowest >= 0.95 ? 0.95 : lowest >= 0.8 ? 0.8 : lowest >= 0.5 ? 0.5 : 0;
    const axis = { min: floor, max: 1, interval: (1 - floor) / 2, axisLabel: { formatter: (/** @type {number} */ v) => `${+(v * 100).toFixed(1)} %` } };
    return this.#lines(curves, percent, axis);
  }

  /** @returns {Option} */
  #ttff() {
    const curves = [
      { label: 'p50', field: 'ttff_ms_p50', color: '--line-1' },
      { label: 'p95', field: 'ttff_ms_p95', color: '--line-2' },
      { label: 'threshold', field: 'threshold_ms_avg', color: '--muted', dashed: true },
    ];
    return this.#lines(curves, ms, { min: 0, splitNumber: 3 });
  }

  /**
   * @param {Curve[]} curves
   * @param {(v: number|null) => string} format
   * @param {Scale} scale  of the y axis
   * @returns {Option}
   */
  #lines(curves, format, scale) {
    return {
      ...this.#frame(format, scale, curves.map((c) => c.label)),
      series: curves.map((c, i) => this.#line(c, i === 0)),
    };
  }

  /**
   * @param {Curve} curve
   * @param {boolean} first  bears the marks of buckets without runs
   * @returns {Line}
   */
  #line({ label, field, color, dashed }, first) {
    const points = this.#points(field);
    const paint = css(color);
    return {
      name: label,
      type: 'line',
      color: paint,
      lineStyle: { width: dashed ? 1 : 2, type: dashed ? 'dashed' : 'solid', color: paint },
      emphasis: { disabled: true },
      connectNulls: false,
      showAllSymbol: true,
      symbol: 'circle',
      // Only a point without neighbours is drawn as such: it would not be seen as a line.
      symbolSize: (/** @type {[number, number|null]} */ _, /** @type {{dataIndex: number}} */ { dataIndex: i }) =>
        points[i - 1]?.[1] == null && points[i + 1]?.[1] == null ? 5 : 0,
      data: points,
      markArea: first ? this.#gaps() : undefined,
    };
  }

  /** @returns {Option} */
  #phases() {
    // Less than a millisecond cannot be seen, and would only fill the legend.
    const shown = PHASES.filter((p) => this.#rows.some((r) => (num(r, `${p.field}_avg`) ?? 0) >= 1));
    return {
      ...this.#frame(ms, { min: 0, splitNumber: 3 }, shown.map((p) => p.label)),
      series: shown.map((p, i) => ({
        name: p.label,
        type: 'bar',
        stack: 'phases',
        barWidth: '92%',
        color: css(`--ph-${p.name}`),
        emphasis: { disabled: true },
        data: this.#points(`${p.field}_avg`),
        markArea: i === 0 ? this.#gaps() : undefined,
      })),
    };
  }

  /**
   * @param {string} field
   * @returns {[number, number|null][]}
   */
  #points(field) {
    return this.#rows.map((r) => [Date.parse(text(r, 'time') ?? ''), num(r, field)]);
  }

  /** The spans without runs, greyed so that they do not look like calm. */
  #gaps() {
    const times = this.#points('runs');
    const step = times.length > 1 ? (times[1]?.[0] ?? 0) - (times[0]?.[0] ?? 0) : 0;
    /** @type {[{xAxis: number}, {xAxis: number}][]} */
    const spans = [];
    for (const [at, runs] of times) {
      if (runs) continue;
      const open = spans.at(-1);
      if (open && open[1].xAxis >= at - step / 2 - 1) open[1].xAxis = at + step / 2;
      else spans.push([{ xAxis: at - step / 2 }, { xAxis: at + step / 2 }]);
    }
    return {
      silent: true,
      animation: false,
      label: { show: false },
      itemStyle: { color: css('--gap') },
      data: spans,
    };
  }

  /**
   * What all three share. The tooltip is drawn on the canvas, without markup.
   * @param {(v: number|null) => string} format
   * @param {Scale} scale
   * @param {string[]} names
   * @returns {Option}
   */
  #frame(format, scale, names) {
    const [ink, muted, grid, surface] = [css('--ink'), css('--muted'), css('--grid'), css('--card')];
    const font = getComputedStyle(document.body);
    const size = Math.round(parseFloat(font.fontSize) * 0.8);
    const times = this.#rows.map((r) => Date.parse(text(r, 'time') ?? ''));
    const step = (times[1] ?? 0) - (times[0] ?? 0);
    return {
      animation: false,
      textStyle: { fontFamily: font.fontFamily, fontSize: size, color: ink },
      grid: { left: size * 5, right: size * 1.2, top: size * 2.6, bottom: size * 2 },
      legend: {
        top: 0, right: 0, left: size * 4, type: 'scroll', data: names, itemWidth: size, itemHeight: size * 0.8, itemGap: size * 0.9,
        textStyle: { color: muted, fontSize: size }, pageTextStyle: { color: muted }, pageIconColor: muted, pageIconInactiveColor: grid,
      },
      xAxis: {
        type: 'time', min: (times[0] ?? 0) - step / 2, max: (times.at(-1) ?? 0) + step / 2, splitNumber: 5,
        axisLabel: { color: muted, fontSize: size, hideOverlap: true, formatter: (/** @type {number} */ v) => this.#tick(v) },
        axisLine: { lineStyle: { color: grid } }, axisTick: { lineStyle: { color: grid } }, splitLine: { show: false },
      },
      yAxis: {
        type: 'value', splitLine: { lineStyle: { color: grid } }, ...scale,
        axisLabel: { color: muted, fontSize: size, formatter: (/** @type {number} */ v) => format(v), ...scale.axisLabel },
      },
      tooltip: {
        trigger: 'axis', renderMode: 'richText', confine: true, backgroundColor: surface, borderColor: grid,
        padding: size / 2, textStyle: { color: ink, fontSize: size }, axisPointer: { type: 'line', lineStyle: { color: muted } },
        formatter: (/** @type {any} */ items) => this.#tip(items, format),
      },
    };
  }

  /**
   * @param {{seriesName: string, dataIndex: number, value: [number, number|null]}[]} items
   * @param {(v: number|null) => string} format
   */
  #tip(items, format) {
    const [first] = items;
    if (!first) return '';
    const runs = num(this.#rows[first.dataIndex] ?? new Map(), 'runs') ?? 0;
    const lines = items.filter((i) => i.value[1] !== null).map((i) => `${i.seriesName}  ${format(i.value[1])}`);
    // Many lines would be higher than the chart, so they go two by two.
    const wide = lines.length > 4 ? Array.from({ length: Math.ceil(lines.length / 2) }, (_, i) => lines.slice(2 * i, 2 * i + 2).join('   ')) : lines;
    return [`${this.#time(first.value[0], true)} · ${runs === 0 ? 'no data' : plural(runs, 'run')}`, ...wide].join('\n');
  }

  /** @param {number} at */
  #tick(at) {
    const time = clock(at, this.#zone);
    if (time === '00:00:00') return day(at, this.#zone).slice(5);
    return time.endsWith(':00') ? time.slice(0, 5) : time;
  }

  /**
   * @param {number} at
   * @param {boolean} zone
   */
  #time(at, zone) {
    return `${day(at, this.#zone)} ${clock(at, this.#zone)}${zone ? ` ${zoneName(at, this.#zone)}` : ''}`;
  }
}

/** @param {string} name  of a custom property */
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
