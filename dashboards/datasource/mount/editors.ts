// The editors in a browser, with the packages of the oldest and of the newest
// supported Grafana: models are made with mouse and keyboard and compared with
// testdata/emitted, which the back end's tests parse.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import { chromium, type Browser, type Locator, type Page } from 'playwright-core';
import type { Editor } from './host';
import { serve, type Server } from './server';

const update = process.env.UPDATE === '1'; // write testdata/emitted anew
const runID = '019aaf3c6a00f00dcafe5eed00000001';

for (const name of ['oldest', 'newest']) {
  describe(`${name} Grafana`, { timeout: 300_000 }, () => {
    let server: Server;
    let browser: Browser;
    let page: Page;
    const complaints: string[] = [];

    before(async () => {
      server = await serve(name);
      browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
      page = await browser.newPage({ viewport: { width: 1100, height: 800 }, timezoneId: 'UTC', locale: 'en-GB' });
      page.setDefaultTimeout(20_000);
      page.on('pageerror', (e) => complaints.push(String(e)));
      page.on('console', (m) => {
        const missing = m.text().startsWith('Failed to load resource'); // fonts that packages lack, and the errors that are asked for
        if (['warning', 'error'].includes(m.type()) && !missing) {
          complaints.push(m.text());
        }
      });
      await open('dark');
    });
    beforeEach(() => {
      server.down = false;
    });
    after(async () => {
      await browser?.close();
      await server?.close();
      assert.deepEqual(complaints, [], 'the page complains about nothing');
      assert.deepEqual(server.unknown, [], 'the editors ask only for what the plugin has');
    });

    async function open(theme: string) {
      await page.goto(`${server.url}?theme=${theme}`);
      await page.waitForFunction(() => window.host !== undefined);
    }
    async function mount(editor: Editor, model: object = { refId: 'A' }) {
      await page.evaluate(([editor, model]) => window.host!.mount(editor, model), [editor, model] as const);
    }
    const box = (label: string) => page.getByRole('combobox', { name: label, exact: true });
    const field = (label: string) => page.getByRole('textbox', { name: label, exact: true });
    const button = (label: string) => page.getByRole('button', { name: label, exact: true });
    const named = (label: string) => page.getByLabel(label, { exact: true });
    const toggle = (label: string) => named(label).locator('xpath=..').locator('label').click();
    const press = (...keys: string[]) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
    /** An entry of the menu that is open. */
    const entry = (text: string): Locator =>
      page.locator('[role=option], [aria-label="Select option"]').filter({ has: page.getByText(text, { exact: true }) }).first();

    /** Opens the menu and clicks on an entry. */
    async function click(label: string, text: string) {
      await box(label).click();
      await entry(text).click();
    }
    /** Types in the menu until the entry is found, and takes it. */
    async function type(label: string, text: string, found = text) {
      await box(label).click();
      await page.keyboard.insertText(text);
      await entry(found).waitFor();
      await press('Enter');
    }
    /** Fills the field and leaves it. */
    async function fill(label: string, text: string) {
      await field(label).fill(text);
      await press('Tab');
    }
    /** Compares what the editor emitted last with the file. */
    async function emitted(file: string) {
      same(file, JSON.parse(JSON.stringify(await page.evaluate(() => window.host!.emitted()))));
    }

    test('a series, clicked and typed', async () => {
      await mount('query');
      await box('Measures').click();
      await press('Backspace', 'Escape'); // without the one that a new query has
      await type('Measures', 'ttff_ms_p95');
      await press('Escape');
      await type('Group by', 'cdn');
      await press('Escape');
      await button('Filter').click();
      await click('Dimension 1', 'country');
      await type('Values 1', 'd', 'DE');
      await box('Values 1').click();
      await page.keyboard.insertText('$country');
      await page.getByText('$country').last().waitFor();
      await press('Enter', 'Escape');
      await click('Step', '5m');
      await click('Order by', 'ttff_ms_p95');
      await toggle('Descending');
      await fill('Limit', '5');
      await fill('Legend', '{{cdn}}');
      await fill('Compare', '-7d');
      await click('Pair by', 'cdn');
      await fill('Exemplars', '2');
      assert.ok((await page.evaluate(() => window.host!.ran())) > 0, 'the query is run');
      await emitted('series');
    });

    test('a table', async () => {
      await mount('query');
      await type('Measures', 'runs');
      await click('Group by', 'country');
      await click('Group by', 'app_version');
      await press('Escape');
      await click('Step', 'none: a table');
      for (const [i, dimension, operator] of [[1, 'app_version', 'matches'], [2, 'pop', 'is known'], [3, 'cdn', 'is not'], [4, 'target', 'does not match']] as const) {
        await button('Filter').click();
        await click(`Dimension ${i}`, dimension);
        await click(`Operator ${i}`, operator);
      }
      await field('Pattern 1').fill('4\\.1\\..*');
      await press('Enter');
      await click('Known 2', 'no');
      await click('Values 3', 'b');
      await press('Escape');
      await fill('Pattern 4', 'test-.*');
      await emitted('table');
      await button('Remove filter 1').click();
      await button('Remove filter 1').click();
      assert.equal(await field('Pattern 2').inputValue(), 'test-.*', 'filters keep their values when another goes');
    });

    test('a run', async () => {
      await mount('query');
      await page.getByText('One run').first().click({ force: true }); // in front of it or behind it is what takes the click
      await field('Run').fill(` ${runID} `);
      await press('Enter');
      await emitted('trace');
    });

    test('with the keyboard alone', async () => {
      await mount('query');
      await box('Measures').waitFor();
      const reach = async (label: string) => {
        for (let i = 0; i < 60; i++) {
          await press('Tab');
          if ((await page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent)) === label) {
            return;
          }
        }
        assert.fail(`Tab does not lead to ${label}`);
      };
      await reach('Group by');
      await page.keyboard.type('country');
      await entry('country').waitFor();
      await press('Enter', 'Escape');
      await reach('Filter');
      await press('Enter');
      await box('Dimension 1').waitFor();
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
      await reach('Dimension 1');
      await page.keyboard.type('cdn');
      await entry('cdn').waitFor();
      await press('Enter');
      await reach('Values 1');
      await press('ArrowDown');
      await entry('a').waitFor();
      await press('Enter', 'Escape');
      await reach('Limit');
      await page.keyboard.type('7');
      await press('Enter');
      await emitted('keyboard');
    });

    test('back from the bucket of a link to the whole range', async () => {
      await mount('query', { refId: 'A', measures: ['bad'], step: '', at: '1795424400000', for: '5m' });
      await page.getByRole('button', { name: /^Only 5m from/ }).click();
      await emitted('whole');
    });

    test('a variable', async () => {
      await mount('variable', { dim: '' });
      await type('Values of', 'cdn');
      await button('Filter').click();
      await type('Dimension 1', 'country');
      await box('Values 1').click();
      await page.keyboard.insertText('$country');
      await page.getByText('$country').last().waitFor();
      await press('Enter');
      await emitted('variable');
    });

    test('the data source', async () => {
      await mount('config', { url: '', jsonData: {}, secureJsonData: {}, secureJsonFields: { tlsCACert: true } });
      await fill('URL', 'https://collector.example:8480');
      await named('Token').fill('sesame');
      await named('Timeout').fill('12');
      for (const name of ['CA certificate', 'Client certificate']) {
        await toggle(name);
      }
      await button('Reset').click();
      await named('Authority').fill('a certificate');
      await named('Certificate').fill('another');
      await named('Key').fill('its key');
      await fill('Server name', 'collector.internal');
      await emitted('config');
    });

    test('what the collector says when it is away', async () => {
      server.down = true;
      await mount('query');
      await page.getByText(/^nothing listens at .*: is collector serve running/).waitFor();
      await box('Measures').click();
      await page.keyboard.insertText('sli_of_tomorrow'); // what cannot be listed can be typed
      await page.getByText('sli_of_tomorrow').last().waitFor();
      await press('Enter');
      const got = (await page.evaluate(() => window.host!.emitted())) as { measures: string[] };
      assert.deepEqual(got.measures, ['sli', 'sli_of_tomorrow']);
    });

    test('a query with variables and ad hoc filters', async () => {
      const query = { ...saved('table'), group_by: ['country'], where: [...saved('series').where, { dim: 'cdn', op: 'in', values: ['$cdn'] }] };
      const filters = [{ key: 'app', operator: '!=', value: 'tv' }];
      const ask = (query: object) => page.evaluate(([query, filters]) => window.host!.ask(query, filters, { country: ['BR', 'DE'], cdn: '$__all' }), [query, filters] as const);
      assert.deepEqual(await ask(query), {
        fields: [[
          { name: 'country', unit: 'string', values: ['BR', 'DE', null] },
          { name: 'runs', unit: 'short', values: [3, 1, 1] },
          { name: 'sli', unit: 'percentunit', values: [1 / 3, 1, 1] },
        ]],
      });
      const { datasource, datasourceId, intervalMs, maxDataPoints, queryCachingTTL, ...model } = server.queries.at(-1)!.queries[0];
      assert.deepEqual([(datasource as { uid: string }).uid, maxDataPoints], ['ff', 400]);
      same('asked', model);
      const { error } = (await ask({ ...query, group_by: ['contry'] })) as { error: string };
      assert.match(error, /contry.*country/);
    });

    test('pictures', async () => {
      const query = { ...saved('series'), at: '1795424400000', for: '5m' };
      const config = saved('config');
      for (const theme of ['light', 'dark']) {
        await open(theme);
        for (const [editor, model] of Object.entries({ query, config })) {
          await mount(editor as Editor, model);
          await page.getByText(editor === 'query' ? 'Group by' : 'URL', { exact: true }).waitFor();
          await page.waitForLoadState('networkidle');
          await page.screenshot({ path: `dist-mount/${name}-${editor}-${theme}.png`, animations: 'disabled', fullPage: true });
        }
      }
    });
  });
}

/** A model of testdata/emitted. */
function saved(file: string) {
  return JSON.parse(readFileSync(`testdata/emitted/${file}.json`, 'utf8'));
}

/** Compares with the file, or writes it. */
function same(file: string, got: unknown) {
  if (update) {
    writeFileSync(`testdata/emitted/${file}.json`, JSON.stringify(got, null, 1) + '\n');
  }
  assert.deepEqual(got, saved(file));
}
