import { screen, waitFor, within } from '@testing-library/react';
import { http, HttpResponse } from 'msw';
import { expect, test, vi } from 'vitest';
import { renderAt, streaming } from '../../test/render';
import { sampleNode } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const good = sampleNode('edge-01', 'in_sync');
const failed = sampleNode('edge-02', 'failed', {
  onDisk: 'bbbbbbbb22222222',
  running: 'bbbbbbbb22222222',
  failed: { digest: good.desired, step: 'check', message: 'nginx: [emerg] unknown directive "x"', file: 'tenants/acme.conf', line: 41, at: '2026-11-20T22:00:00Z' },
});
const drifted = sampleNode('edge-03', 'drifted', {
  onDisk: 'cccccccc33333333',
  drift: [{ path: 'upstreams/acme.conf', change: 'modified', diff: '@@ -1 +1 @@\n-server 10.0.0.4:80;\n+server 10.0.0.5:80;\n' }],
});

function serve() {
  const stream = eventStream();
  server.use(
    answer('get', '/fleets', { items: [{ kind: 'Fleet', name: 'shared', spec: {} }, { kind: 'Fleet', name: 'video', spec: {} }] }),
    answer('get', '/fleets/{fleet}/nodes', (r) => ({ items: r.url.includes('/shared/') ? [good, failed, drifted] : [] })),
    stream.handler,
  );
  return stream;
}

const row = async (name: string) => (await screen.findByRole('button', { name }, soon)).closest('tr') as HTMLElement;
const names = () => screen.getAllByRole('row').slice(1).map((r) => within(r).getAllByRole('button')[0]?.textContent);

test('shows desired, on disk and running, the worst node first', async () => {
  serve();
  renderAt('/fleet');
  const r = await row('edge-02');
  expect(r.textContent).toContain('tenants/acme.conf:41');
  expect(within(r).getByText('aaaaaaaa')).toBeTruthy();
  expect(within(r).getAllByText('bbbbbbbb')).toHaveLength(2);
  expect(within(r).getAllByTitle('differs from desired')).toHaveLength(2);
  expect((await row('edge-03')).textContent).toContain('upstreams/acme.conf');
  expect(names()).toEqual(['edge-02', 'edge-03', 'edge-01']);
});

test('says in words why, how endpoints arrive, and what reloads have cost', async () => {
  serve();
  server.use(
    answer('get', '/fleets/{fleet}/nodes', {
      items: [
        sampleNode('edge-01', 'in_sync', { revision: 12, endpoints: 'lua', drainingWorkers: 3, oldestDraining: new Date(Date.now() - 95_400_000).toISOString() }),
        sampleNode('edge-02', 'drifted', { reason: 'edited_not_loaded', mismatch: 'disk_running', endpoints: 'static: nginx does not load ngx_http_lua_module.so', allowed: 2, checkError: 'nginx: [emerg] oops' }),
      ],
    }),
  );
  const { user } = renderAt('/fleet');
  const one = await row('edge-01');
  expect(within(one).getByText('revision 12')).toBeTruthy();
  expect(within(one).getByText('endpoints by Lua')).toBeTruthy();
  expect(one.textContent).toContain('3 old workers drain (1d 2h)');
  const two = await row('edge-02');
  expect(within(two).getAllByText(/nginx has not read it yet/)).toHaveLength(1);
  expect(within(two).getByText('2 edits are allowed to stay')).toBeTruthy();
  expect(within(two).getByText('endpoints in files').title).toBe('nginx does not load ngx_http_lua_module.so');
  await user.click(within(two).getByRole('button', { name: 'edge-02' }));
  const drawer = await screen.findByRole('dialog', {}, soon);
  expect(await within(drawer).findByText('nginx: [emerg] oops', {}, soon)).toBeTruthy();
  expect(within(drawer).getByText(/with a reload: nginx does not load/)).toBeTruthy();
});

