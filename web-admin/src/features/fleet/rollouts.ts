import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { rolloutsQuery } from '../../api/reads';
import type { Node, Rollout } from '../../api/types';

export const rolloutActions = ['pause', 'resume', 'promote', 'abort'] as const;
export type RolloutAction = (typeof rolloutActions)[number];

/** The rollouts of a fleet, the newest first. Events keep them current; the rest is for a broken stream. */
export const useRollouts = (fleet: string) => useQuery({ ...rolloutsQuery(fleet), refetchInterval: 15_000 });

export const isActive = (r: Rollout) => r.state === 'rolling' || r.state === 'baking';

/** What the server would do now, in the order of the buttons. */
export function possible(r: Rollout): RolloutAction[] {
  // What was taken back can be tried again; what was completed or replaced is over.
  if (!isActive(r)) return r.state === 'failed' || r.state === 'aborted' ? ['resume'] : [];
  if (r.paused) return ['resume', 'abort'];
  return r.state === 'baking' ? ['pause', 'promote', 'abort'] : ['pause', 'abort'];
}

/** Does it, and shows at once what has become of the rollout. */
export function useAct(fleet: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (action: RolloutAction) => unwrap(api.POST('/fleets/{fleet}/rollouts/current/{action}', { params: { path: { fleet, action } } })),
    // Also after a refusal: most often the rollout has moved on.
    onSettled: () => Promise.all(['rollouts', 'nodes', 'bundles'].map((noun) => cache.invalidateQueries({ queryKey: [noun, fleet] }))),
  });
}

export type WaveState = 'passed' | 'rolling' | 'baking' | 'paused' | 'failed' | 'aborted' | 'superseded' | 'waiting';

/** How far the wave at an index is. */
export function waveState(r: Rollout, index: number): WaveState {
  const wave = r.waves[index];
  if (wave?.passedAt !== undefined || index + 1 < r.wave || r.state === 'done') return 'passed';
  if (index + 1 > r.wave) return 'waiting';
  return r.paused && isActive(r) ? 'paused' : r.state;
}

/** How many nodes have the change now, or had it when the rollout ended. */
export const changedNodes = (r: Rollout) => r.waves.reduce((sum, w) => sum + w.count, 0);

export type Progress = 'running' | 'applying' | 'failed' | 'silent' | 'back' | 'unknown';

/** How far a node of the wave under way is with the revision. */
export function progress(r: Rollout, n: Node | undefined): Progress {
  if (!n) return 'unknown';
  if (n.state === 'silent' || n.state === 'failed') return n.state;
  if (!isActive(r) && n.revision !== r.revision) return 'back';
  return n.revision === r.revision && n.running === n.desired ? 'running' : 'applying';
}

/** "0.28 %"; undefined when nothing was counted. */
export const percent = (part: number, whole: number) => (whole === 0 ? undefined : `${((100 * part) / whole).toFixed(2)} %`);
