import type { APIRequestContext } from '@playwright/test';
import { expect, test } from '@playwright/test';
import { en } from '../src/i18n/en';
import { zh } from '../src/i18n/zh';
import { call, fits, logIn, pick, read, register, shot, watch } from './sluice';

// Objects and keys of these tests, so that they leave nothing behind.
const tenant = 'e2e-discovery';
const upstream = `/tenants/${tenant}/upstreams/api`;
const folder = '/services/e2e-discovery/';
const addresses = ['127.0.0.1:9', '127.0.0.1:19', '127.0.0.1:29'];

interface Listed {
  items: { upstream: { name: string }; kept: string[] }[];
}

const spec = (request: APIRequestContext) => read<{ spec: { discover?: unknown } }>(request, upstream);
const endpoints = async (request: APIRequestContext) =>
  (await read<{ upstream: { endpoints: { address: string }[] } }>(request, `${upstream}/endpoints`)).upstream.endpoints.map((e) => e.address).sort();

async function put(request: APIRequestContext, discover: unknown[]) {
  await call(request, 'put', `/tenants/${tenant}`, { kind: 'Tenant', name: tenant, spec: { hosts: ['discovery.e2e.test'] } });
  await call(request, 'put', upstream, { kind: 'Upstream', tenant, name: 'api', spec: { discover } });
}

async function lose(request: APIRequestContext) {
  for (const address of addresses) await register(request, folder + address, { address });
  await expect.poll(() => endpoints(request)).toEqual([...addresses].sort());
  await register(request, folder);
  await expect.poll(async () => (await read<Listed>(request, `/shrinks?tenant=${tenant}`)).items.map((s) => s.kept.length)).toEqual([3]);
}

test.afterEach(async ({ request }) => {
  await register(request, folder);
  await call(request, 'delete', upstream);
  await call(request, 'delete', `/tenants/${tenant}`);
});

for (const { locale, code, words } of [{ locale: 'en-US', code: 'en', words: en }, { locale: 'zh-CN', code: 'zh', words: zh }]) {
  test.describe(locale, () => {
    test.use({ locale });

    test('a wiped prefix alarms; what is kept is held and then let go', async ({ page, request }) => {
      const faults = await watch(page);
      await put(request, [{ etcd: { registry: 'registry', prefix: folder } }]);
      await page.goto('/');
      await logIn(page, words);
      await lose(request);
      const alarm = page.getByRole('alert').filter({ hasText: `${tenant}/api` }).filter({ has: page.getByRole('button', { name: words.shrink.accept }) });
      await expect(alarm).toContainText(folder); // without a reload
      for (const width of [390, 1280]) {
        await page.setViewportSize({ width, height: 844 });
        await fits(page);
        await shot(page, `${code}-shrink-overview-${width}`);
      }
      await alarm.getByRole('link').click();
      await expect(page.getByRole('heading', { name: `${tenant}/api` })).toBeVisible(); // the page before has the same alarm
      await expect(alarm.getByRole('button', { name: words.shrink.accept })).toBeVisible();
      await alarm.getByRole('button', { name: words.shrink.hold }).click();
      const dialog = page.getByRole('dialog');
      await expect(dialog).toContainText(addresses[0] ?? '');
      await shot(page, `${code}-shrink-hold`);
      const until = async () => (await read<{ items: { until: string }[] }>(request, `/shrinks?tenant=${tenant}`)).items.map((s) => Date.parse(s.until) - Date.now() > 50 * 60_000);
      await dialog.getByRole('button', { name: words.shrink.hold }).click();
      await expect.poll(until).toEqual([true]);
      await expect(dialog).toBeHidden();

      await alarm.getByRole('button', { name: words.shrink.accept }).click();
      await expect(dialog.getByText(words.shrink.acceptNone)).toBeVisible();
      await shot(page, `${code}-shrink-accept`);
      await dialog.getByRole('button', { name: words.shrink.accept }).click();
      await expect(alarm).toBeHidden();
      await expect.poll(() => endpoints(request)).toEqual([]);
      expect(faults).toEqual([]);
    });

    test('places are edited in a form, and a mistake stands at its field', async ({ page, request }) => {
      const faults = await watch(page);
      await put(request, [{ etcd: { registry: 'registry', prefix: '/services/e2e-other/' } }]);
      await page.goto(`/upstreams/${tenant}/api`);
      await logIn(page, words);
      await page.getByRole('button', { name: words.upstreams.editDiscover }).click();
      const dialog = page.getByRole('dialog');
      const place = (n: number) => dialog.getByRole('group', { name: words.discover.place.replace('{{n}}', String(n)) });
      await place(1).getByLabel(words.discover.prefix).fill(folder);
      await dialog.getByRole('button', { name: words.discover.add }).click();
      await pick(page, place(2).getByLabel(words.discover.kind), words.source.dns);
      await place(2).getByLabel(words.discover.name, { exact: true }).fill('api.internal');
      await place(2).getByLabel(words.discover.port).fill('70000');
      await dialog.getByRole('button', { name: words.edit.showEffect }).click();
      const port = place(2).locator('.ant-form-item').filter({ has: page.getByLabel(words.discover.port) });
      await expect(port.locator('.ant-form-item-explain-error')).toBeVisible();
      await shot(page, `${code}-discover-refused`);
      await page.setViewportSize({ width: 390, height: 844 });
      await fits(page);
      await shot(page, `${code}-discover-390`);
      await page.setViewportSize({ width: 1280, height: 844 });
      await place(2).getByRole('button', { name: words.discover.remove }).click();
      await dialog.getByRole('button', { name: words.edit.showEffect }).click();
      await dialog.getByRole('button', { name: words.discover.confirm, exact: true }).click();
      await expect(dialog).toBeHidden();
      expect((await spec(request)).spec.discover).toEqual([{ etcd: { registry: 'registry', prefix: folder } }]);
      await register(request, `${folder}one`, { address: addresses[0] });
      await expect(page.getByRole('row').filter({ hasText: addresses[0] ?? '' })).toBeVisible();
      // The browser notes the refusal; nothing else may be wrong.
      expect(faults.filter((f) => !f.includes('400'))).toEqual([]);
    });
  });
}
