import { screen, waitFor, within } from '@testing-library/react';
import { http, HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import type { EnrolmentToken, IssuedToken } from '../../api/types';
import { renderAt } from '../../test/render';
import { sampleNode } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';
import { command, tokenState } from './tokens';

const soon = { timeout: 30_000 };
const info = (id: string, more: Partial<EnrolmentToken> = {}): EnrolmentToken => ({
  id, fleet: 'shared', createdAt: '2026-11-20T22:00:00Z', createdBy: 'alice', expiresAt: '2036-01-01T00:00:00Z', ...more,
});

function serve(list: EnrolmentToken[]) {
  server.use(
    answer('get', '/fleets', { items: [{ kind: 'Fleet', name: 'shared', spec: {} }] }),
    answer('get', '/fleets/{fleet}/nodes', { items: [sampleNode('edge-01', 'in_sync')] }),
    answer('get', '/enrolment-tokens', { items: list }),
    eventStream().handler,
  );
}

test('lists the tokens of the fleet and what became of them', async () => {
  serve([
    info('k1', { node: 'edge-07' }),
    info('k2', { usedAt: '2026-11-20T22:10:00Z', usedBy: 'edge-06' }),
    info('k3', { expiresAt: '2026-11-01T00:00:00Z', createdAt: '2026-10-31T00:00:00Z' }),
    info('k4', { fleet: 'video' }),
  ]);
  renderAt('/fleet?tab=tokens');
  const list = await screen.findByRole('list', { name: 'One-time tokens for nodes' }, soon);
  const items = within(list).getAllByRole('listitem').map((i) => i.textContent ?? '');
  expect(items).toHaveLength(3);
  expect(items[0]).toMatch(/not used yet.*k1.*for edge-07 only/);
  expect(items[1]).toMatch(/used.*k2.*for any node.*used by edge-06/);
  expect(items[2]).toContain('k3');
});

test('makes one, shows it with the command, and never again', async () => {
  serve([]);
  const sent: unknown[] = [];
  server.use(
    http.post('*/api/v1/enrolment-tokens', async ({ request }) => {
      sent.push(await request.json());
      const issued: IssuedToken = { token: 'slt_secret', info: info('k9', { node: 'edge-09' }), agents: ':9443' };
      server.use(answer('get', '/enrolment-tokens', { items: [issued.info] }));
      return HttpResponse.json(issued);
    }),
  );
  const { user } = renderAt('/fleet?tab=tokens');
  await screen.findByText('No tokens', {}, soon);
  await user.click(screen.getByRole('button', { name: 'Make a token' }));
  const dialog = await screen.findByRole('dialog', {}, soon);
  await user.type(within(dialog).getByLabelText('Node'), 'edge-09');
  await user.click(within(dialog).getByRole('button', { name: 'Make a token' }));
  expect(await within(dialog).findByText('slt_secret', {}, soon)).toBeTruthy();
  expect(dialog.textContent).toContain('sluice agent --server https://sluice.test:9443 --fleet shared --node edge-09 --enrol-token-file /etc/sluice-enrol-token');
  expect(sent).toEqual([{ fleet: 'shared', node: 'edge-09', expires: '1h' }]);
  await user.click(within(dialog).getByRole('button', { name: 'I have copied it' }));
  expect(await screen.findByText('k9', {}, soon)).toBeTruthy();
  await waitFor(() => expect(document.body.textContent).not.toContain('slt_secret'), soon);
});

test('a refusal stands in the dialog', async () => {
  serve([]);
  server.use(refuse('post', '/enrolment-tokens', 503, 'unavailable', 'agents.address is not set in sluice.yaml'));
  const { user } = renderAt('/fleet?tab=tokens');
  await screen.findByText('No tokens', {}, soon);
  await user.click(screen.getByRole('button', { name: 'Make a token' }));
  const dialog = await screen.findByRole('dialog', {}, soon);
  await user.click(within(dialog).getByRole('button', { name: 'Make a token' }));
  expect(await within(dialog).findByText('agents.address is not set in sluice.yaml', {}, soon)).toBeTruthy();
});

test('removes one', async () => {
  serve([info('k1')]);
  const removed: unknown[] = [];
  server.use(
    http.delete('*/api/v1/enrolment-tokens/:id', ({ params }) => {
      removed.push(params.id);
      server.use(answer('get', '/enrolment-tokens', { items: [] }));
      return new HttpResponse(null, { status: 204 });
    }),
  );
  const { user } = renderAt('/fleet?tab=tokens');
  await user.click(await screen.findByRole('button', { name: 'Remove k1' }, soon));
  const dialog = await screen.findByRole('dialog', {}, soon);
  await user.click(within(dialog).getByRole('button', { name: 'Remove' }));
  expect(await screen.findByText('No tokens', {}, soon)).toBeTruthy();
  expect(removed).toEqual(['k1']);
});

test('what is pasted is safe in a shell, and names a server that the node can reach', () => {
  const issued = (agents: string, token = 'a.b-c', node?: string): IssuedToken => ({ token, agents, info: info('k', node === undefined ? {} : { node }) });
  expect(command(issued('[::]:9443', "x'; reboot"), 'control')).toContain(`printf '%s\\n' 'x'\\''; reboot' >`);
  expect(command(issued('0.0.0.0:9443'), 'control')).toContain('--server https://control:9443 --fleet shared --enrol');
  expect(command(issued('10.0.0.1:9443'), 'control')).toContain('--server https://10.0.0.1:9443 ');
  expect(command(issued('[fd00::1]:9443'), 'control')).toContain("--server 'https://[fd00::1]:9443' ");
});

test('a token that was used in time is used', () => {
  expect(tokenState(info('k', { expiresAt: '2026-01-01T00:00:00Z', usedAt: '2025-12-31T00:00:00Z' }), Date.parse('2026-06-01'))).toBe('used');
});
