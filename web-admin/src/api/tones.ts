import type { Tone } from '../ui/Badge';
import type { EventKind, HealthState, NodeState, RolloutState } from './types';

// One colour per meaning on every page.
export const verdictTones: Record<HealthState, Tone> = {
  ejected: 'bad',
  down: 'bad',
  probation: 'warn',
  drained: 'note',
  unknown: 'off',
  healthy: 'good',
};

export const eventTones: Record<EventKind, Tone> = {
  ejected: 'bad',
  probation: 'warn',
  returned: 'good',
  down: 'bad',
  pinned: 'note',
  unpinned: 'note',
  forgotten: 'off',
  service_bad: 'bad',
  service_good: 'good',
  panic: 'warn',
  calm: 'good',
};

export const nodeTones: Record<NodeState, Tone> = {
  silent: 'bad',
  failed: 'bad',
  drifted: 'warn',
  rolling: 'note',
  in_sync: 'good',
};

export const rolloutTones: Record<RolloutState, Tone> = {
  rolling: 'note',
  baking: 'note',
  done: 'good',
  superseded: 'off',
  failed: 'bad',
  aborted: 'warn',
};
