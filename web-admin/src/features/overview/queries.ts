import { useQueries, useQuery } from '@tanstack/react-query';
import { alertsQuery, fleetsQuery, nodesQuery, problemsQuery, statusQuery, upstreamsQuery } from '../../api/reads';
import { isBad } from '../../api/tally';
import type { Endpoint, Node, UpstreamKey, UpstreamView } from '../../api/types';
import { healthStates } from '../../api/types';

export const useStatus = () => useQuery(statusQuery());
export const useProblems = () => useQuery(problemsQuery());
export const useAlerts = () => useQuery(alertsQuery());
export const useUpstreams = () => useQuery(upstreamsQuery());

export interface FleetSummary {
  name: string;
  /** Undefined while the nodes are being read or can not be. */
  nodes: Node[] | undefined;
}

/** Every fleet with its nodes. */
export function useFleets() {
  const fleets = useQuery(fleetsQuery());
  const nodes = useQueries({ queries: (fleets.data ?? []).map((f) => nodesQuery(f.name)) });
  const data = fleets.data?.map((f, i): FleetSummary => ({ name: f.name, nodes: nodes[i]?.data }));
  return { ...fleets, data };
}

export interface Suspect {
  upstream: UpstreamKey;
  endpoint: Endpoint;
}

/** Endpoints with a bad verdict: the worst first, and of those the newest. */
export function suspects(views: UpstreamView[]): Suspect[] {
  const all = views.flatMap(({ upstream: u }) => u.endpoints.filter(isBad).map((endpoint) => ({ upstream: u.key, endpoint })));
  const rank = (s: Suspect) => healthStates.indexOf(s.endpoint.verdict.state);
  const since = (s: Suspect) => Date.parse(s.endpoint.verdict.since ?? '') || 0;
  return all.sort((a, b) => rank(a) - rank(b) || since(b) - since(a));
}
