import { screen } from '@testing-library/react';
import { expect, test, vi } from 'vitest';
import { token } from '../../api/token';
import { renderAt } from '../../test/render';
import { sampleStatus } from '../../test/samples';
import { answer, eventStream, refuse, server } from '../../test/server';

function serveOverview() {
  server.use(
    answer('get', '/status', sampleStatus),
    answer('get', '/problems', { items: [] }),
    answer('get', '/upstreams', { generation: 1, items: [] }),
    answer('get', '/fleets', { items: [] }),
    eventStream().handler,
  );
}

const soon = { timeout: 30_000 };

test('leads to the login page, and after it to where one wanted to go', async () => {
  serveOverview();
  server.use(answer('get', '/session', { name: 'admin', role: 'admin' }));
  const { user, router } = renderAt('/upstreams?tenant=acme', { as: null });
  expect(await screen.findByText('<dataDir>/admin.token', {}, soon)).toBeTruthy();
  await user.type(screen.getByLabelText('Admin token'), ' secret ');
  await user.click(screen.getByRole('button', { name: 'Log in' }));
  expect(await screen.findByText('No upstreams yet', {}, soon)).toBeTruthy();
  expect(token.get()).toBe('secret');
  expect(router.state.location.href).toBe('/upstreams?tenant=acme');
});

test('says that a token is not valid', async () => {
  server.use(refuse('get', '/session', 401, 'unauthorized', 'unknown token'));
  const { user } = renderAt('/', { as: null });
  await user.type(await screen.findByLabelText('Admin token', {}, soon), 'wrong');
  await user.click(screen.getByRole('button', { name: 'Log in' }));
  expect(await screen.findByText(/not valid/, {}, soon)).toBeTruthy();
  expect(token.get()).toBeNull();
});

test('a token that is refused later leads back here and says why', async () => {
  serveOverview();
  server.use(refuse('get', '/status', 401, 'unauthorized', 'revoked'));
  renderAt('/');
  expect(await screen.findByText(/no longer accepted/, {}, soon)).toBeTruthy();
  expect(token.get()).toBeNull();
});

test('does not lead to another site', async () => {
  serveOverview();
  const { router } = renderAt('/login?next=//evil.example');
  await vi.waitFor(() => expect(router.state.location.href).toBe('/'), soon);
});

test('the language is switched and remembered', async () => {
  const { user } = renderAt('/login', { as: null });
  await user.click(await screen.findByRole('button', { name: 'Language' }, soon));
  await user.click(await screen.findByText('简体中文', {}, soon));
  expect(await screen.findByText('登录 Sluice', {}, soon)).toBeTruthy();
  expect(localStorage.getItem('sluice.language')).toBe('zh-CN');
  expect(document.documentElement.lang).toBe('zh-CN');
});
