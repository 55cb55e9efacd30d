import { screen, waitFor, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import type { CertificateView } from '../../api/types';
import { setLanguage } from '../../i18n';
import { renderAt, streaming } from '../../test/render';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const day = 86_400_000;
const inDays = (n: number) => new Date(Date.now() + n * day + day / 2).toISOString();

function certificate(name: string, more: Partial<CertificateView> = {}): CertificateView {
  return {
    tenant: 'acme',
    name,
    status: { names: [`${name}.test`], issuer: 'CN=Example CA', notBefore: inDays(-30), notAfter: inDays(60) },
    usable: true,
    hosts: [`${name}.test`],
    upstreams: [],
    problems: [],
    ...more,
  };
}

const shop = certificate('shop', { clientAuth: 'require' });
const old = certificate('old', {
  status: { names: ['old.test'], issuer: 'CN=Other CA', notAfter: inDays(-3) },
  problems: [{ object: { kind: 'Certificate', tenant: 'acme', name: 'old' }, field: 'spec.certificate', code: 'certificate_expired', message: 'The certificate expired.' }],
});
const broken = certificate('broken', {
  tenant: 'globex',
  usable: false,
  hosts: [],
  problems: [{ object: { kind: 'Certificate', tenant: 'globex', name: 'broken' }, code: 'key_mismatch', message: 'The key is not that of the certificate.' }],
});
const client = certificate('client', { hosts: [], upstreams: ['api'] });

function serve(items = [client, old, shop, broken]) {
  const stream = eventStream();
  server.use(answer('get', '/certificates', { generation: 1, items }), stream.handler);
  return stream;
}

const row = async (name: string) => (await screen.findByText(name, { selector: 'strong' }, soon)).closest('tr') as HTMLElement;
const names = () => [...document.querySelectorAll('td strong')].map((e) => e.textContent);

test('says until when each is good, who uses it and what is wrong', async () => {
  serve();
  renderAt('/certificates');
  const first = (await row('shop')).textContent;
  for (const text of ['acme/shop', 'shop.test', 'CN=Example CA', 'in 60d ', 'clients are asked for certificates (require)']) expect(first).toContain(text);
  expect((await row('old')).textContent).toContain('expired 2d ');
  expect((await row('old')).textContent).toContain('certificate_expired');
  expect((await row('broken')).textContent).toContain('not in service');
  expect((await row('broken')).textContent).toContain('The key is not that of the certificate.');
  const link = within(await row('client')).getByRole('link', { name: 'upstream api' });
  expect(link.getAttribute('href')).toBe('/upstreams/acme/api');
});

test.each([
  ['q=other', ['old']],
  ['q=API', ['client']],
  ['tenant=globex', ['broken']],
  ['problems=true', ['old', 'broken']],
  ['problems=nonsense', ['client', 'old', 'shop', 'broken']],
])('filters by the URL: %s', async (query, want) => {
  serve();
  renderAt(`/certificates?${query}`);
  await waitFor(() => expect(names()).toEqual(want), soon);
});

test('only those with problems, by a click', async () => {
  serve();
  const { user, router } = renderAt('/certificates');
  await user.click(await screen.findByRole('checkbox', { name: 'With problems' }, soon));
  await waitFor(() => expect(names()).toEqual(['old', 'broken']), soon);
  expect(router.state.location.search).toEqual({ problems: true });
});

test('a change of the snapshot is read again', async () => {
  const stream = serve();
  const { cache } = renderAt('/certificates');
  await row('shop');
  await streaming(cache);
  server.use(answer('get', '/certificates', { generation: 2, items: [certificate('fresh')] }));
  stream.send('problems', { problems: [] });
  await waitFor(() => expect(names()).toEqual(['fresh']), soon);
});

test('speaks Chinese', async () => {
  serve();
  setLanguage('zh-CN');
  renderAt('/certificates');
  expect((await row('broken')).textContent).toContain('未生效');
});

test('empty says what to do, a failure says why', async () => {
  serve([]);
  const { unmount } = renderAt('/certificates');
  expect(await screen.findByText(/kind Certificate/, {}, soon)).toBeTruthy();
  unmount();
  server.use(refuse('get', '/certificates', 503, 'unavailable', 'the store does not answer'));
  renderAt('/certificates');
  expect(await screen.findByText('the store does not answer', {}, soon)).toBeTruthy();
});
