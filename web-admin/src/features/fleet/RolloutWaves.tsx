import { useTranslation } from 'react-i18next';
import type { Node, Rollout, RolloutWave } from '../../api/types';
import type { Tone } from '../../ui/Badge';
import { Badge } from '../../ui/Badge';
import { Clock } from '../../ui/Time';
import type { Progress, WaveState } from './rollouts';
import { progress, waveState } from './rollouts';

const waveTones: Record<WaveState, Tone> = {
  passed: 'good',
  rolling: 'note',
  baking: 'note',
  paused: 'warn',
  failed: 'bad',
  aborted: 'warn',
  superseded: 'off',
  waiting: 'off',
};

const nodeTones: Record<Progress, Tone> = { running: 'good', applying: 'note', failed: 'bad', silent: 'bad', back: 'off', unknown: 'off' };

const shown = 20;

interface WavesProps {
  rollout: Rollout;
  nodes: Node[];
  onNode: (node: string) => void;
}

/** The waves in their order, and how far each node of them is. */
export function Waves({ rollout: r, nodes, onNode }: WavesProps) {
  const { t } = useTranslation();
  return (
    <ol className="waves" aria-label={t('rollout.waves')}>
      {r.waves.map((w, i) => (
        <li key={i} aria-current={i + 1 === r.wave ? 'step' : undefined}>
          <WaveHead wave={w} number={i + 1} state={waveState(r, i)} />
          <WaveNodes rollout={r} wave={w} nodes={nodes} onNode={onNode} />
        </li>
      ))}
    </ol>
  );
}

function WaveHead({ wave: w, number, state }: { wave: RolloutWave; number: number; state: WaveState }) {
  const { t } = useTranslation();
  const at = w.passedAt ?? w.runningAt ?? w.startedAt;
  return (
    <div className="row">
      <strong>{t('rollout.wave', { n: number })}</strong>
      <span className="muted num">{w.count > 0 ? t('rollout.waveNodes', { count: w.count, size: String(w.size) }) : String(w.size)}</span>
      <Badge tone={waveTones[state]}>{t(`waveState.${state}`)}</Badge>
      {at !== undefined && (
        <span className="muted">
          <Clock at={at} />
        </span>
      )}
    </div>
  );
}

interface WaveNodesProps extends WavesProps {
  wave: RolloutWave;
}

function WaveNodes({ rollout: r, wave: w, nodes, onNode }: WaveNodesProps) {
  const { t } = useTranslation();
  if (w.nodes.length === 0) return null;
  const all = w.nodes.map((name) => {
    const node = nodes.find((n) => n.node === name);
    return { name, node, is: progress(r, node) };
  });
  // Those with trouble first: of a large wave only some are shown.
  const order: Progress[] = ['failed', 'silent', 'applying', 'unknown', 'back', 'running'];
  all.sort((a, b) => order.indexOf(a.is) - order.indexOf(b.is));
  return (
    <div className="wave-nodes">
      {all.slice(0, shown).map(({ name, is }) => (
        <button type="button" key={name} className="linkish" onClick={() => onNode(name)} title={t(`progress.${is}`)}>
          <Badge tone={nodeTones[is]}>{name}</Badge>
        </button>
      ))}
      {w.count > Math.min(shown, all.length) && <span className="muted">{t('overview.more', { count: w.count - Math.min(shown, all.length) })}</span>}
    </div>
  );
}
