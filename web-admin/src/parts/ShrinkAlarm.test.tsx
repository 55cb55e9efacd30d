import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, expect, test } from 'vitest';
import type { Shrink } from '../api/types';
import { setLanguage } from '../i18n';
import { renderAt } from '../test/render';
import { sampleEndpoint, sampleShrink, sampleStatus, sampleUpstream } from '../test/samples';
import { answer, eventStream, refuse, server } from '../test/server';
import { losses } from './shrinks';

const soon = { timeout: 30_000 };
const held = sampleShrink();
const other = sampleShrink({ upstream: { tenant: 'acme', name: 'web' }, kept: ['10.0.1.4:8080'] });
const api = sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080'), sampleEndpoint('10.0.0.5:8080'), sampleEndpoint('10.0.0.6:8080')], {
  problems: [{ object: { kind: 'Upstream', tenant: 'acme', name: 'api' }, code: 'shrink_held', message: 'The text of the problem.' }],
});
let shrinks: Shrink[];
let sent: unknown[];

beforeEach(() => {
  shrinks = [held, other];
  sent = [];
  server.use(
    answer('get', '/shrinks', () => ({ items: shrinks })),
    answer('get', '/status', sampleStatus),
    answer('get', '/upstreams', { generation: 1, items: [api] }),
    answer('get', '/fleets', { items: [] }),
    answer('post', '/tenants/{tenant}/upstreams/{upstream}/shrink', async (r) => {
      sent.push([new URL(r.url).pathname, await r.json()]);
      shrinks = [other];
      return { endpoints: 2 };
    }),
    eventStream().handler,
  );
});

const alarm = async (of: RegExp) => (await screen.findByText(of, {}, soon)).closest('[role="alert"]') as HTMLElement;

test('the upstream shows its own loss, and lets go of it once that is confirmed', async () => {
  const { user } = renderAt('/upstreams/acme/api');
  const shown = await alarm(/acme\/api: 3 of 4 endpoints were lost at once, 2 are kept/);
  expect(shown.textContent).toContain('etcd default:/services/api/ lost 3 of 4');
  expect(shown.textContent).toContain('10.0.0.4:8080, 10.0.0.5:8080');
  expect(shown.textContent).toMatch(/until .*\((\d+[hms] )+left\)/);
  expect(screen.queryByText(/acme\/web/)).toBeNull();
  expect(screen.queryByText('The text of the problem.')).toBeNull();
  await user.click(within(shown).getByRole('button', { name: 'Accept the loss' }));
  const dialog = await screen.findByRole('dialog', {}, soon);
  expect(within(dialog).getByText('Let 2 endpoints of acme/api go?')).toBeTruthy();
  expect(within(dialog).getByText('1 endpoint stays in rotation.')).toBeTruthy();
  expect(await within(dialog).findByText(/about the node edge-1/, {}, soon)).toBeTruthy();
  expect(sent).toEqual([]);
  await user.click(within(dialog).getByRole('button', { name: 'Accept the loss' }));
  expect(await screen.findByText('2 endpoints of acme/api are let go.', {}, soon)).toBeTruthy();
  expect(sent).toEqual([['/api/v1/tenants/acme/upstreams/api/shrink', { action: 'accept' }]]);
  await waitFor(() => expect(screen.queryByText(/were lost at once/)).toBeNull(), soon);
});

test('the overview shows every loss with a way to its upstream, and holds on', async () => {
  const { user } = renderAt('/');
  const shown = await alarm(/acme\/api: 3 of 4/);
  expect(within(shown).getByRole('link').getAttribute('href')).toBe('/upstreams/acme/api');
  expect(await alarm(/acme\/web: 3 of 4/)).toBeTruthy();
  await user.click(within(shown).getByRole('button', { name: 'Hold on to them' }));
  const dialog = await screen.findByRole('dialog', {}, soon);
  expect(within(dialog).getByText('Hold on to 2 endpoints of acme/api for an hour?')).toBeTruthy();
  await user.click(within(dialog).getByRole('button', { name: 'Hold on to them' }));
  expect(await screen.findByText('2 endpoints of acme/api are held for an hour.', {}, soon)).toBeTruthy();
  expect(sent).toEqual([['/api/v1/tenants/acme/upstreams/api/shrink', { action: 'hold' }]]);
});

test('a loss that is over in the meantime says so', async () => {
  setLanguage('zh-CN');
  server.use(refuse('post', '/tenants/{tenant}/upstreams/{upstream}/shrink', 404, 'not_found', 'no endpoints are kept'));
  const { user } = renderAt('/upstreams/acme/api');
  const shown = await alarm(/4 个端点中一次丢失 3 个/);
  await user.click(within(shown).getByRole('button', { name: '接受丢失' }));
  const dialog = await screen.findByRole('dialog', {}, soon);
  await user.click(within(dialog).getByRole('button', { name: '接受丢失' }));
  expect(await within(dialog).findByText('no endpoints are kept', {}, soon)).toBeTruthy();
});

test('what is left without those that are kept is counted: none here', async () => {
  server.use(answer('get', '/upstreams', { generation: 1, items: [sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080'), sampleEndpoint('10.0.0.5:8080')])] }));
  const { user } = renderAt('/upstreams/acme/api');
  await user.click(within(await alarm(/acme\/api/)).getByRole('button', { name: 'Accept the loss' }));
  expect(await screen.findByText(/No endpoint stays in rotation/, {}, soon)).toBeTruthy();
});

test('several places of one upstream are one loss, until the first is let go', () => {
  const later = sampleShrink({ place: 'legacy:/api/', until: new Date(Date.now() + 7_200_000).toISOString(), kept: ['10.0.0.5:8080', '10.0.0.9:8080'] });
  const [first, ...rest] = losses([later, held]);
  expect(rest).toEqual([]);
  expect(first).toMatchObject({ lost: 6, of: 8, until: held.until, kept: ['10.0.0.5:8080', '10.0.0.9:8080', '10.0.0.4:8080'] });
});
