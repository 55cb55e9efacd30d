import { screen, waitFor, within } from '@testing-library/react';
import { http, HttpResponse } from 'msw';
import { expect, test, vi } from 'vitest';
import type { Bundle, TreeDiff } from '../../api/types';
import { renderAt } from '../../test/render';
import { sampleNode } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const bundles: Bundle[] = [
  { digest: 'aaaaaaaa11111111', facts: 'f1', revisions: [14, 12], nodes: ['edge-01', 'edge-03'], since: '2026-11-20T23:00:00Z' },
  { digest: 'bbbbbbbb22222222', facts: 'f1', revisions: [13], nodes: [] },
  { digest: 'cccccccc33333333', facts: 'f2', revisions: [], nodes: [] },
];

function serve() {
  const seen = new Set<string>();
  server.use(
    answer('get', '/fleets/{fleet}/nodes', { items: [sampleNode('edge-01', 'in_sync'), sampleNode('edge-03', 'drifted')] }),
    answer('get', '/fleets/{fleet}/bundles', { items: bundles }),
    answer('get', '/fleets/{fleet}/diff', (r): TreeDiff => {
      const q = new URL(r.url).searchParams;
      const [left, right] = [q.get('from') ?? '', q.get('to') ?? ''];
      seen.add(`${left} ${right}`);
      return {
        left,
        right,
        equal: 12,
        files: [
          { path: 'a.conf', change: 'changed', left: 'listen 80;\n', right: 'listen 81;\n', unified: '@@ -1 +1 @@\n-listen 80;\n+listen 81;\n' },
          { path: 'b.conf', change: 'added', left: '', right: 'daemon off;\n', unified: '@@ -0,0 +1 @@\n+daemon off;\n' },
        ],
      };
    }),
    eventStream().handler,
  );
  return seen;
}

test('compares a node with what it should have, file by file', async () => {
  const seen = serve();
  const { user, router } = renderAt('/fleet/shared/diff?from=desired:edge-03&to=edge-03&view=unified');
  expect(await screen.findByText('+listen 81;', {}, soon)).toBeTruthy();
  expect(screen.getAllByText('desired for edge-03').length).toBeGreaterThan(0);
  expect(screen.getAllByText('edge-03, on disk').length).toBeGreaterThan(0);
  expect(screen.getByText('12 files are the same on both sides')).toBeTruthy();
  await user.click(within(screen.getByRole('navigation', { name: 'Files that differ' })).getByRole('button', { name: /b\.conf/ }));
  expect(await screen.findByText('+daemon off;', {}, soon)).toBeTruthy();
  expect(router.state.location.search).toEqual({ from: 'desired:edge-03', to: 'edge-03', view: 'unified', file: 'b.conf' });
  expect([...seen]).toEqual(['desired:edge-03 edge-03']);
});

test('shows both texts side by side, and the address says so once that was chosen', async () => {
  serve();
  const { container, user, router } = renderAt('/fleet/shared/diff?from=edge-01&to=edge-03');
  await waitFor(() => expect(container.querySelectorAll('.cm-content')).toHaveLength(2), soon);
  expect([...container.querySelectorAll('.cm-content')].map((e) => e.textContent)).toEqual(['listen 80;', 'listen 81;']);
  await user.click(screen.getByText('Unified'));
  expect(await screen.findByText('+listen 81;', {}, soon)).toBeTruthy();
  expect(router.state.location.search).toEqual({ from: 'edge-01', to: 'edge-03', view: 'unified' });
});

test('revisions are named by number, digest and the nodes that they are for', async () => {
  serve();
  renderAt('/fleet/shared/diff?from=revision:bbbbbbbb22222222&to=revision:aaaaaaaa11111111&view=unified');
  await screen.findByText('+listen 81;', {}, soon);
  expect((await screen.findAllByText('revision 13 · bbbbbbbb · for edge-01 and those like it, 2 in all', {}, soon)).length).toBeGreaterThan(0);
  expect(screen.getAllByText('revision 14, 12 · aaaaaaaa · for edge-01 and those like it, 2 in all').length).toBeGreaterThan(0);
});

test('a side is chosen from a list, and sides are swapped', async () => {
  const seen = serve();
  const { user } = renderAt('/fleet/shared/diff?to=edge-03&view=unified');
  expect(await screen.findByText('Choose what to compare', {}, soon)).toBeTruthy();
  await user.click(screen.getByRole('combobox', { name: 'Left' }));
  await user.click(await screen.findByText('revision not known any more · cccccccc', {}, soon));
  await screen.findByText('+listen 81;', {}, soon);
  await user.click(screen.getByRole('button', { name: 'Swap sides' }));
  await waitFor(() => expect([...seen]).toEqual(['revision:cccccccc33333333 edge-03', 'edge-03 revision:cccccccc33333333']), soon);
});

test('each side is downloaded', async () => {
  serve();
  const asked: string[] = [];
  server.use(
    http.get('*/api/v1/fleets/shared/tree', ({ request }) => {
      asked.push(decodeURIComponent(new URL(request.url).search));
      return new HttpResponse('x', { headers: { 'Content-Type': 'text/plain' } });
    }),
  );
  URL.createObjectURL = () => 'blob:x';
  URL.revokeObjectURL = () => {};
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {});
  const { user } = renderAt('/fleet/shared/diff?from=revision:bbbbbbbb22222222&to=edge-03&view=unified');
  await user.click(await screen.findByRole('button', { name: 'Download Left' }, soon));
  await user.click(await screen.findByText('One text, like nginx -T', {}, soon));
  await waitFor(() => expect(asked).toEqual(['?of=revision:bbbbbbbb22222222&format=text']), soon);
});

test('equal sides', async () => {
  serve();
  server.use(answer('get', '/fleets/{fleet}/diff', { left: 'desired:edge-01', right: 'edge-01', equal: 14, files: [] }));
  renderAt('/fleet/shared/diff?from=desired:edge-01&to=edge-01');
  expect(await screen.findByText('Both sides are the same', {}, soon)).toBeTruthy();
});

test('an error', async () => {
  serve();
  server.use(refuse('get', '/fleets/{fleet}/diff', 404, 'not_found', 'node edge-03 has sent no tree yet'));
  renderAt('/fleet/shared/diff?from=desired:edge-03&to=edge-03');
  expect(await screen.findByText('node edge-03 has sent no tree yet', {}, soon)).toBeTruthy();
});
