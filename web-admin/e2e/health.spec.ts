import type { Server } from 'node:http';
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from '@playwright/test';
import { expect, test } from '@playwright/test';
import { en } from '../src/i18n/en';
import { zh } from '../src/i18n/zh';
import { call, fits, logIn, pick, read, shot, watch } from './sluice';

// A tenant of three real endpoints, of which one fails.
const tenant = 'e2e-health';
const host = 'health.e2e.test';
const upstream = `/tenants/${tenant}/upstreams/api`;
const route = `/tenants/${tenant}/routes/all`;
let servers: Server[] = [];
let addresses: string[] = [];

test.beforeEach(async ({ request }) => {
  servers = await Promise.all([200, 200, 502].map(serve));
  addresses = servers.map((s) => `127.0.0.1:${(s.address() as AddressInfo).port}`);
  await call(request, 'put', `/tenants/${tenant}`, { kind: 'Tenant', name: tenant, spec: { hosts: [host] } });
  await call(request, 'put', upstream, { kind: 'Upstream', tenant, name: 'api', spec: { endpoints: addresses.map((address) => ({ address })) } });
  await call(request, 'put', route, { kind: 'Route', tenant, name: 'all', spec: { hosts: [host], to: [{ upstream: 'api' }] } });
});

test.afterEach(async ({ request }) => {
  await call(request, 'delete', route);
  await call(request, 'delete', upstream);
  await call(request, 'delete', `/tenants/${tenant}`);
  for (const s of servers) s.close();
});

function serve(status: number): Promise<Server> {
  const s = createServer((_, answer) => answer.writeHead(status).end('x'));
  return new Promise((done) => s.listen(0, '127.0.0.1', () => done(s)));
}

/** One request through the proxy; the status of its answer. */
function get(address: string): Promise<number> {
  const [name = '', port = ''] = address.replace('[::]', '127.0.0.1').split(/:(?=\d+$)/);
  return new Promise((done, fail) => {
    send({ host: name, port, path: '/', headers: { host }, agent: false }, (r) => r.resume().on('end', () => done(r.statusCode ?? 0))).on('error', fail).end();
  });
}

for (const { locale, code, words } of [
  { locale: 'en-US', code: 'en', words: en },
  { locale: 'zh-CN', code: 'zh', words: zh },
]) {
  test.describe(locale, () => {
    test.use({ locale });

    test('an ejection is told with its evidence, and an endpoint is drained and undrained', async ({ page, request }) => {
      const faults = await watch(page);
      const { listeners } = await read<{ listeners: { name: string; address: string }[] }>(request, '/status');
      const proxy = listeners.find((l) => l.name === 'http')?.address ?? '';
      await expect.poll(() => get(proxy)).not.toBe(404);
      const sick = addresses[2] ?? '';
      const ejected = async () => {
        await Promise.all(Array.from({ length: 6 }, () => get(proxy)));
        const { items } = await read<{ items: { kind: string }[] }>(request, `/health/events?tenant=${tenant}&endpoint=${sick}`);
        return items.some((e) => e.kind === 'ejected');
      };
      await expect.poll(ejected).toBe(true);

      await page.setViewportSize({ width: 1280, height: 844 });
      await page.goto(`/upstreams/${tenant}/api?log=${sick}`);
      await logIn(page, words);
      await expect(page.getByText('may eject 1 of 3', { exact: false })).toBeVisible();
      const ejection = page.locator('details', { hasText: words.event.kind.ejected }).last();
      await ejection.locator('summary').click();
      await expect(ejection.getByText(words.evidence.requestId).first()).toBeVisible();
      await expect(ejection.getByText('502', { exact: true }).first()).toBeVisible();
      await sizes(page, `${code}-health-events`);

      await page.goto(`/upstreams/${tenant}/api?endpoint=${sick}`);
      const sights = page.getByRole('dialog').getByRole('list', { name: words.standing.title });
      // An ejection ends, and with it what there is to say: so it is kept failing meanwhile.
      await expect.poll(async () => (await ejected()) && (await sights.getByText(words.verdict.ejected).isVisible())).toBe(true);
      await sizes(page, `${code}-standing`);
      await page.goto(`/upstreams/${tenant}/api?log=${sick}`);

      const healthy = addresses[0] ?? '';
      const row = page.getByRole('row').filter({ hasText: healthy });
      await choose(page, row, words, words.pin.do.drained);
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel(words.pin.reason).fill('new disk');
      await pick(page, dialog.getByLabel(words.pin.until), words.pin.for['1h']);
      await sizes(page, `${code}-pin-dialog`);
      await dialog.getByRole('button', { name: words.pin.do.drained }).click();
      await expect(dialog).toBeHidden();
      await expect(row).toContainText('new disk');
      await expect(row).toContainText(words.upstreams.outBecause.hand);
      const { pin } = await endpoint(request, healthy);
      expect(pin).toMatchObject({ state: 'drained', reason: 'new disk' });
      await expect(row).toContainText(words.pin.is.drained.replace('{{who}}', pin?.by ?? '?'));
      await sizes(page, `${code}-pinned`);

      await choose(page, row, words, words.pin.end.drained);
      await dialog.getByRole('button', { name: words.pin.end.drained }).click();
      await expect(row).not.toContainText('new disk');
      expect((await endpoint(request, healthy)).pin).toBeUndefined();
      expect(faults).toEqual([]);
    });
  });
}

interface Seen {
  address: string;
  pin?: { state: string; by?: string; reason?: string };
}

async function endpoint(request: Parameters<typeof read>[0], address: string): Promise<Seen> {
  const view = await read<{ upstream: { endpoints: Seen[] } }>(request, `${upstream}/endpoints`);
  const found = view.upstream.endpoints.find((e) => e.address === address);
  if (!found) throw new Error(`${address} is not an endpoint`);
  return found;
}

async function choose(page: Page, row: ReturnType<Page['getByRole']>, words: typeof en, item: string) {
  await row.getByRole('button', { name: words.pin.menu }).click();
  await page.getByRole('menuitem', { name: item, exact: true }).click();
}

/** The page as it stands, wide and narrow. */
async function sizes(page: Page, name: string) {
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 844 });
    // The page lays itself out anew once it has heard of its size.
    await expect(page.getByRole('columnheader', { name: /Address|地址/ })).toHaveCount(width > 768 ? 1 : 0);
    await expect(() => fits(page)).toPass({ timeout: 30_000 }); // a menu that fades away is still as far right as it was
    await shot(page, `${name}-${width}`);
  }
}
