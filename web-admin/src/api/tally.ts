import type { Tone } from '../ui/Badge';
import type { EffectiveUpstream, Endpoint, HealthState, Node, NodeState, UpstreamView } from './types';

export interface Tally {
  total: number;
  inRotation: number;
  states: Record<HealthState, number>;
}

/** Counts endpoints by verdict. */
export function tally(endpoints: Endpoint[]): Tally {
  const states: Record<HealthState, number> = { ejected: 0, down: 0, probation: 0, drained: 0, unknown: 0, healthy: 0 };
  let inRotation = 0;
  for (const e of endpoints) {
    states[e.verdict.state]++;
    if (e.inRotation) inRotation++;
  }
  return { total: endpoints.length, inRotation, states };
}

const badStates: HealthState[] = ['ejected', 'down', 'probation'];

/** Whether health has something against the endpoint. */
export const isBad = (e: Endpoint) => badStates.includes(e.verdict.state);

/** Whether somebody should look at the upstream. */
export function hasTrouble(v: UpstreamView): boolean {
  const { upstream: u } = v;
  return v.problems.length > 0 || u.panic === true || !u.endpoints.some((e) => e.inRotation) || u.endpoints.some(isBad);
}

/** How the upstream as a whole is doing. */
export function upstreamTone(u: EffectiveUpstream): Tone {
  if (!u.endpoints.some((e) => e.inRotation)) return 'bad';
  return u.panic === true || u.endpoints.some(isBad) ? 'warn' : 'good';
}

/** Counts nodes by state. */
export function tallyNodes(nodes: Node[]): Record<NodeState, number> {
  const states: Record<NodeState, number> = { silent: 0, failed: 0, drifted: 0, rolling: 0, in_sync: 0 };
  for (const n of nodes) states[n.state]++;
  return states;
}
