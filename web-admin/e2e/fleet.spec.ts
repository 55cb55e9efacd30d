import type { Page } from '@playwright/test';
import { expect, test } from '@playwright/test';
import type { Bundle, EnrolmentToken, FleetDrift, IssuedToken, Node, Rollout } from '../src/api/types';
import { en } from '../src/i18n/en';
import { zh } from '../src/i18n/zh';
import { fits, logIn, shot, watch } from './sluice';

// A fleet in trouble, as the specification would tell it: twelve nodes, one of which was edited at
// night, in the middle of a rollout. The rest of the API and the stream are the real ones.

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const digest = 'aaaaaaaa11111111', before = 'bbbbbbbb22222222';
const names = Array.from({ length: 12 }, (_, i) => `edge-${String(i + 1).padStart(2, '0')}.frankfurt.example.net`);
const name = (i: number) => names[i] ?? '';

const node = (i: number, more: Partial<Node> = {}): Node => ({
  fleet: 'e2e', node: name(i), state: 'in_sync', desired: i < 4 ? digest : before, desiredSince: ago(120), onDisk: i < 4 ? digest : before, onDiskSince: ago(110),
  running: i < 4 ? digest : before, runningSince: ago(109), revision: i < 4 ? 13 : 12, reportedAt: ago(3), endpoints: 'lua', reloads: 14, fingerprint: 'f1f1f1f1f1f1',
  facts: { nginxVersion: '1.22.1', modules: ['ngx_http_lua_module'], confPath: '/etc/nginx/nginx.conf', treePath: '/etc/nginx/sluice', agentVersion: '0.1.0', pid: 812 },
  ...more,
});

const nodes: Node[] = [
  node(0, { drainingWorkers: 3, oldestDraining: ago(7300), reloadEvery: '40s' }),
  node(1, { state: 'rolling', running: before }),
  node(2, { state: 'failed', reason: 'check_failed', onDisk: before, running: before, failed: { digest, step: 'check', message: 'nginx: [emerg] host not found in upstream "registry.internal" in /etc/nginx/sluice/next/servers/acme.shop.conf:41', file: 'servers/acme.shop.conf', line: 41, at: ago(60) } }),
  ...[3, 4, 5, 6, 7, 8, 9, 10].map((i) => node(i)),
  node(11, { state: 'drifted', reason: 'edited_not_loaded', mismatch: 'disk_running', allowed: 1, endpoints: 'static: nginx does not load ngx_http_lua_module.so', checkError: 'nginx: [emerg] unknown directive "proxy_raed_timeout"', settled: [{ hunk: 'cccc09d2c3b4', at: ago(300) }] }),
];

const counts = (n: number, requests: number, errors: number) => ({ nodes: n, requests, errors, exchanges: requests, connectErrors: Math.floor(errors / 4) });
const rollout: Rollout = {
  fleet: 'e2e', revision: 13, from: 12, state: 'baking', wave: 2, startedAt: ago(150), bakeUntil: new Date(Date.now() + 3_600_000).toISOString(),
  reason: 'Wave 2 bakes; the gates are open.', objects: [{ kind: 'Route', tenant: 'acme', name: 'shop' }, { kind: 'Override', tenant: 'acme', name: 'slow-answers' }], authors: ['alice', 'bob'],
  leftOut: [name(10)],
  waves: [
    { size: 1, nodes: [name(0)], count: 1, startedAt: ago(150), runningAt: ago(140), passedAt: ago(110) },
    { size: '30%', nodes: [name(1), name(2), name(3)], count: 3, startedAt: ago(110), runningAt: ago(100), figures: { changed: counts(4, 48210, 133), reference: counts(8, 103117, 201) } },
    { size: '100%', nodes: [], count: 0 },
  ],
};
const failed: Rollout = { ...rollout, revision: 11, from: 10, state: 'failed', wave: 1, reason: `Of 4,112 requests for shop.example.com on ${name(0)}, 9.1 % were answered 5xx; without the change 0.2 % were.`, startedAt: ago(9000), endedAt: ago(8900), leftOut: [] };

