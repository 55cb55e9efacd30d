import type { EffectiveUpstream, Endpoint, HealthState, Node, NodeState, Rollout, Shrink, Status, UpstreamHealth, UpstreamView, Verdict, WriteResult } from '../api/types';

// Small answers that the specification allows. Times are fixed, in the past.

export function sampleEndpoint(address: string, state: HealthState = 'healthy', more: Partial<Endpoint> = {}, verdict: Partial<Verdict> = {}): Endpoint {
  return {
    address,
    weight: 1,
    sources: ['kubernetes'],
    inRotation: state !== 'ejected' && state !== 'down',
    verdict: { upstream: { tenant: 'acme', name: 'api' }, address, state, ...verdict },
    ...more,
  };
}

export function sampleUpstream(tenant: string, name: string, endpoints: Endpoint[], more: Partial<UpstreamView> = {}): UpstreamView {
  const upstream: EffectiveUpstream = {
    key: { tenant, name },
    protocol: 'http',
    endpoints,
    balance: { policy: 'round_robin' },
    health: { passive: { consecutiveGatewayErrors: 5, baseEjection: '30s', maxEjectedPercent: 30 } },
    timeouts: { connect: '2s', response: '1m', idle: '30s' },
    retry: { attempts: 2 },
    drain: { timeout: '5m' },
  };
  return { upstream, problems: [], routes: ['shop'], ...more };
}

export function sampleHealth(more: Partial<UpstreamHealth> = {}): UpstreamHealth {
  return {
    upstream: { tenant: 'acme', name: 'api' },
    observer: 'edge-1',
    eligible: 3,
    mayEject: 1,
    ejected: 0,
    arithmetic: 'may eject 1 of 3: 30 % of 3 is less than one, and one always may be',
    bound: 'at_least_one',
    service: { bad: false },
    verdicts: [],
    ...more,
  };
}

export const sampleStatus: Status = {
  version: '0.1.0',
  node: 'edge-1',
  startedAt: '2026-11-20T00:00:00Z',
  generation: 7,
  digest: '9f3a9f3a9f3a9f3a9f3a9f3a9f3a9f3a',
  verdictDigest: '07be07be07be07be07be07be07be07be',
  problems: 1,
  counts: { tenants: 2, hosts: 3, routes: 4, upstreams: 2, endpoints: 3, endpointsInRotation: 2, fleets: 1, nodes: { in_sync: 1, failed: 1 } },
  sources: [
    { name: 'cluster-1', kind: 'kubernetes', up: true, lastEvent: '2026-11-20T23:59:00Z', upstreams: 1 },
    { name: 'registry', kind: 'etcd', up: false, message: 'etcd 10.1.0.4:2379: deadline exceeded', upstreams: 1 },
  ],
  store: { mode: 'embedded', up: true },
  listeners: [{ name: 'http', address: '[::]:8080' }],
};

export function sampleShrink(more: Partial<Shrink> = {}): Shrink {
  return {
    upstream: { tenant: 'acme', name: 'api' },
    source: 'etcd',
    place: 'default:/services/api/',
    since: new Date(Date.now() - 18_000).toISOString(),
    until: new Date(Date.now() + 3_600_000).toISOString(),
    lost: 3,
    of: 4,
    kept: ['10.0.0.4:8080', '10.0.0.5:8080'],
    ...more,
  };
}

export function sampleNode(node: string, state: NodeState, more: Partial<Node> = {}): Node {
  const desired = 'aaaaaaaa11111111';
  return {
    fleet: 'shared',
    node,
    facts: { nginxVersion: '1.22.1', confPath: '/etc/nginx/nginx.conf', treePath: '/etc/nginx/sluice', agentVersion: '0.1.0' },
    state,
    desired,
    onDisk: desired,
    running: desired,
    reportedAt: '2026-11-20T23:59:00Z',
    ...more,
  };
}

export function sampleResult(dryRun: boolean, added: string[], removed: string[] = []): WriteResult {
  const object = { kind: 'Upstream' as const, tenant: 'acme', name: 'api' };
  return {
    dryRun,
    changes: [{ object, action: 'updated' }],
    effect: {
      digestBefore: 'aaaaaaaa',
      digestAfter: 'bbbbbbbb',
      hosts: [],
      upstreams: [{ upstream: { tenant: 'acme', name: 'api' }, change: 'changed', endpointsAdded: added, endpointsRemoved: removed }],
      problemsAdded: [],
      problemsFixed: [],
    },
  };
}

/** Wave 2 of 3 of revision 13, which bakes for another ten minutes. */
export function sampleRollout(more: Partial<Rollout> = {}): Rollout {
  const counts = (nodes: number, requests: number, errors: number) => ({ nodes, requests, errors, exchanges: requests, connectErrors: 0 });
  return {
    fleet: 'shared',
    revision: 13,
    from: 12,
    state: 'baking',
    wave: 2,
    waves: [
      { size: 1, nodes: ['edge-01'], count: 1, startedAt: '2026-11-20T23:57:00Z', runningAt: '2026-11-20T23:57:10Z', passedAt: '2026-11-20T23:57:40Z' },
      {
        size: '50%', nodes: ['edge-02', 'edge-03'], count: 2, startedAt: '2026-11-20T23:57:40Z', runningAt: '2026-11-20T23:57:50Z',
        figures: { changed: counts(3, 4000, 12), reference: counts(1, 1500, 3) },
      },
      { size: '100%', nodes: [], count: 0 },
    ],
    objects: [{ kind: 'Route', tenant: 'acme', name: 'shop' }],
    authors: ['alice'],
    startedAt: '2026-11-20T23:57:00Z',
    bakeUntil: new Date(Date.now() + 600_000).toISOString(),
    ...more,
  };
}
