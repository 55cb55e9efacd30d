import { screen, waitFor, within } from '@testing-library/react';
import { http, HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import type { FleetDrift, NodeHunk, Settled } from '../../api/types';
import { renderAt, streaming } from '../../test/render';
import { sampleNode } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const owner = { uid: 0, user: 'root', modified: '2026-11-20T23:04:05Z', hint: 'sudo: alice: /usr/bin/vim acme.shop.conf' };

const timeout: NodeHunk = {
  id: '4f1a09d2c3b4', path: 'servers/acme.shop.conf', where: ['server shop.example.com', 'location /'], change: 'changed', kind: 'by_hand',
  directive: 'proxy_read_timeout', old: 'proxy_read_timeout 60s;', new: 'proxy_read_timeout 7s;', oldLine: 31, newLine: 33,
  on: [{ node: 'edge-03', owner }],
};
const outside: NodeHunk = { id: 'aaaa09d2c3b4', path: '/etc/nginx/nginx.conf', change: 'added', kind: 'outside', new: 'worker_rlimit_nofile 9;', newLine: 4, on: [{ node: 'edge-03', failed: 'nginx: [emerg] no' }] };
const rendered: NodeHunk = { id: 'bbbb09d2c3b4', path: 'base/x.conf', change: 'removed', kind: 'rendered', old: 'http2 on;', oldLine: 2, on: [{ node: 'edge-03' }] };

const drift = (...hunks: NodeHunk[]): FleetDrift => ({
  fleet: 'shared',
  summary: '2 alike, 1 differs in 2 directives',
  groups: [
    { fingerprint: 'f1f1f1f1f1f1', reference: true, nodes: ['edge-01', 'edge-02'], directives: 0 },
    { fingerprint: 'f2f2f2f2f2f2', nodes: ['edge-03'], directives: 2, hunks, marks: [{ node: 'edge-03', mismatch: 'disk_running' }] },
  ],
});

function serve(...hunks: NodeHunk[]) {
  const stream = eventStream();
  const sent: { body: unknown; dry: string | null }[] = [];
  server.use(
    answer('get', '/fleets', { items: [{ kind: 'Fleet', name: 'shared', spec: {} }] }),
    answer('get', '/fleets/{fleet}/nodes', { items: ['edge-01', 'edge-02', 'edge-03'].map((n) => sampleNode(n, 'in_sync')) }),
    answer('get', '/fleets/{fleet}/groups', drift(...hunks)),
    http.post('*/api/v1/fleets/shared/drift/:hunk', async ({ request, params }) => {
      const body = (await request.json()) as { action: Settled['action'] };
      const dry = new URL(request.url).searchParams.get('dryRun');
      sent.push({ body, dry });
      const object = { kind: 'Override' as const, tenant: 'acme', name: `adopted-${String(params.hunk)}` };
      const result: Settled = { hunk: String(params.hunk), action: body.action, nodes: ['edge-03'], objects: body.action === 'adopt' ? [{ object, action: 'created' }] : [] };
      return HttpResponse.json(result);
    }),
    stream.handler,
  );
  return { stream, sent };
}

const hunk = (id: string) => screen.findByRole('article', { name: id }, soon);

/** Opens the dialog of an action of a hunk. */
async function ask(user: ReturnType<typeof renderAt>['user'], id: string, action: string) {
  await user.click(within(await hunk(id)).getByRole('button', { name: action }));
  return screen.findByRole('dialog', {}, soon);
}

test('shows groups, and each hunk with place, sides, owner and time', async () => {
  serve(rendered, timeout, outside);
  const { user } = renderAt('/fleet?tab=drift');
  expect(await screen.findByText('2 alike, 1 differs in 2 directives', {}, soon)).toBeTruthy();
  expect(screen.getByText(/nginx has not read it yet/)).toBeTruthy();
  const one = await hunk(timeout.id);
  expect(within(one).getByText('servers/acme.shop.conf:33')).toBeTruthy();
  expect(within(one).getByText('server shop.example.com › location /')).toBeTruthy();
  expect(within(one).getAllByRole('cell').map((c) => c.textContent)).toEqual(['31proxy_read_timeout 60s;', '33proxy_read_timeout 7s;']);
  expect(one.textContent).toContain('file of root (uid 0), written');
  expect(within(one).getByText('logs: sudo: alice: /usr/bin/vim acme.shop.conf')).toBeTruthy();
  expect(within(await hunk(outside.id)).getByText('Not taken back: nginx: [emerg] no')).toBeTruthy();
  // What people did first; and nothing can be done about what is meant to differ.
  expect(screen.getAllByRole('article').map((a) => within(a).queryAllByRole('button').map((b) => b.textContent))).toEqual([['Revert', 'Adopt', 'Allow until'], ['Revert'], []]);
  expect(screen.getByRole('tab', { name: 'Drift 2' })).toBeTruthy();
  await user.click(screen.getByText('Unified'));
  expect(within(await hunk(timeout.id)).getByText('+proxy_read_timeout 7s;')).toBeTruthy();
});

test('reverts on the nodes that are chosen', async () => {
  const { sent } = serve({ ...timeout, on: [{ node: 'edge-02' }, { node: 'edge-03' }] });
  const { user } = renderAt('/fleet?tab=drift');
  const dialog = await ask(user, timeout.id, 'Revert');
  await user.click(within(dialog).getByRole('checkbox', { name: 'edge-02' }));
  await user.click(within(dialog).getByRole('button', { name: 'Revert' }));
  expect(await screen.findByText('Told to take it back: edge-03', {}, soon)).toBeTruthy();
  expect(sent).toEqual([{ body: { action: 'revert', nodes: ['edge-03'] }, dry: 'false' }]);
});

test('adopts after what is written was shown', async () => {
  const { sent } = serve(timeout);
  const { user } = renderAt('/fleet?tab=drift');
  const dialog = await ask(user, timeout.id, 'Adopt');
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  expect(await within(dialog).findByText('Say why', {}, soon)).toBeTruthy();
  expect(sent).toEqual([]);
  await user.type(within(dialog).getByLabelText('Reason'), 'OPS-7');
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  expect(await within(dialog).findByText('Override acme/adopted-4f1a09d2c3b4', {}, soon)).toBeTruthy();
  await user.click(within(dialog).getByRole('button', { name: 'Adopt' }));
  await waitFor(() => expect(sent.map((s) => s.dry)).toEqual(['true', 'false']), soon);
  expect(sent[1]?.body).toEqual({ action: 'adopt', reason: 'OPS-7' });
});

test('adopts the other edits of the file with it, unless they are left out', async () => {
  const other = (id: string, directive: string, path = timeout.path): NodeHunk => ({ ...timeout, id, path, directive, old: undefined, new: `${directive};` });
  const { sent } = serve(timeout, other('cccc09d2c3b4', 'proxy_buffering off'), other('dddd09d2c3b4', 'gzip on'), other('eeee09d2c3b4', 'gzip off', 'servers/other.conf'));
  const { user } = renderAt('/fleet?tab=drift');
  const dialog = await ask(user, timeout.id, 'Adopt');
  expect(within(dialog).getAllByRole('checkbox')).toHaveLength(2);
  await user.click(within(dialog).getByRole('checkbox', { name: '+ gzip on;' }));
  await user.type(within(dialog).getByLabelText('Reason'), 'OPS-7');
  await user.click(within(dialog).getByRole('button', { name: 'Show effect' }));
  await waitFor(() => expect(sent).toHaveLength(1), soon);
  expect(sent[0]?.body).toEqual({ action: 'adopt', reason: 'OPS-7', also: ['cccc09d2c3b4'] });
});

test('allows until a time, with a reason', async () => {
  const { sent } = serve(timeout);
  const { user } = renderAt('/fleet?tab=drift');
  const dialog = await ask(user, timeout.id, 'Allow until');
  await user.type(within(dialog).getByLabelText('Reason'), 'until the disk is new');
  await user.click(within(dialog).getByRole('button', { name: 'Allow until' }));
  await waitFor(() => expect(sent).toHaveLength(1), soon);
  const { until, ...rest } = sent[0]?.body as { until: string };
  expect(rest).toEqual({ action: 'allow', reason: 'until the disk is new' });
  // A day from now, give or take a slow machine.
  expect(Math.abs(Date.parse(until) - Date.now() - 86_400_000)).toBeLessThan(600_000);
});

test('a refusal stands in the dialog', async () => {
  serve(timeout);
  server.use(refuse('post', '/fleets/{fleet}/drift/{hunk}', 400, 'invalid', 'no policy allows proxy_read_timeout', [{ field: 'action', message: 'revert or allow it' }]));
  const { user } = renderAt('/fleet?tab=drift');
  const dialog = await ask(user, timeout.id, 'Revert');
  await user.click(within(dialog).getByRole('button', { name: 'Revert' }));
  expect(await within(dialog).findByText('no policy allows proxy_read_timeout', {}, soon)).toBeTruthy();
  expect(within(dialog).getByText('revert or allow it')).toBeTruthy();
});

test('what nodes answer comes by the stream, and the hunk goes', async () => {
  const { stream } = serve(timeout);
  const { cache } = renderAt('/fleet?tab=drift');
  await hunk(timeout.id);
  await streaming(cache);
  server.use(answer('get', '/fleets/{fleet}/groups', { fleet: 'shared', summary: '3 alike', groups: [{ fingerprint: 'f1', reference: true, nodes: ['edge-01', 'edge-02', 'edge-03'], directives: 0 }] }));
  stream.send('node', sampleNode('edge-03', 'in_sync', { settled: [{ hunk: timeout.id, at: '2026-11-20T23:59:00Z' }] }));
  expect(await screen.findByText('taken back', {}, soon)).toBeTruthy();
  expect(await screen.findByText('All nodes are what they should be, and alike', {}, soon)).toBeTruthy();
  expect(screen.queryByRole('article')).toBeNull();
});

test('an edit that may stay says until when and why, and is no open matter', async () => {
  serve({ ...timeout, on: [{ node: 'edge-03', allowed: { name: 'a', until: '2036-01-31T00:00:00Z', by: 'bob', reason: 'OPS-8' } }] });
  renderAt('/fleet?tab=drift');
  expect(within(await hunk(timeout.id)).getByText('allowed by bob: OPS-8')).toBeTruthy();
  expect(screen.getByRole('tab', { name: 'Drift' })).toBeTruthy();
});
