import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, expect, test } from 'vitest';
import type { Upstream } from '../../api/types';
import { renderAt } from '../../test/render';
import { sampleEndpoint, sampleResult, sampleStatus, sampleUpstream } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';
import type { PlaceRow } from './places';
import { complaints, placeOf, rowOf } from './places';

const soon = { timeout: 30_000 };
const written: Upstream = {
  kind: 'Upstream', tenant: 'acme', name: 'api', revision: 7, labels: { app: 'shop' },
  spec: { protocol: 'h2c', discover: [{ kubernetes: { namespace: 'shop', service: 'api', port: 'http' } }, { etcd: { registry: 'legacy', prefix: '/services/api/' } }] },
};
let sent: { query: string; match: string | null; body: Upstream }[];

beforeEach(() => {
  sent = [];
  server.use(
    answer('get', '/upstreams', { generation: 1, items: [sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080')])] }),
    answer('get', '/status', { ...sampleStatus, sources: [{ name: 'kubernetes/east', kind: 'kubernetes', up: true }, { name: 'kubernetes/east/ingress', kind: 'kubernetes', up: true }] }),
    answer('get', '/tenants/{tenant}/upstreams/{upstream}', written),
    answer('put', '/tenants/{tenant}/upstreams/{upstream}', async (r) => {
      const url = new URL(r.url);
      sent.push({ query: url.search, match: r.headers.get('If-Match'), body: (await r.json()) as Upstream });
      return sampleResult(url.search.includes('true'), ['10.0.0.9:8080']);
    }),
    eventStream().handler,
  );
});

async function open() {
  const { user } = renderAt('/upstreams/acme/api');
  await user.click(await screen.findByRole('button', { name: /Discovery/ }, soon));
  const dialog = await screen.findByRole('dialog', {}, soon);
  await within(dialog).findByRole('group', { name: 'Place 1' }, soon);
  const place = (n: number) => within(within(dialog).getByRole('group', { name: `Place ${n}` }));
  return { user, dialog, place };
}

test('rows are changed, removed and added, and written after the effect was shown', async () => {
  const { user, dialog, place } = await open();
  expect(place(1).getByLabelText<HTMLInputElement>('Service').value).toBe('api');
  expect(place(2).getByLabelText<HTMLInputElement>('Prefix').value).toBe('/services/api/');
  await user.clear(place(1).getByLabelText('Service'));
  await user.type(place(1).getByLabelText('Service'), 'api-v2');
  await user.type(place(1).getByLabelText('Cluster'), 'east');
  await user.click(place(2).getByRole('button', { name: 'Remove this place' }));
  await user.click(within(dialog).getByRole('button', { name: /Add a place/ }));
  await user.type(place(2).getByLabelText('Namespace'), 'shop');
  await user.type(place(2).getByLabelText('Service'), 'old');
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  expect(await within(dialog).findByText('+ 10.0.0.9:8080', {}, soon)).toBeTruthy();
  expect(sent.map((s) => s.query)).toEqual(['?dryRun=true']);
  await user.click(within(dialog).getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Saved: acme/api', {}, soon)).toBeTruthy();
  expect(sent[1]).toEqual({
    query: '?dryRun=false', match: '"7"',
    body: { ...written, spec: { protocol: 'h2c', discover: [{ kubernetes: { cluster: 'east', namespace: 'shop', service: 'api-v2', port: 'http' } }, { kubernetes: { namespace: 'shop', service: 'old' } }] } },
  });
});

test('the last place is removed with its key', async () => {
  const { user, dialog, place } = await open();
  await user.click(place(2).getByRole('button', { name: 'Remove this place' }));
  await user.click(place(1).getByRole('button', { name: 'Remove this place' }));
  expect(within(dialog).getByText(/endpoints come by hand only/)).toBeTruthy();
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  await waitFor(() => expect(sent.map((s) => s.body.spec)).toEqual([{ protocol: 'h2c' }]), soon);
});

test('what is needed is asked for before the server is', async () => {
  const { user, dialog, place } = await open();
  await user.clear(place(2).getByLabelText('Prefix'));
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  expect(await place(2).findByText('This is needed', {}, soon)).toBeTruthy();
  expect(sent).toEqual([]);
});

test('a refusal stands at its field', async () => {
  server.use(
    refuse('put', '/tenants/{tenant}/upstreams/{upstream}', 400, 'invalid', 'The upstream is not valid.', [
      { field: 'spec.discover[0].kubernetes.port', message: 'the port is odd' },
      { field: 'spec.discover[1].weight', message: 'number must be at most 1000' },
    ]),
  );
  const { user, dialog, place } = await open();
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  const port = (await place(1).findByText('the port is odd', {}, soon)).closest('.ant-form-item') as HTMLElement;
  expect(within(port).getByLabelText('Port')).toBeTruthy();
  const weight = place(2).getByText('number must be at most 1000').closest('.ant-form-item') as HTMLElement;
  expect(within(weight).getByLabelText('Weight')).toBeTruthy();
  expect(within(dialog).queryByRole('button', { name: 'Save' })).toBeNull();
});

test('a new problem stands at its field, and saving is left to the person', async () => {
  const result = sampleResult(true, []);
  result.effect.problemsAdded = [
    { object: { kind: 'Upstream', tenant: 'acme', name: 'api' }, field: 'spec.discover[1]', code: 'discover_invalid', message: 'Prefix "/" is too wide. The entry is left out.' },
    { object: { kind: 'Upstream', tenant: 'acme', name: 'other' }, field: 'spec.discover[0]', code: 'x', message: 'Of another one.' },
  ];
  server.use(answer('put', '/tenants/{tenant}/upstreams/{upstream}', result));
  const { user, dialog, place } = await open();
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  const prefix = (await place(2).findByText(/too wide/, {}, soon)).closest('.ant-form-item') as HTMLElement;
  expect(within(prefix).getByLabelText('Prefix')).toBeTruthy();
  expect(place(1).queryByText('Of another one.')).toBeNull();
  expect(within(dialog).getByRole('button', { name: 'Save' })).toBeTruthy();
});

test('places and rows are the same thing', () => {
  const places = [
    { kubernetes: { namespace: 'shop', service: 'api' }, precedence: 5, weight: 0 },
    { etcd: { registry: 'legacy', prefix: '/a/' }, priority: 1 },
    { dns: { name: 'api.internal', port: 8080 } },
    { dns: { resolver: 'office', name: '_http._tcp.api.internal', type: 'SRV' as const } },
    { manual: {}, weight: 20 },
  ];
  expect(places.map(rowOf).map(placeOf)).toEqual(places);
  const srv: PlaceRow = { kind: 'dns', dns: { name: ' a.b ', type: 'SRV', port: 80 }, etcd: { prefix: '/typed before/' }, weight: null };
  expect(placeOf(srv)).toEqual({ dns: { name: 'a.b', type: 'SRV' } });
});

test('complaints find the field that they are about', () => {
  const rows: PlaceRow[] = [{ kind: 'dns' }, { kind: 'kubernetes' }];
  const at = (field: string, message: string) => complaints([{ field, message }], rows).map((c) => c.name.join('.'));
  expect(at('spec.discover[0]', 'Port 0 is not a port from 1 to 65535. The entry is left out.')).toEqual(['discover.0.dns.port']);
  expect(at('spec.discover[0]', 'It names the place of another.')).toEqual(['discover.0.kind']);
  expect(at('spec.discover[1].kubernetes.cluster', 'not configured')).toEqual(['discover.1.kubernetes.cluster']);
  expect(at('spec.discover[1].precedence', 'outside 0 to 1000')).toEqual(['discover.1.precedence']);
  expect(at('spec.discover[7]', 'of no row')).toEqual([]);
  expect(at('spec.health', 'elsewhere')).toEqual([]);
});
