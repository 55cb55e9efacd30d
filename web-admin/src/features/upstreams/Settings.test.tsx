import { screen } from '@testing-library/react';
import { expect, test } from 'vitest';
import type { ActiveCheck } from '../../api/types';
import { renderAt } from '../../test/render';
import { sampleEndpoint, sampleUpstream } from '../../test/samples';
import { answer, eventStream, server } from '../../test/server';

const soon = { timeout: 30_000 };
const rhythm = { interval: '5s', timeout: '2s', rise: 2, fall: 3 };

async function shows(check: ActiveCheck, ...texts: string[]) {
  const view = sampleUpstream('acme', 'api', [sampleEndpoint('10.0.0.4:8080')]);
  view.upstream.health.active = { ...rhythm, ...check };
  server.use(answer('get', '/upstreams', { generation: 1, items: [view] }), eventStream().handler);
  renderAt('/upstreams/acme/api');
  for (const text of texts) expect(await screen.findByText(text, {}, soon)).toBeTruthy();
}

const every = 'every 5s, timeout 2s; down after 3, back after 2';

test('an http check shows everything that it asks and expects', () =>
  shows(
    { type: 'http', path: '/healthz', host: 'shop.test', headers: { 'X-Probe': '1' }, expectNot: ['502', '504'], body: 'UP', initial: 'down' },
    `http /healthz ${every}`,
    'asks for host shop.test',
    'sends the headers X-Probe',
    'any status but 502, 504',
    'the body has to match UP',
    'new endpoints get no request before a probe has succeeded',
  ));

test('an http check with a list of statuses', () => shows({ type: 'http', path: '/', expect: ['200-299', '404'] }, `http / ${every}`, 'expects status 200-299, 404'));

test('a tcp check', () => shows({ type: 'tcp' }, `tcp ${every}`));

test('a grpc check names its service', () => shows({ type: 'grpc', service: 'shop.Cart' }, `grpc shop.Cart ${every}`));

test('a redis check of the replication', () => shows({ type: 'redis', replication: true }, `redis ${every}`, 'a replica without its master fails'));

test('a mysql check with a user', () => shows({ type: 'mysql', user: 'probe' }, `mysql ${every}`, 'logs in as probe'));
