import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import type { HealthEvent, PinRequest, UpstreamHealth, UpstreamKey } from '../../api/types';
import { keyText } from '../../api/types';

// A snapshot makes both old. What changes without one, such as a decision in shadow mode, is
// found by asking again.
const pace = 10_000;

/** How many events a node keeps of an upstream. */
export const keptEvents = 256;

/** What the node that answers says about an upstream as a whole. */
export const useUpstreamHealth = ({ tenant, name }: UpstreamKey) =>
  useQuery({
    queryKey: ['health', 'upstream', tenant, name],
    queryFn: ({ signal }): Promise<UpstreamHealth> =>
      unwrap(api.GET('/tenants/{tenant}/upstreams/{upstream}/health', { params: { path: { tenant, upstream: name } }, signal })),
    refetchInterval: pace,
  });

/** The newest transitions of an upstream, or of one of its endpoints. */
export const useHealthEvents = ({ tenant, name }: UpstreamKey, endpoint: string | undefined, limit: number) =>
  useQuery({
    queryKey: ['health', 'events', tenant, name, endpoint ?? '', limit],
    queryFn: async ({ signal }): Promise<HealthEvent[]> => {
      const query = { tenant, upstream: name, limit, ...(endpoint === undefined ? {} : { endpoint }) };
      return (await unwrap(api.GET('/health/events', { params: { query }, signal }))).items;
    },
    refetchInterval: pace,
    // More of the same list takes its place without a gap; another list does not.
    placeholderData: (old, query) => (query?.queryKey[2] === tenant && query.queryKey[3] === name && query.queryKey[4] === (endpoint ?? '') ? old : undefined),
  });

/** What a person says about an endpoint; without a request nothing any more. */
export interface PinChange {
  address: string;
  pin?: PinRequest;
}

/** Drains an endpoint, forces it up or down, or leaves it to health again. The author is the token's name. */
export function usePin(key: UpstreamKey) {
  const cache = useQueryClient();
  const url = '/tenants/{tenant}/upstreams/{upstream}/endpoints/{address}/pin';
  return useMutation({
    mutationKey: ['pin', keyText(key)],
    mutationFn: ({ address, pin }: PinChange) => {
      const params = { path: { tenant: key.tenant, upstream: key.name, address } };
      return unwrap(pin ? api.PUT(url, { params, body: pin }) : api.DELETE(url, { params }));
    },
    // The event says so too; this is for the moments in which the stream is broken.
    onSuccess: () => Promise.all(['upstreams', 'health'].map((noun) => cache.invalidateQueries({ queryKey: [noun] }))),
  });
}
