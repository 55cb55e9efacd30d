import { screen, waitFor, within } from '@testing-library/react';
import { http, HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import { renderAt } from '../../test/render';
import { sampleNode } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };

function serve() {
  const calls: string[] = [];
  let nodes = [sampleNode('edge-01', 'in_sync'), sampleNode('edge-02', 'silent')];
  server.use(
    answer('get', '/fleets', { items: [{ kind: 'Fleet', name: 'shared', spec: {} }] }),
    answer('get', '/fleets/{fleet}/nodes', () => ({ items: nodes })),
    http.post('*/api/v1/fleets/shared/nodes/:node/revoke', ({ params }) => {
      calls.push(`revoke ${String(params.node)}`);
      return new HttpResponse(null, { status: 204 });
    }),
    http.delete('*/api/v1/fleets/shared/nodes/:node', ({ params }) => {
      calls.push(`forget ${String(params.node)}`);
      nodes = nodes.filter((n) => n.node !== params.node);
      return new HttpResponse(null, { status: 204 });
    }),
    eventStream().handler,
  );
  return calls;
}

const dialog = async (title: string) => (await screen.findByText(title, {}, soon)).closest('[role="dialog"]') as HTMLElement;

test('certificates are refused after it was said what that means', async () => {
  const calls = serve();
  const { user, router } = renderAt('/fleet?node=edge-01');
  await user.click(await screen.findByRole('button', { name: 'Revoke certificates' }, soon));
  const ask = await dialog('Refuse the certificates of edge-01?');
  expect(within(ask).getByText(/Its nginx goes on serving/)).toBeTruthy();
  expect(within(ask).getByText(/It stays in the list/)).toBeTruthy();
  expect(calls).toEqual([]);
  await user.click(within(ask).getByRole('button', { name: 'Revoke certificates' }));
  await screen.findByText('Certificates of edge-01 are refused', {}, soon);
  expect(calls).toEqual(['revoke edge-01']);
  expect(router.state.location.search).toEqual({ node: 'edge-01' });
});

test('a node that is forgotten leaves the list, and its details close', async () => {
  const calls = serve();
  const { user, router } = renderAt('/fleet?node=edge-02');
  await user.click(await screen.findByRole('button', { name: 'Forget the node' }, soon));
  const ask = await dialog('Forget edge-02?');
  expect(within(ask).queryByText(/It is not gone/)).toBeNull();
  await user.click(within(ask).getByRole('button', { name: 'Forget the node' }));
  await waitFor(() => expect(screen.queryByRole('button', { name: 'edge-02' })).toBeNull(), soon);
  expect(calls).toEqual(['forget edge-02']);
  await waitFor(() => expect(router.state.location.search).toEqual({}), soon);
});

test('a node that is alive is not forgotten unseen, and a refusal is shown', async () => {
  serve();
  server.use(refuse('delete', '/fleets/{fleet}/nodes/{node}', 503, 'unavailable', 'the store does not answer'));
  const { user } = renderAt('/fleet?node=edge-01');
  await user.click(await screen.findByRole('button', { name: 'Forget the node' }, soon));
  const ask = await dialog('Forget edge-01?');
  expect(within(ask).getByText(/It is not gone/)).toBeTruthy();
  await user.click(within(ask).getByRole('button', { name: 'Forget the node' }));
  expect(await within(ask).findByText('the store does not answer', {}, soon)).toBeTruthy();
  await user.click(within(ask).getByRole('button', { name: 'Cancel' }));
  expect(await screen.findByRole('button', { name: 'edge-01' }, soon)).toBeTruthy();
});
