import type { APIRequestContext, Page } from '@playwright/test';
import { expect, test } from '@playwright/test';
import type { Node, Rollout } from '../src/api/types';
import { en } from '../src/i18n/en';
import { zh } from '../src/i18n/zh';
import { call, fits, logIn, read, shot, watch } from './sluice';

// A real rollout: three nginx with their agents, of which the first gets a change and bakes for an
// hour, which nobody waits for. `go test ./test/ui` starts them, as fleet "waves".

const nodes = ['edge-1', 'edge-2', 'edge-3'];

/** Changes the route of the fleet, which makes a new revision. */
async function route(request: APIRequestContext, timeout: string) {
  await call(request, 'put', '/tenants/waves/routes/all', { kind: 'Route', tenant: 'waves', name: 'all', spec: { hosts: ['waves.example.com'], to: [{ upstream: 'one' }], timeout } });
}

const current = async (request: APIRequestContext) => (await read<{ items: Rollout[] }>(request, '/fleets/waves/rollouts')).items[0];

for (const { locale, code, words, timeout } of [
  { locale: 'en-US', code: 'en', words: en, timeout: '41s' },
  { locale: 'zh-CN', code: 'zh', words: zh, timeout: '43s' },
]) {
  test.describe(locale, () => {
    test.use({ locale });

    test('a rollout is watched, paused, resumed, aborted, tried again and completed', async ({ page, request }) => {
      const faults = await watch(page);
      await page.goto('/fleet?fleet=waves');
      await logIn(page, words);
      const panel = page.locator('section.panel').filter({ has: page.getByRole('heading', { name: words.rollout.title, exact: true }) });
      const state = (name: string) => expect(panel.getByText(name, { exact: true }).first()).toBeVisible();
      const act = async (action: string, shown?: string) => {
        await panel.getByRole('button', { name: action }).click();
        if (shown) await both(page, `${code}-live-ask-${shown}`);
        await page.getByRole('dialog').getByRole('button', { name: action }).click();
        await expect(page.getByRole('dialog')).toBeHidden();
      };
      for (const n of nodes) await expect(page.getByRole('row').filter({ hasText: n })).toContainText(words.nodeState.in_sync);

      // Nothing is reloaded from here on: what is seen comes by the stream.
      await route(request, timeout);
      await state(words.rolloutState.baking);
      await expect(panel.getByRole('listitem').filter({ hasText: words.waveState.baking })).toContainText('edge-1');
      await both(page, `${code}-live-baking`);

      await act(words.rolloutAction.pause, 'pause');
      await state(words.rollout.paused);
      await both(page, `${code}-live-paused`);
      expect((await current(request))?.paused).toBe(true);
      await act(words.rolloutAction.resume);
      await expect(panel.getByRole('button', { name: words.rolloutAction.pause })).toBeVisible();

      await act(words.rolloutAction.abort, 'abort');
      await state(words.rolloutState.aborted);
      for (const n of nodes) await expect(page.getByRole('row').filter({ hasText: n })).toContainText(words.nodeState.in_sync);
      await both(page, `${code}-live-aborted`);

      await act(words.rolloutAction.again);
      await state(words.rolloutState.baking);
      await panel.getByRole('link', { name: words.diff.compareRevisions }).click();
      await expect(page.locator('.diff').getByText(timeout).first()).toBeVisible();
      await both(page, `${code}-live-diff`);
      await page.getByText(words.diff.unified).click();
      await expect(page.locator('.udiff-add').filter({ hasText: timeout }).first()).toBeVisible();
      await both(page, `${code}-live-diff-unified`);
      await page.goBack();
      await act(words.rolloutAction.promote);
      // The last wave bakes, too.
      await expect(panel.getByRole('listitem').filter({ hasText: words.waveState.baking })).toContainText('edge-3');
      await both(page, `${code}-live-last`);
      await act(words.rolloutAction.promote);
      await state(words.rolloutState.done);
      for (const n of nodes) await expect(page.getByRole('row').filter({ hasText: n })).toContainText(words.nodeState.in_sync);
      await both(page, `${code}-live-done`);
      const done = await current(request);
      expect(done?.state).toBe('done');
      const all = await read<{ items: Node[] }>(request, '/fleets/waves/nodes');
      expect(all.items.map((n) => n.revision)).toEqual(nodes.map(() => done?.revision));

      await page.getByRole('tab', { name: words.rollout.history }).click();
      await expect(page.getByRole('list', { name: words.rollout.history }).getByText(words.rolloutState.aborted)).not.toHaveCount(0);
      await both(page, `${code}-live-history`);
      await page.goto('/fleet?fleet=waves&node=edge-2');
      await expect(page.getByRole('button', { name: words.leave.do.revoke })).toBeVisible();
      await page.getByRole('button', { name: words.leave.do.forget }).click();
      await expect(page.getByText(words.leave.nginx)).toBeVisible();
      await both(page, `${code}-live-forget`);
      expect(faults).toEqual([]);
    });
  });
}

/** A picture in a wide and in a narrow window, which also have to hold the page. */
async function both(page: Page, name: string) {
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 844 });
    await fits(page);
    await shot(page, `${name}-${width}`);
  }
}
