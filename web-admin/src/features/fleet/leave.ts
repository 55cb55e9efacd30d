import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, ApiError } from '../../api/client';
import type { Node } from '../../api/types';

export const leaveActions = ['revoke', 'forget'] as const;
export type LeaveAction = (typeof leaveActions)[number];

/** Refuses a node's certificates, and with `forget` drops it from the lists, too. */
export function useLeave({ fleet, node }: Node) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async (action: LeaveAction) => {
      const params = { path: { fleet, node } };
      const { error, response } = await (action === 'revoke' ? api.POST('/fleets/{fleet}/nodes/{node}/revoke', { params }) : api.DELETE('/fleets/{fleet}/nodes/{node}', { params }));
      if (!response.ok) throw ApiError.from(response.status, error);
    },
    // No event tells that a node has left.
    onSettled: () => Promise.all([['nodes', fleet], ['groups', fleet], ['rollouts', fleet], ['status']].map((queryKey) => cache.invalidateQueries({ queryKey }))),
  });
}
