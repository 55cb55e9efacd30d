import { screen, waitFor, within } from '@testing-library/react';
import type userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';
import { setLanguage } from '../../i18n';
import { renderAt } from '../../test/render';
import { sampleEndpoint, sampleResult, sampleUpstream } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

const soon = { timeout: 30_000 };
const pinned = sampleEndpoint(
  '10.0.0.5:8080',
  'drained',
  { inRotation: false, pin: { name: 'api-x', state: 'drained', by: 'ada', since: '2026-11-20T23:00:00Z', expires: '2099-11-20T23:00:00Z', reason: 'disk is full' } },
  { rule: 'by_hand', reason: 'drained by ada: disk is full', since: '2026-11-20T23:00:00Z' },
);
const pinPath = '/tenants/{tenant}/upstreams/{upstream}/endpoints/{address}/pin';

function serve(...others: ReturnType<typeof sampleEndpoint>[]) {
  const items = [sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080'), ...others])];
  server.use(answer('get', '/upstreams', { generation: 1, items }), eventStream().handler);
  return renderAt('/upstreams/acme/api');
}

const row = async (text: string) => (await screen.findByText(text, {}, soon)).closest('tr') as HTMLElement;

async function choose(user: ReturnType<typeof userEvent.setup>, address: string, item: string) {
  await user.click(within(await row(address)).getByRole('button', { name: /Drain \/ force/ }));
  await user.click(await screen.findByRole('menuitem', { name: item }, soon));
  return screen.findByRole('dialog', {}, soon);
}

test('says who has drained an endpoint, until when and why, once', async () => {
  serve(pinned);
  const text = (await row('10.0.0.5:8080')).textContent;
  expect(text).toContain('drained by ada');
  expect(text).toContain('until 2099-');
  expect(text.match(/disk is full/g)).toHaveLength(1);
  expect(text).toContain('no (by hand)');
});

test('drains an endpoint with reason and end, after saying what is left', async () => {
  const sent: [string, unknown][] = [];
  const { user } = serve(sampleEndpoint('10.0.0.6:8080'));
  server.use(
    answer('put', pinPath, async (r) => {
      sent.push([decodeURIComponent(new URL(r.url).pathname.split('/').at(-2) ?? ''), await r.json()]);
      return sampleResult(false, []);
    }),
  );
  const dialog = await choose(user, '10.0.0.4:8080', 'Drain');
  expect(within(dialog).getByText('1 other endpoint is in rotation.')).toBeTruthy();
  await user.type(within(dialog).getByLabelText('Reason'), ' new disk ');
  await user.click(within(dialog).getByLabelText('Ends'));
  await user.click(await screen.findByText('In 4 hours', { selector: '.ant-select-item-option-content' }, soon));
  expect(sent).toEqual([]);
  await user.click(within(dialog).getByRole('button', { name: 'Drain' }));
  await waitFor(() => expect(sent).toEqual([['10.0.0.4:8080', { state: 'drained', reason: 'new disk', for: '4h' }]]), soon);
  expect(await screen.findByText('Saved: 10.0.0.4:8080', {}, soon)).toBeTruthy();
});

test('forces an endpoint down until a time to come, and warns when it is the last one', async () => {
  const sent: unknown[] = [];
  const { user } = serve();
  server.use(
    answer('put', pinPath, async (r) => {
      sent.push(await r.json());
      return sampleResult(false, []);
    }),
  );
  const dialog = await choose(user, '10.0.0.4:8080', 'Force down');
  expect(within(dialog).getByText(/No other endpoint is in rotation/)).toBeTruthy();
  await user.click(within(dialog).getByLabelText('Ends'));
  await user.click(await screen.findByText('At a time', { selector: '.ant-select-item-option-content' }, soon));
  await user.click(within(dialog).getByRole('button', { name: 'Force down' }));
  expect(await within(dialog).findByText('Give a time to come', {}, soon)).toBeTruthy();
  expect(sent).toEqual([]);
  await user.type(within(dialog).getByLabelText('Date and time'), '2099-05-06T07:08');
  await user.click(within(dialog).getByRole('button', { name: 'Force down' }));
  await waitFor(() => expect(sent).toEqual([{ state: 'down', expires: new Date('2099-05-06T07:08').toISOString() }]), soon);
});

test('undrains, and keeps the dialog with the reason when that is refused', async () => {
  let deleted = 0;
  const { user } = serve(pinned);
  server.use(refuse('delete', pinPath, 403, 'forbidden', 'the token may only read'));
  const dialog = await choose(user, '10.0.0.5:8080', 'Undrain');
  await user.click(within(dialog).getByRole('button', { name: 'Undrain' }));
  expect(await within(dialog).findByText('the token may only read', {}, soon)).toBeTruthy();
  server.use(
    answer('delete', pinPath, () => {
      deleted++;
      return sampleResult(false, []);
    }),
  );
  await user.click(within(dialog).getByRole('button', { name: 'Undrain' }));
  await waitFor(() => expect(deleted).toBe(1), soon);
  expect(await screen.findByText('Saved: 10.0.0.5:8080', {}, soon)).toBeTruthy();
});

test('says it in Chinese', async () => {
  setLanguage('zh-CN');
  serve(pinned);
  expect((await row('10.0.0.5:8080')).textContent).toContain('由 ada 排空');
  expect(screen.getAllByRole('button', { name: /排空\/强制/ })).toHaveLength(2);
});
