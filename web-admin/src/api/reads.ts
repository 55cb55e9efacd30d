import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';
import type { Alerts, Bundle, CertificateView, EnrolmentToken, Fleet, FleetDrift, NameList, Node, Problem, Rollout, Route, Shrink, UpstreamView } from './types';

// What several pages read. Every key starts with its noun, so that api/live.ts can say
// which answers an event makes old.

export const statusQuery = () =>
  queryOptions({ queryKey: ['status'], queryFn: ({ signal }) => unwrap(api.GET('/status', { signal })), refetchInterval: 10_000 });

export const problemsQuery = () =>
  queryOptions({
    queryKey: ['problems'],
    queryFn: async ({ signal }): Promise<Problem[]> => (await unwrap(api.GET('/problems', { signal }))).items,
  });

export const alertsQuery = () =>
  queryOptions({ queryKey: ['alerts'], queryFn: ({ signal }): Promise<Alerts> => unwrap(api.GET('/alerts', { signal })), refetchInterval: 5_000 });

export const shrinksQuery = () =>
  queryOptions({
    queryKey: ['shrinks'],
    queryFn: async ({ signal }): Promise<Shrink[]> => (await unwrap(api.GET('/shrinks', { signal }))).items,
  });

export const routesQuery = () =>
  queryOptions({
    queryKey: ['routes'],
    queryFn: async ({ signal }): Promise<Route[]> =>
      (await unwrap(api.GET('/objects', { params: { query: { kind: 'Route' } }, signal }))).items.filter((o) => o.kind === 'Route'),
  });

export const namesQuery = () =>
  queryOptions({ queryKey: ['names'], queryFn: ({ signal }): Promise<NameList> => unwrap(api.GET('/names', { signal })), refetchInterval: 10_000 });

export const upstreamsQuery = () =>
  queryOptions({
    queryKey: ['upstreams'],
    queryFn: async ({ signal }): Promise<UpstreamView[]> => (await unwrap(api.GET('/upstreams', { signal }))).items,
  });

export const certificatesQuery = () =>
  queryOptions({
    queryKey: ['certificates'],
    queryFn: async ({ signal }): Promise<CertificateView[]> => (await unwrap(api.GET('/certificates', { signal }))).items,
  });

export const fleetsQuery = () =>
  queryOptions({
    queryKey: ['fleets'],
    queryFn: async ({ signal }): Promise<Fleet[]> => (await unwrap(api.GET('/fleets', { signal }))).items,
  });

export const nodesQuery = (fleet: string) =>
  queryOptions({
    queryKey: ['nodes', fleet],
    queryFn: async ({ signal }): Promise<Node[]> =>
      (await unwrap(api.GET('/fleets/{fleet}/nodes', { params: { path: { fleet } }, signal }))).items,
  });

export const rolloutsQuery = (fleet: string) =>
  queryOptions({
    queryKey: ['rollouts', fleet],
    queryFn: async ({ signal }): Promise<Rollout[]> =>
      (await unwrap(api.GET('/fleets/{fleet}/rollouts', { params: { path: { fleet } }, signal }))).items,
  });

export const bundlesQuery = (fleet: string) =>
  queryOptions({
    queryKey: ['bundles', fleet],
    queryFn: async ({ signal }): Promise<Bundle[]> =>
      (await unwrap(api.GET('/fleets/{fleet}/bundles', { params: { path: { fleet } }, signal }))).items,
  });

export const groupsQuery = (fleet: string) =>
  queryOptions({
    queryKey: ['groups', fleet],
    queryFn: ({ signal }): Promise<FleetDrift> => unwrap(api.GET('/fleets/{fleet}/groups', { params: { path: { fleet } }, signal })),
  });

export const enrolmentTokensQuery = () =>
  queryOptions({
    queryKey: ['enrolment-tokens'],
    queryFn: async ({ signal }): Promise<EnrolmentToken[]> => (await unwrap(api.GET('/enrolment-tokens', { signal }))).items,
  });
