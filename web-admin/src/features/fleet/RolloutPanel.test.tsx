import { screen, waitFor, within } from '@testing-library/react';
import { http, HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import type { Rollout } from '../../api/types';
import { renderAt, streaming } from '../../test/render';
import { sampleNode, sampleRollout } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };

const failedBefore = sampleRollout({
  revision: 11, from: 10, state: 'failed', wave: 1, reason: 'edge-01: nginx: [emerg] unknown directive "x"', startedAt: '2026-11-20T20:00:00Z', endedAt: '2026-11-20T20:00:40Z',
  waves: [{ size: 1, nodes: ['edge-01'], count: 1, startedAt: '2026-11-20T20:00:00Z' }, { size: '100%', nodes: [], count: 0 }],
});

function serve(...list: Rollout[]) {
  const stream = eventStream();
  server.use(
    answer('get', '/fleets', { items: [{ kind: 'Fleet', name: 'shared', spec: {} }] }),
    answer('get', '/fleets/{fleet}/nodes', {
      items: [
        sampleNode('edge-01', 'in_sync', { revision: 13 }),
        sampleNode('edge-02', 'rolling', { revision: 13, running: 'bbbbbbbb22222222' }),
        sampleNode('edge-03', 'failed', { revision: 13 }),
        sampleNode('edge-04', 'in_sync', { revision: 12 }),
      ],
    }),
    answer('get', '/fleets/{fleet}/rollouts', { items: list }),
    stream.handler,
  );
  return stream;
}

const waves = async () => within(await screen.findByRole('list', { name: 'Waves' }, soon)).getAllByRole('listitem');
const buttons = () => ['Pause', 'Resume', 'Try again', 'Skip the bake', 'Abort'].filter((name) => screen.queryByRole('button', { name }) !== null);

test('shows waves with their nodes, the bake and the figures of the gate', async () => {
  serve(sampleRollout());
  renderAt('/fleet');
  const [first, second, third] = await waves();
  expect(first?.textContent).toContain('passed');
  expect(second?.textContent).toContain('bakes');
  expect(second?.getAttribute('aria-current')).toBe('step');
  // The one with trouble first.
  await waitFor(() => expect(within(second as HTMLElement).getAllByRole('button').map((b) => `${b.textContent}: ${b.title}`)).toEqual([
    'edge-03: refused it, and runs what it had',
    'edge-02: does not run the change yet',
  ]), soon);
  expect(third?.textContent).toContain('waits');
  expect(screen.getByText('revision 12 → 13')).toBeTruthy();
  expect(screen.getByText(/\(\d+m \d+s left\)/)).toBeTruthy();
  expect(screen.getByText('Route acme/shop')).toBeTruthy();
  expect(screen.getByText('by alice')).toBeTruthy();
  const errors = screen.getByRole('row', { name: /5xx answers/ });
  expect(errors.textContent).toContain('0.30 % 12 of 4000');
  expect(errors.textContent).toContain('0.20 % 3 of 1500');
  expect(buttons()).toEqual(['Pause', 'Skip the bake', 'Abort']);
});

test('a rollout goes on by the stream', async () => {
  const stream = serve(sampleRollout());
  const { cache } = renderAt('/fleet');
  await waves();
  await streaming(cache);
  stream.send('rollout', sampleRollout({ state: 'rolling', paused: true, reason: 'Paused by bob.' }));
  expect(await screen.findByText('Paused by bob.', {}, soon)).toBeTruthy();
  expect(buttons()).toEqual(['Resume', 'Abort']);
  stream.send('rollout', sampleRollout({ revision: 14, from: 13, state: 'rolling', wave: 1, startedAt: '2026-11-20T23:59:00Z' }));
  expect(await screen.findByText('revision 13 → 14', {}, soon)).toBeTruthy();
});

test('aborts once it was confirmed', async () => {
  serve(sampleRollout());
  const asked: string[] = [];
  server.use(
    http.post('*/api/v1/fleets/shared/rollouts/current/:action', ({ params }) => {
      asked.push(String(params.action));
      const over = sampleRollout({ state: 'aborted', reason: 'Aborted by admin.' });
      server.use(answer('get', '/fleets/{fleet}/rollouts', { items: [over] }));
      return HttpResponse.json(over);
    }),
  );
  const { user } = renderAt('/fleet');
  await waves();
  await user.click(screen.getByRole('button', { name: 'Abort' }));
  const dialog = await screen.findByRole('dialog', {}, soon);
  expect(dialog.textContent).toContain('3 nodes that have the change go back to revision 12.');
  expect(asked).toEqual([]);
  await user.click(within(dialog).getByRole('button', { name: 'Abort' }));
  expect(await screen.findByText('Aborted by admin.', {}, soon)).toBeTruthy();
  expect(asked).toEqual(['abort']);
});

test('a refusal stands in the dialog', async () => {
  serve(sampleRollout());
  server.use(refuse('post', '/fleets/{fleet}/rollouts/current/{action}', 409, 'conflict', 'promote the rollout: conflict: none is under way'));
  const { user } = renderAt('/fleet');
  await waves();
  await user.click(screen.getByRole('button', { name: 'Skip the bake' }));
  const dialog = await screen.findByRole('dialog', {}, soon);
  await user.click(within(dialog).getByRole('button', { name: 'Skip the bake' }));
  expect(await within(dialog).findByText('promote the rollout: conflict: none is under way', {}, soon)).toBeTruthy();
});

test('what failed says why and can be tried again; the history keeps it', async () => {
  serve(failedBefore, sampleRollout({ revision: 10, from: 9, state: 'done', wave: 3, startedAt: '2026-11-20T19:00:00Z', endedAt: '2026-11-20T19:02:05Z' }));
  const { user, router } = renderAt('/fleet');
  expect(await screen.findByText('edge-01: nginx: [emerg] unknown directive "x"', {}, soon)).toBeTruthy();
  expect(buttons()).toEqual(['Try again']);
  await user.click(screen.getByRole('tab', { name: 'Earlier rollouts' }));
  const history = await screen.findByRole('list', { name: 'Earlier rollouts' }, soon);
  expect(within(history).getByText('revision 9 → 10')).toBeTruthy();
  expect(within(history).getByText('(took 2m 5s)')).toBeTruthy();
  expect(router.state.location.search).toEqual({ tab: 'history' });
});

test('no rollout yet', async () => {
  serve();
  renderAt('/fleet');
  expect(await screen.findByText(/No rollout yet/, {}, soon)).toBeTruthy();
  expect(buttons()).toEqual([]);
});
