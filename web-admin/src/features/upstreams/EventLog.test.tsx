import { screen, waitFor, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import type { HealthEvent, UpstreamHealth } from '../../api/types';
import { setLanguage } from '../../i18n';
import { renderAt } from '../../test/render';
import { sampleEndpoint, sampleHealth, sampleUpstream } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const upstream = { tenant: 'acme', name: 'api' };
const sick = '10.0.0.5:8080';
const ejection: HealthEvent = {
  at: '2026-11-20T23:00:00Z',
  kind: 'ejected',
  upstream,
  address: sick,
  from: 'healthy',
  rule: 'error_ratio',
  reason: '12 of 20 requests failed within 30s',
  observer: 'edge-7',
  verdict: {
    upstream,
    address: sick,
    state: 'ejected',
    until: '2026-11-20T23:00:30Z',
    evidence: {
      observer: 'edge-7',
      ejections: 2,
      counts: { window: '30s', requests: 20, errors: 12, inARow: 4, siblings: 2, siblingsMedian: 0.05 },
      samples: [
        { at: '2026-11-20T22:59:58Z', kind: 'request', status: 502, latency: '1.234567ms', request: 'req-17' },
        { at: '2026-11-20T22:59:59Z', kind: 'request', error: 'connection refused', request: 'req-18' },
      ],
    },
  },
};
const bad: HealthEvent = { at: '2026-11-20T23:05:00Z', kind: 'service_bad', upstream, rule: 'all_failing', reason: 'all 3 endpoints fail', observer: 'edge-7' };

function serve(events: HealthEvent[], health: Partial<UpstreamHealth> = {}) {
  const asked: string[] = [];
  const items = [sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080'), sampleEndpoint(sick)])];
  server.use(
    answer('get', '/upstreams', { generation: 1, items }),
    answer('get', '/health/events', (r) => {
      const q = new URL(r.url).searchParams;
      asked.push(`${q.get('tenant')}/${q.get('upstream')} ${q.get('endpoint') ?? 'any'} ${q.get('limit')}`);
      return { items: events.filter((e) => !q.has('endpoint') || e.address === q.get('endpoint')).slice(0, Number(q.get('limit'))) };
    }),
    answer('get', '/tenants/{tenant}/upstreams/{upstream}/health', sampleHealth(health)),
    eventStream().handler,
  );
  return { asked, ...renderAt('/upstreams/acme/api') };
}

test('a transition opens to rule, counts, window, siblings, end, observer and samples', async () => {
  const { user } = serve([bad, ejection]);
  const reason = await screen.findByText('12 of 20 requests failed within 30s', {}, soon);
  const event = reason.closest('details') as HTMLElement;
  expect(screen.queryByText('error_ratio')).toBeNull();
  await user.click(reason);
  expect(await within(event).findByText('error_ratio', {}, soon)).toBeTruthy();
  for (const text of ['12 of 20 requests failed', '4', '30s', '2 compared with; the median one loses 5%', 'edge-7', '2', 'healthy', 'req-17', '1.23ms']) {
    expect(within(event).getByText(text), text).toBeTruthy();
  }
  expect(event.textContent).toContain('until ');
  const rows = within(event).getAllByRole('row').slice(1);
  expect(rows[0]?.textContent).toContain('connection refused');
  expect(rows[0]?.textContent).toContain('req-18');
  expect(screen.getByText('the whole upstream')).toBeTruthy();
});

test('a row of errors beside siblings of few requests is compared with none', async () => {
  const evidence = { counts: { requests: 5, errors: 5, inARow: 5, siblings: 0, siblingsMedian: 0 } };
  const { user } = serve([{ ...ejection, verdict: { upstream, address: sick, state: 'ejected', evidence } }]);
  await user.click(await screen.findByText('12 of 20 requests failed within 30s', {}, soon));
  expect(await screen.findByText('none had enough requests to compare with', {}, soon)).toBeTruthy();
  expect(screen.getByText('No samples are kept for this verdict.')).toBeTruthy();
});

test('lists one endpoint, by URL, and shows the rest on demand', async () => {
  const many = Array.from({ length: 25 }, (_, i): HealthEvent => ({ ...ejection, at: new Date(Date.UTC(2026, 10, 20, 22, 59 - i)).toISOString(), reason: `reason ${i}` }));
  const { user, asked, router } = serve([bad, ...many]);
  expect(await screen.findByText('reason 18', {}, soon)).toBeTruthy();
  expect(screen.queryByText('reason 19')).toBeNull();
  await user.click(screen.getByRole('button', { name: 'Show all that is kept' }));
  expect(await screen.findByText('reason 24', {}, soon)).toBeTruthy();
  await user.click(screen.getByLabelText('Transitions of'));
  await user.click(await screen.findByText(sick, { selector: '.ant-select-item-option-content' }, soon));
  await waitFor(() => expect(screen.queryByText('all 3 endpoints fail')).toBeNull(), soon);
  expect(router.state.location.search).toEqual({ log: sick });
  expect([...new Set(asked)]).toEqual(['acme/api any 20', 'acme/api any 256', `acme/api ${sick} 256`]);
});

test('a decision in shadow mode is no ejection', async () => {
  serve([{ ...ejection, shadow: true }], { shadow: true, wouldBeEjected: [sick] });
  const reason = await screen.findByText('12 of 20 requests failed within 30s', {}, soon);
  const event = reason.closest('details') as HTMLElement;
  expect(within(event).getByText('would have been ejected')).toBeTruthy();
  expect(within(event).getByText('shadow')).toBeTruthy();
  expect(within(event).queryByText('ejected')).toBeNull();
  const would = (await screen.findByText('Would be ejected now:', {}, soon)).closest('dd') as HTMLElement;
  expect(within(would).getByText(sick)).toBeTruthy();
});

test('says how many may be ejected and why, and that the service is bad', async () => {
  serve([], { service: { bad: true, rule: 'service_ratio', reason: '15 of 20 requests failed', since: '2026-11-20T23:00:00Z' } });
  expect(await screen.findByText('1 of 3', {}, soon)).toBeTruthy();
  expect(screen.getByText('may eject 1 of 3: 30 % of 3 is less than one, and one always may be')).toBeTruthy();
  expect(screen.getByText('15 of 20 requests failed')).toBeTruthy();
  expect(screen.getByText('service_ratio')).toBeTruthy();
  expect(screen.getByText('as node edge-1 sees it')).toBeTruthy();
  expect(await screen.findByText('Nothing was decided', {}, soon)).toBeTruthy();
});

test('a ledger that can not be read leaves the rest of the page', async () => {
  serve([]);
  server.use(refuse('get', '/health/events', 500, 'internal', 'the ledger is closed'));
  expect(await screen.findByText('the ledger is closed', {}, soon)).toBeTruthy();
  expect(screen.getByText(sick)).toBeTruthy();
});

test('says it in Chinese', async () => {
  setLanguage('zh-CN');
  serve([ejection]);
  expect(await screen.findByText('摘除', {}, soon)).toBeTruthy();
  expect(await screen.findByText('无整体故障', {}, soon)).toBeTruthy();
});
