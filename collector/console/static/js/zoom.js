// Dragging the mouse over a chart chooses the time between.

import { el } from './dom.js';

/** Shorter drags are clicks, in pixels. */
const LEAST = 8;

/**
 * @param {HTMLElement} place  holds the chart
 * @param {(x: number) => number} timeAt  the instant in Unix milliseconds at so many pixels from the left
 * @param {(from: number, to: number) => void} choose
 */
export function dragToZoom(place, timeAt, choose) {
  const band = el('div', { class: 'band', hidden: true });
  place.append(band);
  /** @type {number|null} */
  let start = null;
  /** @param {PointerEvent} event */
  const across = (event) => {
    const { left, width } = place.getBoundingClientRect();
    return Math.min(Math.max(event.clientX - left, 0), width);
  };
  // A finger scrolls the page, so this is for the mouse alone.
  place.addEventListener('pointerdown', (event) => {
    if (event.pointerType !== 'mouse' || event.button !== 0) return;
    start = across(event);
    place.setPointerCapture(event.pointerId);
  });
  place.addEventListener('pointermove', (event) => {
    if (start === null) return;
    const now = across(event);
    band.hidden = Math.abs(now - start) < LEAST;
    band.style.left = `${Math.min(start, now)}px`;
    band.style.width = `${Math.abs(now - start)}px`;
  });
  place.addEventListener('pointerup', (event) => {
    if (start === null) return;
    const [a, b] = [start, across(event)].sort((x, y) => x - y);
    stop();
    if (a !== undefined && b !== undefined && b - a >= LEAST) choose(timeAt(a), timeAt(b));
  });
  place.addEventListener('pointercancel', stop);
  function stop() {
    start = null;
    band.hidden = true;
  }
}
