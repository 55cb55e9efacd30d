import { expect, test } from '@playwright/test';
import { en } from '../src/i18n/en';
import { zh } from '../src/i18n/zh';
import { call, fits, logIn, read, shot, watch } from './sluice';

// Objects of these tests, so that they work on any sluice and leave nothing behind.
const tenant = 'e2e-ui';
const upstream = `/tenants/${tenant}/upstreams/api`;
const certificate = `/tenants/${tenant}/certificates/e2e-broken`;
const known = '127.0.0.1:9';
const added = '127.0.0.1:19';

test.beforeEach(async ({ request }) => {
  await call(request, 'put', `/tenants/${tenant}`, { kind: 'Tenant', name: tenant, spec: { hosts: ['ui.e2e.test'] } });
  // One that can not be used, which the page has to say.
  await call(request, 'put', certificate, { kind: 'Certificate', tenant, name: 'e2e-broken', spec: { certificate: 'no PEM', key: 'no PEM' } });
  await call(request, 'put', upstream, { kind: 'Upstream', tenant, name: 'api', spec: { endpoints: [{ address: known }] } });
});

test.afterEach(async ({ request }) => {
  await call(request, 'delete', certificate);
  await call(request, 'delete', upstream);
  await call(request, 'delete', `/tenants/${tenant}`);
});

const languages = [
  { locale: 'en-US', code: 'en', other: '简体中文', words: en, otherWords: zh },
  { locale: 'zh-CN', code: 'zh', other: 'English', words: zh, otherWords: en },
];

for (const { locale, code, other, words, otherWords } of languages) {
  test.describe(locale, () => {
    test.use({ locale });

    test('every page, at 1280 and 390 px, light and dark', async ({ page, request }) => {
      const faults = await watch(page);
      const response = await page.goto('/');
      const policy = response?.headers()['content-security-policy'] ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).not.toContain('unsafe');
      await expect(page.getByRole('heading', { name: words.login.title })).toBeVisible();
      await shot(page, `${code}-login`);
      await logIn(page, words);
      const fleets = await read<{ items: { name: string }[] }>(request, '/fleets');
      const fleet = fleets.items[0]?.name;
      const nodes = fleet ? await read<{ items: { node: string }[] }>(request, `/fleets/${fleet}/nodes`) : { items: [] };
      const node = nodes.items[0]?.node;
      const pages = [
        { name: 'overview', path: '/', see: page.getByText(words.overview.digest, { exact: true }) },
        { name: 'upstreams', path: '/upstreams', see: page.getByRole('link', { name: `${tenant}/api` }) },
        { name: 'upstream', path: `/upstreams/${tenant}/api`, see: page.getByText(known) },
        { name: 'evidence', path: `/upstreams/${tenant}/api?endpoint=${known}`, see: page.getByRole('dialog').getByText(words.evidence.samples) },
        { name: 'routes', path: '/routes', see: page.getByRole('heading', { name: words.routes.title }) },
        { name: 'tenant', path: `/routes?tenant=${tenant}`, see: page.getByRole('listitem').filter({ hasText: 'e2e-broken' }) },
        { name: 'sources', path: '/sources', see: page.getByText('etcd/registry') },
        { name: 'certificates', path: '/certificates', see: page.getByText('e2e-broken') },
        { name: 'fleet', path: '/fleet', see: node ? page.getByRole('button', { name: node, exact: true }) : page.getByText(fleet ? words.fleet.noNodes : words.fleet.empty) },
        ...(node ? [
          { name: 'node', path: `/fleet?fleet=${fleet}&node=${node}`, see: page.getByRole('dialog').getByText(words.fleet.fingerprint) },
          { name: 'diff', path: `/fleet/${fleet}/diff?from=desired:${node}&to=${node}`, see: page.getByText(words.diff.files).or(page.getByText(words.diff.allEqual)).first() },
        ] : []),
      ];
      for (const scheme of ['light', 'dark'] as const) {
        for (const width of [1280, 390]) {
          await page.emulateMedia({ colorScheme: scheme });
          await page.setViewportSize({ width, height: 844 });
          for (const p of pages) {
            await page.goto(p.path);
            await expect(p.see).toBeVisible();
            await expect(page.getByText(words.live.live, { exact: true })).toBeVisible();
            await fits(page);
            await shot(page, `${code}-${p.name}-${width}-${scheme}`);
          }
        }
      }
      expect(faults).toEqual([]);
    });

    test('an endpoint is added and removed by hand, each after its effect was shown', async ({ page, request }) => {
      const faults = await watch(page);
      await page.goto(`/upstreams/${tenant}/api`);
      await logIn(page, words);
      await expect(page.getByText(known)).toBeVisible();
      await page.getByRole('button', { name: words.upstreams.add }).click();
      const dialog = page.getByRole('dialog');
      await expect(dialog.getByLabel(words.edit.address)).toBeFocused();
      await dialog.getByLabel(words.edit.address).fill(added);
      await dialog.getByRole('button', { name: words.edit.showEffect }).click();
      await expect(dialog.getByText(`+ ${added}`)).toBeVisible();
      await shot(page, `${code}-add`);
      const spec = () => read<{ spec: { endpoints: { address: string }[] } }>(request, upstream);
      expect((await spec()).spec.endpoints.map((e) => e.address)).toEqual([known]);
      await dialog.getByRole('button', { name: words.edit.confirmAdd }).click();
      const row = page.getByRole('row').filter({ hasText: added });
      await expect(row).toBeVisible();
      expect((await spec()).spec.endpoints.map((e) => e.address).sort()).toEqual([added, known].sort());

      await row.getByRole('button', { name: words.upstreams.remove }).click();
      await expect(dialog.getByText(`- ${added}`)).toBeVisible();
      await shot(page, `${code}-remove`);
      await dialog.getByRole('button', { name: words.edit.confirmRemove }).click();
      await expect(row).toBeHidden();
      expect(faults).toEqual([]);
    });

    test('the language is switched and remembered', async ({ page }) => {
      await page.goto('/login');
      await page.getByRole('button', { name: words.app.language }).click();
      await page.getByText(other).click();
      await expect(page.getByRole('heading', { name: otherWords.login.title })).toBeVisible();
      await page.reload();
      await expect(page.getByRole('heading', { name: otherWords.login.title })).toBeVisible();
    });
  });
}

test.describe('live', () => {
  test.use({ locale: 'en-US' });

  test('a change made elsewhere appears without a reload', async ({ page, request }) => {
    const faults = await watch(page);
    await page.goto(`/upstreams/${tenant}/api`);
    await logIn(page, en);
    await expect(page.getByText(known)).toBeVisible();
    await page.evaluate(() => Object.assign(window, { notReloaded: true }));
    await call(request, 'post', `${upstream}/endpoints`, { address: added, zone: 'north' });
    await expect(page.getByRole('row').filter({ hasText: added })).toContainText('north');
    await call(request, 'delete', `${upstream}/endpoints/${encodeURIComponent(added)}`);
    await expect(page.getByRole('row').filter({ hasText: added })).toBeHidden();
    expect(await page.evaluate(() => 'notReloaded' in window)).toBe(true);
    expect(faults).toEqual([]);
  });

  test('a wrong token is refused with a reason', async ({ page }) => {
    await page.goto('/');
    await page.getByLabel(en.login.token).fill('wrong');
    await page.getByRole('button', { name: en.login.submit }).click();
    await expect(page.getByText(en.login.refused)).toBeVisible();
  });
});
