import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, ApiError, unwrap } from '../../api/client';
import { upstreamsQuery } from '../../api/reads';
import { hasTrouble } from '../../api/tally';
import type { Endpoint, ManualEndpoint, UpstreamKey, UpstreamView, WriteResult } from '../../api/types';
import { keyText } from '../../api/types';
import type { StateFilter, UpstreamSearch, UpstreamsSearch } from './search';

export const useUpstreams = () => useQuery(upstreamsQuery());

/** One upstream out of the list, which events keep current. */
export function useUpstream(key: UpstreamKey) {
  const list = useQuery(upstreamsQuery());
  const data = list.data?.find((v) => keyText(v.upstream.key) === keyText(key));
  const gone = list.data !== undefined && data === undefined;
  return { ...list, data, error: gone ? new ApiError(404, 'not_found', keyText(key)) : list.error };
}

/** Fits when every word is found in the name, an address, a zone or a route. */
export function filterUpstreams(views: UpstreamView[], s: UpstreamsSearch): UpstreamView[] {
  const words = (s.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return views.filter((v) => {
    const { upstream: u } = v;
    if (s.tenant !== undefined && u.key.tenant !== s.tenant) return false;
    if (s.state !== undefined && !fits(v, s.state)) return false;
    if (words.length === 0) return true;
    const text = [keyText(u.key), ...v.routes, ...u.endpoints.flatMap((e) => [e.address, e.zone ?? ''])].join(' ').toLowerCase();
    return words.every((w) => text.includes(w));
  });
}

function fits(v: UpstreamView, state: StateFilter): boolean {
  if (state === 'trouble') return hasTrouble(v);
  return v.upstream.endpoints.some((e) => endpointFits(e, state));
}

export function endpointFits(e: Endpoint, state: UpstreamSearch['state']): boolean {
  if (state === undefined) return true;
  return state === 'out' ? !e.inRotation : e.verdict.state === state;
}

/** Why no new request goes to an endpoint; undefined when it is in rotation. */
export function outBecause(e: Endpoint): 'hand' | 'terminating' | 'weight' | 'verdict' | 'other' | undefined {
  if (e.inRotation) return undefined;
  if (e.pin && e.pin.state !== 'up') return 'hand';
  if (e.terminating) return 'terminating';
  if (e.weight === 0) return 'weight';
  return e.verdict.state === 'ejected' || e.verdict.state === 'down' ? 'verdict' : 'other';
}

/** A change to the endpoints given by hand. */
export type EndpointChange = { do: 'put'; endpoint: ManualEndpoint } | { do: 'remove'; address: string };

function send(key: UpstreamKey, change: EndpointChange, dryRun: boolean): Promise<WriteResult> {
  const path = { tenant: key.tenant, upstream: key.name };
  const query = { dryRun };
  if (change.do === 'put') {
    return unwrap(api.POST('/tenants/{tenant}/upstreams/{upstream}/endpoints', { params: { path, query }, body: change.endpoint }));
  }
  const params = { path: { ...path, address: change.address }, query };
  return unwrap(api.DELETE('/tenants/{tenant}/upstreams/{upstream}/endpoints/{address}', { params }));
}

/** Works out what a change would do, without doing it. */
export const useDryRun = (key: UpstreamKey) => useMutation({ mutationFn: (change: EndpointChange) => send(key, change, true) });

/** Does it. */
export function useSave(key: UpstreamKey) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (change: EndpointChange) => send(key, change, false),
    // The event says so too; this is for the moments in which the stream is broken.
    onSuccess: () => cache.invalidateQueries({ queryKey: ['upstreams'] }),
  });
}