const owner = { uid: 0, user: 'root', modified: ago(900), hint: 'sudo: alice: /usr/bin/vim /etc/nginx/sluice/current/servers/acme.shop.conf; root was logged in on pts/0 from 10.2.3.4' };
const drift: FleetDrift = {
  fleet: 'e2e', summary: '11 alike, 1 differs in 3 directives', unknown: [name(10)],
  groups: [
    { fingerprint: 'f1f1f1f1f1f1', reference: true, nodes: names.slice(0, 10), directives: 0 },
    {
      fingerprint: 'f2f2f2f2f2f2', nodes: [name(11)], directives: 3, marks: [{ node: name(11), mismatch: 'disk_running' }],
      hunks: [
        { id: '4f1a09d2c3b4', path: 'servers/acme.shop.conf', where: ['server shop.example.com', 'location /'], change: 'changed', directive: 'proxy_read_timeout', old: 'proxy_read_timeout 60s;', new: 'proxy_read_timeout 7s;', oldLine: 31, newLine: 31, kind: 'by_hand', on: [{ node: name(11), owner }] },
        { id: 'aaaa09d2c3b4', path: 'upstreams/acme.api.conf', where: ['upstream acme-api'], change: 'changed', old: 'server 10.0.0.4:8080;', new: 'server 10.0.0.4:8080 down;', oldLine: 4, newLine: 4, kind: 'by_hand', on: [{ node: name(11), owner: { ...owner, hint: 'unknown' }, allowed: { name: 'a', by: 'bob', until: new Date(Date.now() + 86_400_000).toISOString(), reason: 'OPS-8 until the disk is new' } }] },
        { id: 'bbbb09d2c3b4', path: '/etc/nginx/conf.d/limits-that-somebody-has-set-long-ago.conf', change: 'added', new: 'limit_req_zone $binary_remote_addr zone=a_zone_with_a_long_name:10m rate=100r/s;', newLine: 1, kind: 'outside', on: [{ node: name(11), failed: 'nginx: [emerg] zero size shared memory zone "a_zone_with_a_long_name"' }] },
      ],
    },
  ],
};

const token: EnrolmentToken = { id: 'k4f7q2', fleet: 'e2e', node: name(11), createdAt: ago(600), createdBy: 'alice', expiresAt: new Date(Date.now() + 3_000_000).toISOString() };
const issued: IssuedToken = { token: `sluice-enrol.${'0123456789abcdef'.repeat(4)}.${'fedcba9876543210'.repeat(4)}`, info: token, agents: '[::]:9443' };

const bundles: Bundle[] = [{ digest, facts: 'f1', revisions: [13], nodes: names.slice(0, 4), since: ago(120) }, { digest: before, facts: 'f1', revisions: [12], nodes: names.slice(4) }];

/** Answers for the fleet "e2e"; everything else goes to the running sluice. */
async function stub(page: Page) {
  const answers: Record<string, unknown> = {
    '/fleets': { items: [{ kind: 'Fleet', name: 'e2e', spec: {} }] },
    '/fleets/e2e/nodes': { items: nodes },
    '/fleets/e2e/rollouts': { items: [rollout, failed] },
    '/fleets/e2e/groups': drift,
    '/fleets/e2e/bundles': { items: bundles },
  };
  for (const [path, json] of Object.entries(answers)) await page.route(`**/api/v1${path}`, (r) => r.fulfill({ json }));
  await page.route('**/api/v1/enrolment-tokens', (r) => r.fulfill({ json: r.request().method() === 'POST' ? issued : { items: [token, { ...token, id: 'k0aaaa', usedAt: ago(300), usedBy: name(3) }] } }));
}

for (const { locale, code, words } of [{ locale: 'en-US', code: 'en', words: en }, { locale: 'zh-CN', code: 'zh', words: zh }]) {
  test.describe(locale, () => {
    test.use({ locale });

    test('a fleet in trouble, at 1280 and 390 px', async ({ page }) => {
      const faults = await watch(page);
      await stub(page);
      await page.goto('/');
      await logIn(page, words);
      const pages = [
        { name: 'nodes', path: '/fleet', see: page.getByText(words.reason.edited_not_loaded) },
        { name: 'trouble', path: `/fleet?node=${name(11)}`, see: page.getByRole('dialog').getByText(words.fleet.checkError) },
        { name: 'drift', path: '/fleet?tab=drift', see: page.getByRole('article', { name: '4f1a09d2c3b4' }) },
        { name: 'history', path: '/fleet?tab=history', see: page.getByRole('list', { name: words.rollout.history }) },
        { name: 'tokens', path: '/fleet?tab=tokens', see: page.getByText('k4f7q2') },
      ];
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: 844 });
        for (const p of pages) {
          await page.goto(p.path);
          await expect(p.see).toBeVisible();
          await fits(page);
          await shot(page, `${code}-fleet-${p.name}-${width}`);
        }
        await page.getByRole('button', { name: words.enrol.make }).click();
        await page.getByRole('dialog').getByRole('button', { name: words.enrol.make }).click();
        await expect(page.getByText(issued.token, { exact: true })).toBeVisible();
        await fits(page);
        await shot(page, `${code}-fleet-token-${width}`);
        await page.goto('/fleet?tab=drift');
        await page.getByRole('article', { name: '4f1a09d2c3b4' }).getByRole('button', { name: words.settle.do.allow }).click();
        await expect(page.getByRole('dialog').getByText(words.settle.hint.allow)).toBeVisible();
        await fits(page);
        await shot(page, `${code}-fleet-allow-${width}`);
        await page.goto('/fleet');
        await page.getByRole('button', { name: words.rolloutAction.abort }).click();
        await expect(page.getByRole('dialog').getByText(words.rolloutHint.abort_other.replace('{{count}}', '4').replace('{{from}}', '12'))).toBeVisible();
        await shot(page, `${code}-fleet-abort-${width}`);
      }
      expect(faults).toEqual([]);
    });
  });
}
