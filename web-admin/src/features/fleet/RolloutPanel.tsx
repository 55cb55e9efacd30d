import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { rolloutTones } from '../../api/tones';
import type { Node, Ref, Rollout } from '../../api/types';
import { Badge } from '../../ui/Badge';
import { Panel } from '../../ui/Page';
import { Said } from '../../ui/Said';
import { QueryView } from '../../ui/States';
import { Since, Until } from '../../ui/Time';
import { Figures } from './RolloutFigures';
import { RolloutButtons } from './RolloutButtons';
import { Waves } from './RolloutWaves';
import { useBundles } from './queries';
import { isActive, useRollouts } from './rollouts';
import { bundleOf, bundlesOf } from './sides';

interface RolloutPanelProps {
  fleet: string;
  nodes: Node[];
  onNode: (node: string) => void;
}

/** How the last change reaches the nodes, or how that ended. */
export function RolloutPanel({ fleet, nodes, onNode }: RolloutPanelProps) {
  const { t } = useTranslation();
  const query = useRollouts(fleet);
  const last = query.data?.[0];
  return (
    <Panel title={t('rollout.title')} extra={last && <RolloutButtons rollout={last} />}>
      <QueryView query={query}>
        {(list) => (list[0] ? <Present rollout={list[0]} nodes={nodes} onNode={onNode} /> : <p className="muted rollout-none">{t('rollout.none')}</p>)}
      </QueryView>
    </Panel>
  );
}

interface PresentProps {
  rollout: Rollout;
  nodes: Node[];
  onNode: (node: string) => void;
}

function Present({ rollout: r, nodes, onNode }: PresentProps) {
  const { t } = useTranslation();
  const judged = r.waves[r.wave - 1]?.figures;
  return (
    <div className="stack rollout">
      <Headline rollout={r} />
      {r.reason && (
        <p className={r.state === 'failed' ? 'message' : 'break'}>
          <RolloutReason rollout={r} />
        </p>
      )}
      <About rollout={r} />
      {/* How a rollout that went well got there is in the history. */}
      {r.state !== 'done' && <Waves rollout={r} nodes={nodes} onNode={onNode} />}
      {r.state !== 'done' && judged && <Figures figures={judged} />}
      {r.leftOut && r.leftOut.length > 0 && (
        <p className="text-warn break">
          {t('rollout.leftOut', { count: r.leftOut.length })} <span className="mono">{r.leftOut.join(', ')}</span>
        </p>
      )}
    </div>
  );
}

function Headline({ rollout: r }: { rollout: Rollout }) {
  const { t } = useTranslation();
  return (
    <div className="row">
      <RolloutBadge rollout={r} />
      {r.paused && isActive(r) && <Badge tone="warn">{t('rollout.paused')}</Badge>}
      <strong className="num">{t('rollout.revision', { to: r.revision, from: r.from })}</strong>
      {isActive(r) && <span className="num">{t('rollout.waveOf', { wave: r.wave, of: r.waves.length })}</span>}
      {r.state === 'baking' && !r.paused && r.bakeUntil && (
        <span>
          {t('rollout.bakes')} <Until at={r.bakeUntil} />
        </span>
      )}
      <span className="muted">
        {isActive(r) ? t('rollout.began') : t('rollout.ended')} <Since at={isActive(r) ? r.startedAt : (r.endedAt ?? r.startedAt)} />
      </span>
    </div>
  );
}

/** Why it is in its state: the API's words, of which the state is the code. */
export function RolloutReason({ rollout: r }: { rollout: Rollout }) {
  return <Said of="rollout" code={isActive(r) ? (r.paused ? 'paused' : undefined) : r.state} text={r.reason} />;
}

export function RolloutBadge({ rollout: r }: { rollout: Rollout }) {
  const { t } = useTranslation();
  return (
    <Badge tone={rolloutTones[r.state]} title={t(`rolloutStateHint.${r.state}`)}>
      {t(`rolloutState.${r.state}`)}
    </Badge>
  );
}

/** Whose change it is, of what, and in which lines while both revisions are known. */
export function About({ rollout: r }: { rollout: Rollout }) {
  const { t } = useTranslation();
  const objects = r.objects ?? [];
  const sides = bundlesOf(r.from, r.revision, useBundles(r.fleet).data ?? []);
  if (objects.length === 0 && !r.authors?.length && !sides) return null;
  return (
    <p className="break">
      {objects.length > 0 && (
        <>
          <span className="muted">{t('rollout.changes')}</span> <span className="mono">{objects.map(refText).join(', ')}</span>
        </>
      )}{' '}
      {r.authors && r.authors.length > 0 && <span className="muted">{t('rollout.by', { who: r.authors.join(', ') })}</span>}{' '}
      {sides && (
        <Link to="/fleet/$fleet/diff" params={{ fleet: r.fleet }} search={{ from: bundleOf(sides[0].digest), to: bundleOf(sides[1].digest) }}>
          {t('diff.compareRevisions')}
        </Link>
      )}
    </p>
  );
}

const refText = (o: Ref) => `${o.kind} ${o.tenant ? `${o.tenant}/` : ''}${o.name}`;