test('marks a revoked node, in the list and in its details', async () => {
  serve();
  server.use(answer('get', '/fleets/{fleet}/nodes', { items: [sampleNode('edge-01', 'in_sync'), sampleNode('edge-02', 'silent', { revoked: true })] }));
  renderAt('/fleet?node=edge-02');
  const drawer = await screen.findByRole('dialog', {}, soon);
  expect(await within(drawer).findByText('revoked', {}, soon)).toBeTruthy();
  expect(within(drawer).getByText(/Its certificates are refused/)).toBeTruthy();
  const cell = (name: string) => screen.getByText(name, { selector: 'tr button' }).closest('tr') as HTMLElement;
  expect(within(cell('edge-02')).getByText('revoked')).toBeTruthy();
  expect(within(cell('edge-01')).queryByText('revoked')).toBeNull();
});

test('filters by the URL', async () => {
  serve();
  renderAt('/fleet?fleet=shared&state=drifted');
  await waitFor(() => expect(names()).toEqual(['edge-03']), soon);
});

test('details name the error, the drift and its hunk', async () => {
  serve();
  const { user, router } = renderAt('/fleet?node=edge-02');
  const drawer = await screen.findByRole('dialog', {}, soon);
  expect(await within(drawer).findByText('nginx: [emerg] unknown directive "x"', {}, soon)).toBeTruthy();
  await user.click(within(drawer).getByRole('button', { name: 'Close' }));
  await user.click(await screen.findByRole('button', { name: 'edge-03' }, soon));
  expect(await screen.findByText('+server 10.0.0.5:80;', {}, soon)).toBeTruthy();
  expect(router.state.location.search).toEqual({ node: 'edge-03' });
});

test('takes a node from the stream', async () => {
  const stream = serve();
  const { cache } = renderAt('/fleet');
  await row('edge-02');
  await streaming(cache);
  stream.send('node', { ...failed, state: 'in_sync', failed: undefined });
  await waitFor(async () => expect((await row('edge-02')).textContent).toContain('in sync'), soon);
});

test('downloads files with the token, as an archive and as one text', async () => {
  serve();
  const seen: string[] = [];
  server.use(
    http.get('*/api/v1/fleets/shared/tree', ({ request }) => {
      seen.push(`${decodeURIComponent(new URL(request.url).search)} ${request.headers.get('Authorization')}`);
      return new HttpResponse(new Uint8Array([31, 139]), { headers: { 'Content-Type': 'application/gzip' } });
    }),
  );
  const saved: string[] = [];
  URL.createObjectURL = () => 'blob:x';
  URL.revokeObjectURL = () => {};
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
    saved.push(this.download);
  });
  const { user } = renderAt('/fleet');
  await user.click(within(await row('edge-02')).getByRole('button', { name: 'Download edge-02' }));
  const [archive] = await screen.findAllByText('Files (tar.gz)', {}, soon);
  await user.click(archive as HTMLElement);
  await waitFor(() => expect(saved).toEqual(['shared-edge-02.tar.gz']), soon);
  await user.click(within(await row('edge-02')).getByRole('button', { name: 'Download edge-02' }));
  const texts = await screen.findAllByText('One text, like nginx -T', {}, soon);
  await user.click(texts.at(-1) as HTMLElement);
  await waitFor(() => expect(saved).toEqual(['shared-edge-02.tar.gz', 'shared-desired_edge-02.conf']), soon);
  expect(seen).toEqual(['?of=edge-02&format=tar Bearer secret', '?of=desired:edge-02&format=text Bearer secret']);
});

test('a fleet without nodes says what to do', async () => {
  serve();
  renderAt('/fleet?fleet=video');
  expect(await screen.findByText('No node has reported to this fleet', {}, soon)).toBeTruthy();
});

test('an unknown fleet', async () => {
  serve();
  renderAt('/fleet?fleet=nix');
  expect(await screen.findByText('There is no fleet nix.', {}, soon)).toBeTruthy();
});

test('no fleet at all', async () => {
  serve();
  server.use(answer('get', '/fleets', { items: [] }));
  renderAt('/fleet');
  expect(await screen.findByText('No fleets yet', {}, soon)).toBeTruthy();
});

test('an error', async () => {
  serve();
  server.use(refuse('get', '/fleets/{fleet}/nodes', 500, 'internal', 'the fleet controller stopped'));
  renderAt('/fleet');
  expect(await screen.findByText('the fleet controller stopped', {}, soon)).toBeTruthy();
});
