import { screen, waitFor, within } from '@testing-library/react';
import { expect, test } from 'vitest';
import type { TreeDiff } from '../../api/types';
import { renderAt } from '../../test/render';
import { sampleNode } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const seen: string[] = [];

function serve() {
  seen.length = 0;
  server.use(
    answer('get', '/fleets/{fleet}/nodes', { items: [sampleNode('edge-01', 'in_sync'), sampleNode('edge-03', 'drifted')] }),
    answer('get', '/fleets/{fleet}/diff', (r): TreeDiff => {
      const q = new URL(r.url).searchParams;
      seen.push(q.toString());
      const other = q.get('other');
      return {
        left: other ? `node ${other}` : `desired ${q.get('node')}`,
        right: `node ${q.get('node')}`,
        equal: 12,
        files: [
          { path: 'a.conf', change: 'changed', left: 'listen 80;\n', right: 'listen 81;\n', unified: '@@ -1 +1 @@\n-listen 80;\n+listen 81;\n' },
          { path: 'b.conf', change: 'added', left: '', right: 'daemon off;\n', unified: '@@ -0,0 +1 @@\n+daemon off;\n' },
        ],
      };
    }),
    eventStream().handler,
  );
}

test('compares a node with what it should have, file by file', async () => {
  serve();
  const { user, router } = renderAt('/fleet/shared/diff?node=edge-03&view=unified');
  expect(await screen.findByText('+listen 81;', {}, soon)).toBeTruthy();
  expect(screen.getAllByText('desired for edge-03').length).toBeGreaterThan(0);
  expect(screen.getByText('12 files are the same on both sides')).toBeTruthy();
  await user.click(within(screen.getByRole('navigation', { name: 'Files that differ' })).getByRole('button', { name: /b\.conf/ }));
  expect(await screen.findByText('+daemon off;', {}, soon)).toBeTruthy();
  expect(router.state.location.search).toEqual({ node: 'edge-03', view: 'unified', file: 'b.conf' });
  expect(seen).toEqual(['node=edge-03']);
});

test('shows both texts side by side', async () => {
  serve();
  const { container } = renderAt('/fleet/shared/diff?node=edge-03&other=edge-01');
  await waitFor(() => expect(container.querySelectorAll('.cm-content')).toHaveLength(2), soon);
  expect([...container.querySelectorAll('.cm-content')].map((e) => e.textContent)).toEqual(['listen 80;', 'listen 81;']);
});

test('sides are swapped', async () => {
  serve();
  const { user } = renderAt('/fleet/shared/diff?node=edge-03&other=edge-01&view=unified');
  await screen.findByText('+listen 81;', {}, soon);
  await user.click(screen.getByRole('button', { name: 'Swap sides' }));
  await waitFor(() => expect(seen).toEqual(['node=edge-03&other=edge-01', 'node=edge-01&other=edge-03']), soon);
});

test('equal sides', async () => {
  serve();
  server.use(answer('get', '/fleets/{fleet}/diff', { left: 'desired edge-01', right: 'node edge-01', equal: 14, files: [] }));
  renderAt('/fleet/shared/diff?node=edge-01');
  expect(await screen.findByText('Both sides are the same', {}, soon)).toBeTruthy();
});

test('an error', async () => {
  serve();
  server.use(refuse('get', '/fleets/{fleet}/diff', 404, 'not_found', 'node edge-03 has sent no tree yet'));
  renderAt('/fleet/shared/diff?node=edge-03');
  expect(await screen.findByText('node edge-03 has sent no tree yet', {}, soon)).toBeTruthy();
});
