import type { Tone } from '../ui/Badge';
import type { HealthState, NodeState } from './types';

// One colour per meaning on every page.
export const verdictTones: Record<HealthState, Tone> = {
  ejected: 'bad',
  down: 'bad',
  probation: 'warn',
  drained: 'note',
  unknown: 'off',
  healthy: 'good',
};

export const nodeTones: Record<NodeState, Tone> = {
  silent: 'bad',
  failed: 'bad',
  drifted: 'warn',
  rolling: 'note',
  in_sync: 'good',
};
